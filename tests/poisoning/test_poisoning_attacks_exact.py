"""Each attack against its formula, and each search against the search that re-runs the rule."""

import functools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from poisoning_toys import updates

from lib.poisoning import aggregation as rules
from lib.poisoning import attacks
from lib.poisoning.aggregation.distances import squared_distances
from lib.poisoning.aggregation.krum import krum_scores
from lib.poisoning.aggregation.multi_krum import multi_krum_rows
from lib.poisoning.attacks.fang_krum import fang_bound
from lib.poisoning.attacks.geometry import geometry
from lib.poisoning.attacks.min_max import min_max_strength, min_sum_strength
from lib.poisoning.attacks.reference import DIRECTIONS
from lib.poisoning.attacks.tailored import HUGE, SELECTED, WEIGHED, tailored_strength

some = settings(max_examples=25, deadline=None)
CASES = {"n": st.integers(2, 9), "d": st.integers(1, 6), "seed": st.integers(0, 999), "shift": st.floats(-3, 3)}


def cohort(benign, toward, strength, count):
    return torch.cat([benign, (benign.mean(0) + strength * toward).expand(count, -1)])


@pytest.mark.parametrize(
    ("clients", "attackers", "z"),
    [(50, 3, 0.0267), (50, 5, 0.0837), (50, 8, 0.1800), (50, 10, 0.2533), (50, 12, 0.3360), (25, 5, 0.2533)],
)
def test_the_quantile_of_little_is_enough(clients, attackers, z):
    assert attacks.little_quantile(clients, attackers) == pytest.approx(z, abs=5e-5)


def test_little_is_enough_is_the_mean_less_z_deviations():
    benign = updates(20, 6)
    expected = benign.numpy().mean(axis=0) - 0.2533471 * benign.numpy().std(axis=0, ddof=1)
    np.testing.assert_allclose(attacks.little_is_enough(benign, 5)[0], expected, atol=1e-6)
    np.testing.assert_allclose(attacks.little_is_enough(benign, 5, z=0.0)[4], benign.mean(0), atol=1e-12)
    for clients, attackers in ((10, 0), (10, 6), (2, 1)):
        with pytest.raises(ValueError, match="less than half"):
            attacks.little_quantile(clients, attackers)


def test_simple_attacks_are_their_formulas():
    benign = updates(15, 6)
    torch.testing.assert_close(attacks.sign_flip(benign, scale=10.0), -10 * benign)
    torch.testing.assert_close(attacks.inner_product(benign, 2, scale=0.5)[1], -0.5 * benign.mean(0))
    assert torch.equal(attacks.mimic(benign, 2, target=3), benign[[3, 3]])
    centred = (benign - benign.mean(0)).numpy()
    farthest = int(np.abs(centred @ np.linalg.svd(centred)[2][0]).argmax())
    assert torch.equal(attacks.mimic(benign, 1)[0], benign[farthest])
    drawn = attacks.gaussian(benign, 4000, scale=3.0, rng=np.random.default_rng(0))
    np.testing.assert_allclose(drawn.mean(0), benign.mean(0), atol=0.25)
    np.testing.assert_allclose(drawn.std(0), 3 * benign.std(0), rtol=0.06)


def test_the_mean_turns_around_when_the_attackers_outweigh_it():
    benign = updates(20, 5, shift=1.0)
    for count, turned in ((3, False), (5, True)):
        combined = rules.mean(torch.cat([benign, attacks.inner_product(benign, count, scale=5.0)]))
        assert bool(combined @ benign.mean(0) < 0) == turned == (count * 5 > 20)


def test_labels_flip():
    labels = torch.tensor([0, 3, 9])
    assert attacks.flipped_labels(labels, 10).tolist() == [9, 6, 0]
    assert torch.equal(attacks.flipped_labels(attacks.flipped_labels(labels, 10), 10), labels)
    assert attacks.least_likely_labels(torch.tensor([[0.1, -2.0, 5.0], [0.0, 1.0, -1.0]])).tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"expected 0 \.\. 4"):
        attacks.flipped_labels(labels, 5)
    images, names = attacks.noise_images(500, (8, 8), 10, np.random.default_rng(0))
    assert images.shape == (500, 8, 8) and images.dtype == torch.float32 and set(names.tolist()) == set(range(10))
    assert images.abs().max() <= 1 and abs(float(images.mean())) < 0.01


@some
@given(**CASES, count=st.integers(1, 4))
def test_fang_draws_from_beyond_the_extremes(n, d, seed, shift, count):
    benign = updates(n, d, seed, shift=shift)
    rows = benign.numpy()
    found = attacks.fang_trimmed(benign, count, rng=np.random.default_rng(seed)).numpy()
    for j in range(d):
        low, high = rows[:, j].min(), rows[:, j].max()
        if rows[:, j].mean() < 0:
            ends = (high, 2 * high) if high > 0 else (high, high / 2)
        else:
            ends = (low / 2, low) if low > 0 else (2 * low, low)
        assert ((found[:, j] >= ends[0] - 1e-12) & (found[:, j] <= ends[1] + 1e-12)).all()
    partial = attacks.fang_trimmed(benign, count, knowledge="partial", rng=np.random.default_rng(seed)).numpy()
    away = (partial - rows.mean(axis=0)) / rows.std(axis=0, ddof=1)
    expected = np.broadcast_to(-np.sign(rows.mean(axis=0)), away.shape)
    assert (np.sign(away) == expected).all() and ((np.abs(away) > 3 - 1e-6) & (np.abs(away) < 4 + 1e-6)).all()


@some
@given(**CASES, count=st.integers(1, 4), strength=st.floats(-5, 5))
def test_geometry_knows_the_cohort(n, d, seed, shift, count, strength):
    benign, toward = updates(n, d, seed, shift=shift), updates(1, d, seed + 1)[0]
    known, strengths = geometry(benign, toward, count), torch.tensor([0.0, strength], dtype=torch.float64)
    rows = cohort(benign, toward, strength, count)
    np.testing.assert_allclose(known.distances(strengths)[1], squared_distances(rows), atol=1e-7)
    np.testing.assert_allclose(known.norms(strengths)[1], rows.norm(dim=1), atol=1e-6)
    weights = torch.from_numpy(np.random.default_rng(seed).dirichlet(np.ones(n + count)))
    moved = (weights @ rows - benign.mean(0)).norm()
    assert float(known.moved(strengths, weights.expand(2, -1))[1]) == pytest.approx(float(moved), abs=1e-6)


@some
@given(**CASES, kind=st.sampled_from(DIRECTIONS))
def test_min_max_and_min_sum_are_what_bisection_finds(n, d, seed, shift, kind):
    benign = updates(n, d, seed, shift=shift)
    toward, pairs = attacks.direction(benign, kind), squared_distances(benign)

    def apart(strength):
        return (benign.mean(0) + strength * toward - benign).square().sum(dim=1)

    limits = {
        min_max_strength: lambda g: bool(apart(g).max() <= pairs.max()),
        min_sum_strength: lambda g: bool(apart(g).sum() <= pairs.sum(dim=1).max()),
    }
    for closed_form, allowed in limits.items():
        low, high = 0.0, 1.0
        while allowed(high):
            high *= 2
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if allowed(middle) else (low, middle)
        assert closed_form(geometry(benign, toward, 1)) == pytest.approx(low, rel=1e-6, abs=1e-7)
    far = attacks.min_max(benign, 3, kind=kind)
    torch.testing.assert_close(far[0], benign.mean(0) + min_max_strength(geometry(benign, toward, 3)) * toward)
    wide = attacks.min_sum(benign, 3, kind=kind)
    torch.testing.assert_close(wide[2], benign.mean(0) + min_sum_strength(geometry(benign, toward, 3)) * toward)


@some
@given(n=st.integers(5, 12), d=st.integers(1, 6), seed=st.integers(0, 999), kind=st.sampled_from(DIRECTIONS))
def test_beyond_the_extremes_is_a_plateau_and_the_best_there_is(n, d, seed, kind):
    benign, count = updates(n, d, seed), 2
    toward = attacks.direction(benign, kind)
    sent = attacks.beyond_extremes(benign, count, toward)
    reached = rules.trimmed_mean(torch.cat([benign, sent]), count)
    torch.testing.assert_close(reached, attacks.trimmed_plateau(benign, count, toward))
    median = rules.median(torch.cat([benign, sent]), count)
    for margin in (1e-6, 50.0):
        other = torch.cat([benign, attacks.beyond_extremes(benign, count, toward, margin=margin)])
        torch.testing.assert_close(rules.trimmed_mean(other, count), reached)
        torch.testing.assert_close(rules.median(other, count), median)
    for strength in np.geomspace(1e-2, 1e2, 20):  # along the direction nothing goes farther, in any coordinate
        other = rules.trimmed_mean(cohort(benign, toward, strength, count), count)
        assert bool((toward.sign() * (reached - other) >= -1e-9).all())
    assert torch.equal(attacks.tailored(benign, count, rule="median", kind=kind), sent)


def test_a_trimmed_mean_that_trims_too_little_has_no_plateau():
    benign = updates(20, 8)
    toward = attacks.direction(benign, "std")
    moved = [rules.trimmed_mean(cohort(benign, toward, g, 5), 4).norm() for g in (1e2, 1e4)]
    assert moved[1] > 50 * moved[0]


def rerun(benign, toward, count, rule, f, strengths):
    """Return which strengths put all attackers (for Krum, one) among the rows that the rule selects."""
    found = []
    for strength in strengths:
        rows = cohort(benign, toward, strength, count)
        if rule == "krum":
            found.append(int(krum_scores(squared_distances(rows), f).argmin()) >= len(benign))
        elif rule == "multi-krum":
            found.append(int((multi_krum_rows(squared_distances(rows), f) >= len(benign)).sum()) == count)
        else:
            from lib.poisoning.aggregation.bulyan import bulyan_rows

            found.append(int((bulyan_rows(squared_distances(rows), f) >= len(benign)).sum()) == count)
    return np.array(found)


@pytest.mark.parametrize("rule", SELECTED)
@pytest.mark.parametrize("kind", DIRECTIONS)
@pytest.mark.parametrize("seed", range(3))
def test_the_search_on_inner_products_finds_what_re_running_the_rule_finds(rule, kind, seed):
    benign, count, f = updates(20, 50, seed, shift=0.2), 4, 4
    toward = attacks.direction(benign, kind)
    known = geometry(benign, toward, count)
    found = tailored_strength(known, rule, f)
    grid = known.scale * np.geomspace(1e-3, 30, 120)
    selected = rerun(benign, toward, count, rule, f, grid)
    if found == 0:
        assert not selected.any()
        return
    assert rerun(benign, toward, count, rule, f, [found * (1 - 1e-6)])[0]
    assert found >= grid[selected].max() * (1 - 1e-6)
    assert not rerun(benign, toward, count, rule, f, [found * (1 + 1e-4)])[0]


WHOLE = {
    "geometric median": rules.geometric_median,
    "clipping": rules.centred_clipping,
    "dnc": rules.divide_and_conquer,
    "mixed mean": rules.after_mixing(rules.mean),
    "afa": rules.adaptive_averaging,
    "foolsgold": rules.foolsgold,
}


@pytest.mark.parametrize("rule", WEIGHED)
@pytest.mark.parametrize("kind", DIRECTIONS)
def test_the_search_for_the_largest_move_finds_what_re_running_the_rule_finds(rule, kind):
    benign, count = updates(16, 30, 1, shift=0.3), 3
    toward = attacks.direction(benign, kind)
    known = geometry(benign, toward, count)

    def moved(strength):
        return float((WHOLE[rule](cohort(benign, toward, strength, count), count) - benign.mean(0)).norm())

    found = tailored_strength(known, rule, count)
    best = max(moved(known.scale * g) for g in np.geomspace(1e-2, 1e3, 60))
    assert moved(found) >= 0.97 * best


def test_mean_and_norm_bounding_meet_a_huge_update_against_the_mean():
    benign = updates(20, 30, shift=1.0)
    sent = attacks.tailored(benign, 5, rule="norm bound")
    combined = rules.norm_bound(torch.cat([benign, sent]), 5)
    radius = torch.cat([benign, sent]).norm(dim=1).sort().values[12]
    unit = -benign.mean(0) / benign.mean(0).norm()
    honest = torch.stack([row * min(1.0, float(radius / row.norm())) for row in benign])
    expected = (honest.sum(0) + 5 * radius * unit) / 25
    torch.testing.assert_close(combined, expected, rtol=1e-3, atol=1e-4)
    assert attacks.tailored(benign, 5, rule="mean")[0].norm() > 0.5 * HUGE
    assert not attacks.tailored(benign * 0, 5, rule="krum").any()


def test_multi_krum_takes_its_variant():
    benign = updates(20, 30, 2, shift=0.2)
    known = geometry(benign, attacks.direction(benign, "std"), 4)
    found = {name: tailored_strength(known, "multi-krum", 4, variant=name) for name in ("one shot", "iterative")}
    assert found["one shot"] > 0 and found["iterative"] > 0 and found["one shot"] != found["iterative"]


@pytest.mark.parametrize("seed", range(4))
def test_fang_on_krum_halves_until_it_is_selected(seed):
    benign, count = updates(15, 20, seed, shift=0.5), 4
    toward = attacks.direction(benign, "sign")
    strength = fang_bound(benign, count)
    while strength / 2 >= 1e-5:
        rows = torch.cat([benign, (strength * toward).expand(count, -1)])
        scores = krum_scores(squared_distances(rows), count)
        if scores[15:].min() <= scores[:15].min():
            break
        strength /= 2
    torch.testing.assert_close(attacks.fang_krum(benign, count)[0], strength * toward)
    assert torch.equal(rules.krum(torch.cat([benign, attacks.fang_krum(benign, count)]), count), strength * toward)


def test_fangs_bound_written_out():
    benign, count = updates(15, 20, 1, shift=0.5), 4
    pairs = squared_distances(benign).numpy()
    near = min(np.sort(np.delete(row, i))[: 19 - count - 2].sum() for i, row in enumerate(pairs))
    expected = np.sqrt(near / ((19 - 2 * count - 1) * 20)) + benign.norm(dim=1).max().item() / np.sqrt(20)
    assert fang_bound(benign, count) == pytest.approx(expected)


def test_gradient_ascent_on_a_parabola():
    centre, start = updates(1, 6)[0], updates(1, 6, 1)[0]

    def loss(w):
        return 0.5 * 3.0 * (w - centre).square().sum()

    found = attacks.gradient_ascent(loss, start, steps=4, lr=0.1)
    torch.testing.assert_close(found, (1.3**4 - 1) * (start - centre))
    short = attacks.gradient_ascent(loss, start, steps=4, lr=0.1, norm=2.0)
    torch.testing.assert_close(short, 2 * found / found.norm())
    for options in ({"steps": 0}, {"lr": 0.0}):
        with pytest.raises(ValueError, match="must be"):
            attacks.gradient_ascent(loss, start, **options)


def test_fakes_are_their_formulas():
    w, other = updates(1, 50)[0], updates(1, 50, 1)[0]
    torch.testing.assert_close(attacks.mpaf(w, other, 2, scale=3.0)[1], 3 * (other - w))
    torch.testing.assert_close(attacks.history(w, other, 2, scale=3.0)[0], -3 * (w - other))
    drawn = attacks.random_updates(w, 200, scale=5.0, rng=np.random.default_rng(0))
    assert float(drawn.std()) == pytest.approx(5, rel=0.03) and abs(float(drawn.mean())) < 0.2


def test_poisoned_fl_keeps_its_signs_and_its_length():
    step, sent = updates(1, 50)[0], updates(1, 50, 1)[0]
    signs = updates(1, 50, 2)[0].sign()
    found = attacks.poisoned_fl(step, sent, signs, 3, factor=8.0)[2]
    assert torch.equal(found.sign(), signs) and float(found.norm()) == pytest.approx(8 * float(step.norm()))
    size = (step - sent * step.norm() / sent.norm()).abs()
    torch.testing.assert_close(found.abs() / found.norm(), size / size.norm())
    assert not attacks.poisoned_fl(step * 0, sent, signs, 1).any()
    torch.testing.assert_close(
        attacks.poisoned_fl(step, sent * 0, signs, 1)[0], 8 * step.abs() * signs, rtol=1e-9, atol=1e-12
    )


def test_poisoned_fl_weakens_when_the_model_does_not_follow():
    signs = updates(1, 200)[0].sign()
    adapt = functools.partial(attacks.adapted_factor, signs=signs, factor=8.0)
    assert adapt(signs * 0.1) == 8 and adapt(-signs) == pytest.approx(5.6)
    half = torch.cat([signs[:100], -signs[100:]])
    assert adapt(half) == pytest.approx(5.6)
    most = torch.cat([signs[:120], -signs[120:]])  # 120 of 200 agree: chance 0.3 %
    assert adapt(most) == 8
    tail = {least: sum(math.comb(200, k) for k in range(least, 201)) / 2**200 for least in range(100, 201)}
    enough = min(least for least, chance in tail.items() if chance < 0.01)
    for agree, kept in ((enough, 8.0), (enough - 1, 5.6)):
        assert adapt(torch.cat([signs[:agree], -signs[agree:]])) == pytest.approx(kept)
