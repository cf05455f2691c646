"""Rules and attacks on updates of an accelerator: nothing meets a tensor of the processor, and results are the same."""

import functools

import numpy as np
import pytest
import torch
from elsewhere import Elsewhere, Pretend, elsewhere
from poisoning_toys import RULES as TOYS
from poisoning_toys import updates

from lib.poisoning import aggregation, attacks
from lib.poisoning.attackers import Attacker, BaseModelAttacker
from lib.poisoning.attackers_published import FangAttacker, HistoryAttacker, PoisonedFLAttacker
from lib.poisoning.theory import RULES

N, D, F = 13, 40, 2


def rng():
    return np.random.default_rng(0)


ATTACKS = {
    "LIE": attacks.little_is_enough,
    "Min-Max": attacks.min_max,
    "Min-Sum": attacks.min_sum,
    "IPM": attacks.inner_product,
    "mimic": attacks.mimic,
    "Fang, Krum": attacks.fang_krum,
    "Fang, trimmed": lambda rows, count: attacks.fang_trimmed(rows, count, rng=rng()),
    "Fang, partial": lambda rows, count: attacks.fang_trimmed(rows, count, knowledge="partial", rng=rng()),
    "Gaussian": lambda rows, count: attacks.gaussian(rows, count, rng=rng()),
    "random": lambda rows, count: attacks.random_updates(rows[0], count, rng=rng()),
    "plateau": lambda rows, count: attacks.trimmed_plateau(rows, count, attacks.direction(rows, "unit"))[None],
    "disguised": lambda rows, count: attacks.disguised(rows[:count], 0.1, rng()),
    **{
        f"tailored, {rule}": functools.partial(attacks.tailored, rule=rule)
        for rule in ("mean", "median", "trimmed mean", "norm bound", "krum", "multi-krum", "bulyan")
    },
    **{
        f"tailored, {rule}": functools.partial(attacks.tailored, rule=rule, kind="std")
        for rule in ("geometric median", "clipping", "dnc", "mixed mean")
    },
}


def same_on_both(function, rows):
    here = function(rows)
    with Pretend():
        there = function(elsewhere(rows))
    assert isinstance(there, Elsewhere)
    torch.testing.assert_close(there.as_subclass(torch.Tensor), here, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", [*RULES, *(f"suite: {name}" for name in TOYS)])
def test_rules_run_where_the_updates_are(name, dtype):
    rule = TOYS[name[7:]][0] if name.startswith("suite: ") else RULES[name]
    same_on_both(lambda rows: rule(rows, F), updates(N, D, dtype=dtype))


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_run_where_the_updates_are(name):
    same_on_both(lambda rows: ATTACKS[name](rows, F), updates(N, D, shift=0.3))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", [Attacker, FangAttacker, HistoryAttacker, PoisonedFLAttacker])
def test_attackers_send_where_the_weights_are(kind, rule):
    def play(rows):
        weights, memory = {"w": rows[0]}, {}
        for _ in range(2):
            sent, memory = kind(malicious=F).play(weights, rows[:11], F, rule, rng(), memory)
            weights = {"w": rows[1]}
        return sent

    same_on_both(play, updates(N, D, shift=0.3))


def test_a_base_model_follows_the_weights():
    base = {"w": updates(1, D)[0]}
    same_on_both(lambda rows: BaseModelAttacker(malicious=1, base=base).send({"w": rows[0]}, rows, 1, "mean", rng()),
                 updates(3, D))  # fmt: skip


def test_ranks_and_buckets():
    ranks = torch.stack([torch.from_numpy(np.random.default_rng(i).permutation(D)) for i in range(4)])
    same_on_both(lambda rows: aggregation.rank_vote(rows), ranks)
    same_on_both(lambda rows: aggregation.active_edges(rows), ranks)
    same_on_both(lambda rows: aggregation.ranked_scores(rows, rows[0].float()), ranks)
    same_on_both(lambda rows: aggregation.bucketed(rows, 2, rng()), updates(N, D))


def test_the_pretence_refuses_what_an_accelerator_refuses():
    far, near = elsewhere(torch.ones(3)), torch.ones(3)
    with pytest.raises(RuntimeError, match="same device"):
        far + near
    with pytest.raises(TypeError, match="numpy"):
        far.numpy()
    assert far.device.type == "cuda" and isinstance(far.to("cpu"), torch.Tensor)
    assert not isinstance(far.cpu(), Elsewhere) and isinstance(near.to(far), torch.Tensor)
