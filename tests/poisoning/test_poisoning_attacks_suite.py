"""What every attack must satisfy, whatever it sends."""

import functools

import numpy as np
import pytest
import torch
from poisoning_toys import updates

from lib.poisoning import attacks
from lib.poisoning.attacks.reference import DIRECTIONS
from lib.poisoning.attacks.tailored import TAILORED

N, D, M = 15, 20, 4


def seeded(attack, **options):
    return lambda benign, count: attack(benign, count, rng=np.random.default_rng(3), **options)


def fakes(attack, **options):
    """An attack without reference updates: the model stands in the first two rows."""
    return lambda benign, count: attack(benign[0], benign[1], count, **options)


REFERENCE = {
    "gaussian": seeded(attacks.gaussian),
    "inner product": attacks.inner_product,
    "mimic": attacks.mimic,
    "little": attacks.little_is_enough,
    "fang trimmed": seeded(attacks.fang_trimmed),
    "fang trimmed, partial": seeded(attacks.fang_trimmed, knowledge="partial"),
    "fang krum": attacks.fang_krum,
    **{f"min-max, {kind}": functools.partial(attacks.min_max, kind=kind) for kind in DIRECTIONS},
    **{f"min-sum, {kind}": functools.partial(attacks.min_sum, kind=kind) for kind in DIRECTIONS},
    **{f"tailored, {rule}": functools.partial(attacks.tailored, rule=rule) for rule in TAILORED if rule != "bulyan"},
    "tailored, bulyan": functools.partial(attacks.tailored, rule="bulyan", f=3),
}
ATTACKS = REFERENCE | {
    "mpaf": fakes(attacks.mpaf),
    "history": fakes(attacks.history),
    "random": lambda benign, count: attacks.random_updates(benign[0], count, rng=np.random.default_rng(3)),
    "poisoned fl": lambda benign, count: attacks.poisoned_fl(benign[0], benign[1], benign[2].sign(), count),
}
# They send one update from every attacker, and do not change when the benign clients change places.
COPIES = [name for name in ATTACKS if name not in ("gaussian", "fang trimmed", "fang trimmed, partial", "random")]


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_finite_update_an_attacker_and_the_same_again(name, dtype):
    benign = updates(N, D, dtype=dtype)
    before = benign.clone()
    found = ATTACKS[name](benign, M)
    assert found.shape == (M, D) and found.dtype == dtype and bool(torch.isfinite(found).all())
    assert torch.equal(benign, before) and torch.equal(ATTACKS[name](benign, M), found)
    found.add_(1)  # the attackers' updates are their own memory
    assert torch.equal(benign, before)
    assert bool((found == found[0]).all()) == (name in COPIES)


@pytest.mark.parametrize("name", REFERENCE)
def test_bad_input_is_refused(name):
    with pytest.raises(ValueError, match="at least one attacker"):
        REFERENCE[name](updates(N, D), 0)
    bad = updates(N, D)
    bad[2, 2] = torch.nan
    with pytest.raises(ValueError, match="NaN or infinity"):
        REFERENCE[name](bad, M)


@pytest.mark.parametrize("name", [name for name in COPIES if name in REFERENCE])
def test_the_order_of_the_benign_clients_does_not_matter(name):
    benign = updates(N, D, shift=0.3)
    order = np.random.default_rng(0).permutation(N)
    torch.testing.assert_close(REFERENCE[name](benign[order], M), REFERENCE[name](benign, M), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["min-max, std", "min-sum, std", "mimic", "little"])
def test_attacks_on_the_spread_move_with_a_shift(name):
    benign, shift = updates(N, D), updates(1, D, 1)
    torch.testing.assert_close(
        REFERENCE[name](benign + shift, M), REFERENCE[name](benign, M) + shift, rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("kind", DIRECTIONS)
def test_directions_point_against_the_mean(kind):
    benign = updates(N, D, shift=2.0)
    found = attacks.direction(benign, kind)
    mean, std = benign.numpy().mean(axis=0), benign.numpy().std(axis=0, ddof=1)
    expected = {"unit": -mean / np.linalg.norm(mean), "std": -std, "sign": -np.sign(mean)}[kind]
    np.testing.assert_allclose(found, expected)
    assert float(found @ benign.mean(dim=0)) < 0
    assert torch.isfinite(attacks.direction(benign[:1] * 0, kind)).all()


def test_unknown_names_are_refused_with_the_known_ones():
    benign = updates(N, D)
    for call in (
        lambda: attacks.direction(benign, "up"),
        lambda: attacks.tailored(benign, 2, rule="average"),
        lambda: attacks.fang_trimmed(benign, 2, knowledge="some", rng=np.random.default_rng(0)),
    ):
        with pytest.raises(ValueError, match="choose"):
            call()


def test_a_disguise_is_small_and_tells_the_attackers_apart():
    sent = attacks.min_max(updates(N, D), M)
    hidden = attacks.disguised(sent, 0.01, np.random.default_rng(0))
    assert ((hidden - sent).norm(dim=1) < 0.03 * sent.norm(dim=1)).all()
    assert len(hidden.unique(dim=0)) == M
