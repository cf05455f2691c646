"""The exact allocation: against brute force, the hulls' independent solution, linear-programming duality and users."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.segmentation.allocation import Totals, allocate, count_users, evaluated, segment_totals, user_totals
from lib.segmentation.allocation_baselines import all_plans, equal_split, greedy, proportional_split
from lib.segmentation.budget_curve import budget_curve
from lib.segmentation.dual_ascent import dual_value
from lib.segmentation.media import CHARGES, Media, draw_media, full_price


def random_totals(seed, k=5, m=3):
    rng = np.random.default_rng(seed)
    return Totals(rng.random((k, m)) * rng.choice([0.0, 1.0], (k, m), p=[0.1, 0.9]), rng.random((k, m)) + 0.05)


SEEDS = st.integers(0, 10_000)
FRACTIONS = st.sampled_from([0.0, 1e-4, 0.02, 0.1, 0.3, 0.7, 1.0, 2.0])


def test_counts_are_those_of_a_loop_over_users():
    rng = np.random.default_rng(0)
    segment, cell, weight = rng.integers(3, size=50), rng.integers(4, size=50), rng.random(50)
    hard, weighted = np.zeros((3, 4)), np.zeros((3, 4))
    for k, v, w in zip(segment, cell, weight, strict=True):
        hard[k, v] += 1
        weighted[k, v] += w
    assert np.array_equal(count_users(segment, cell, segments=3, cells=4), hard)
    assert np.allclose(count_users(segment, cell, segments=3, cells=4, weight=weight), weighted)
    soft = count_users(np.eye(3)[segment], cell, segments=3, cells=4, weight=weight)
    assert np.allclose(soft, weighted)
    assert count_users(segment.astype(np.int8), cell, segments=3, cells=4).sum() == 50


def test_totals_are_sums_over_users():
    rng = np.random.default_rng(1)
    media, segment, cell = draw_media(rng, np.arange(6) % 2), rng.integers(4, size=200), rng.integers(6, size=200)
    value = rng.random(4)
    counts = count_users(segment, cell, segments=4, cells=6)
    for charge in CHARGES:
        found = segment_totals(counts, media, charge=charge, value=value)
        gain, cost = value[segment, None] * media.exposure[cell], media.charge(charge)[cell]
        for users in (
            user_totals(segment, gain, cost, segments=4),
            user_totals(np.eye(4)[segment], gain, cost, segments=4),
        ):
            assert np.allclose(found.gain, users.gain) and np.allclose(found.cost, users.cost)
    by_cell = segment_totals(counts, media, value=np.repeat(value[:, None], 6, axis=1))
    assert np.allclose(by_cell.gain, found.gain)


@given(SEEDS, FRACTIONS)
@settings(max_examples=60, deadline=None)
def test_the_program_agrees_with_the_hulls_and_keeps_every_limit(seed, fraction):
    totals = random_totals(seed)
    budget = fraction * totals.cost.max(axis=1).sum()
    plan, curve = allocate(totals, budget), budget_curve(totals)
    assert plan.gain == pytest.approx(float(curve.gain_at(budget)), rel=1e-6, abs=1e-9)
    assert plan.spend <= budget * (1 + 1e-9)
    assert plan.share.min() >= 0 and plan.share.sum(axis=1).max() <= 1 + 1e-9
    assert plan.gain == pytest.approx((plan.share * totals.gain).sum())
    assert (plan.share > 1e-9).sum() <= len(totals.gain) + 1
    left = curve.price_at(budget * (1 - 1e-9)) if budget else np.inf
    assert curve.price_at(budget * (1 + 1e-9)) - 1e-6 <= plan.price <= left + 1e-6
    # Strong duality at the program's price, weak duality elsewhere.
    assert dual_value(totals, budget, plan.price) == pytest.approx(plan.gain, rel=1e-6, abs=1e-9)
    assert (dual_value(totals, budget, np.linspace(0, 5, 20)) >= plan.gain - 1e-9).all()


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_the_curve_is_concave_and_nondecreasing_and_saturates_at_the_best_media(seed):
    totals = random_totals(seed)
    curve = budget_curve(totals)
    assert (np.diff(curve.budget) > 0).all() and (curve.price > 0).all() and (np.diff(curve.price) <= 1e-12).all()
    assert curve.gain[-1] == pytest.approx(totals.gain.max(axis=1).sum())
    assert np.allclose(np.diff(curve.gain), curve.price * np.diff(curve.budget))


def test_brute_force_over_whole_segments_never_beats_and_meets_at_the_corners():
    totals = random_totals(3, k=4, m=2)
    curve = budget_curve(totals)
    for choice in itertools.product(range(-1, 2), repeat=4):
        share = np.zeros((4, 2))
        for k, m in enumerate(choice):
            if m >= 0:
                share[k, m] = 1
        plan = evaluated(share, totals)
        assert plan.gain <= curve.gain_at(plan.spend) + 1e-12
    spends = [
        sum(totals.cost[k, m] for k, m in enumerate(choice) if m >= 0)
        for choice in itertools.product(range(-1, 2), repeat=4)
    ]
    for corner in curve.budget:
        assert min(abs(spend - corner) for spend in spends) < 1e-12


def test_the_least_budget_for_a_target():
    totals = random_totals(4)
    curve = budget_curve(totals)
    for target in np.linspace(0, 1, 7) * curve.gain[-1]:
        budget = curve.budget_for(target)
        assert curve.gain_at(budget) == pytest.approx(target, abs=1e-12)
        assert allocate(totals, budget).gain == pytest.approx(target, rel=1e-6, abs=1e-9)
        if target > 0:
            assert curve.gain_at(budget * 0.999) < target
    assert curve.budget_for(curve.gain[-1] * 1.01) == float("inf")


def test_free_media_and_no_budget():
    totals = Totals(np.array([[1.0, 3.0], [2.0, 0.0]]), np.array([[0.0, 2.0], [0.0, 1.0]]))
    assert allocate(totals, 0.0).gain == pytest.approx(3.0) and budget_curve(totals).gain[0] == 3.0
    assert allocate(totals, 1.0).gain == pytest.approx(4.0)
    assert allocate(totals, 2.0).gain == pytest.approx(5.0)


def test_money_and_gain_may_be_in_any_unit():
    totals = random_totals(5)
    budget = 0.2 * totals.cost.max(axis=1).sum()
    plan = allocate(totals, budget)
    scaled = allocate(Totals(totals.gain * 1e-6, totals.cost * 1e7), budget * 1e7)
    assert np.allclose(plan.share, scaled.share, atol=1e-9)
    assert scaled.price == pytest.approx(plan.price * 1e-13)


def test_bounds_fix_a_medium_and_several_messages():
    totals = random_totals(6)
    budget = 0.4 * totals.cost.max(axis=1).sum()
    lower, upper = np.zeros((5, 3)), np.ones((5, 3))
    lower[:, 1] = upper[:, 1] = 0.25
    fixed, free = allocate(totals, budget, lower=lower, upper=upper), allocate(totals, budget)
    assert np.allclose(fixed.share[:, 1], 0.25) and fixed.gain <= free.gain and fixed.spend <= budget * (1 + 1e-9)
    many = allocate(totals, budget, one_message=False)
    assert many.gain >= free.gain - 1e-12
    # Without the segments' limit the problem is a fractional knapsack: greedy by ratio is optimal.
    ratio, left, best = totals.gain / totals.cost, budget, 0.0
    for pair in np.argsort(-ratio, axis=None):
        take = min(1.0, left / totals.cost.flat[pair])
        best, left = best + take * totals.gain.flat[pair], left - take * totals.cost.flat[pair]
    assert many.gain == pytest.approx(best)
    with pytest.raises(ValueError, match="least shares alone exceed"):
        allocate(totals, 0.01 * budget, lower=lower)


@given(SEEDS, FRACTIONS)
@settings(max_examples=40, deadline=None)
def test_no_baseline_beats_the_program_and_all_keep_the_limits(seed, fraction):
    totals = random_totals(seed)
    budget = fraction * totals.cost.max(axis=1).sum()
    plans = all_plans(totals, budget, np.arange(1, 6))
    best = plans["linear program"].gain
    for plan in plans.values():
        assert plan.gain <= best * (1 + 1e-6) + 1e-9 and plan.spend <= budget * (1 + 1e-9) + 1e-12
        assert plan.share.min() >= 0 and plan.share.sum(axis=1).max() <= 1 + 1e-9


def test_baselines_by_hand():
    totals = Totals(np.array([[4.0, 1.0], [2.0, 2.0]]), np.array([[4.0, 2.0], [1.0, 4.0]]))
    assert np.allclose(equal_split(totals, 4.0).share, [[0.25, 0.5], [0.8, 0.2]])  # the second row wants 1 and 1/4
    assert np.allclose(
        proportional_split(totals, 4.0, [3, 1]).share, [[0.375, 0.75], [0.5, 0.125]] / np.array([[1.125], [1]])
    )
    assert np.allclose(greedy(totals, 3.0).share, [[0.5, 0], [1, 0]])
    # Greedy takes the cheap medium where the dear one is better.
    trap = Totals(np.array([[1.0, 3.0]]), np.array([[0.1, 1.0]]))
    assert greedy(trap, 1.0).gain == pytest.approx(1.0) and allocate(trap, 1.0).gain == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: allocate(random_totals(0), -1), "finite amount of at least 0"),
        (lambda: allocate(random_totals(0), float("nan")), "finite amount"),
        (lambda: allocate(random_totals(0), 1, lower=0.6, upper=0.5), "lower <= upper"),
        (lambda: Totals(np.ones((2, 2)), np.ones((2, 3))), "one shape"),
        (lambda: Totals(np.array([[np.nan]]), np.ones((1, 1))), "gain must be finite"),
        (lambda: count_users(np.array([0, 3]), np.array([0, 0]), segments=3, cells=1), "numbered from 0 to 2"),
        (lambda: count_users(np.array([0]), np.array([-1]), segments=3, cells=1), "cells are numbered"),
        (lambda: count_users(np.ones((1, 2)), np.array([0]), segments=3, cells=1), "2 columns for 3"),
        (lambda: count_users(np.array([0]), np.array([0, 0]), segments=1, cells=1), "one entry a user"),
        (lambda: segment_totals(np.ones((2, 3)), draw_media(np.random.default_rng(0), np.zeros(4))), "4 cells"),
        (lambda: proportional_split(random_totals(0), 1, np.zeros(5)), "not only zeros"),
        (lambda: Media(np.ones((2, 1)), np.ones((2, 1)), np.array([-1.0])), "at least 0"),
        (lambda: Media(np.full((2, 1), 1.1), np.ones((2, 1)), np.ones(1)), "match holds probabilities"),
        (lambda: Media(np.ones((2, 1)), np.ones((2, 2)), np.ones(1)), "these shapes"),
        (lambda: draw_media(np.random.default_rng(0), np.array([0, 2])), "side of 0 or 1"),
        (lambda: draw_media(np.random.default_rng(0), np.zeros(2)).charge("click"), "choose from targeted"),
    ],
)
def test_bad_input_is_refused_with_the_way_out(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_media_are_drawn_as_told():
    rng = np.random.default_rng(0)
    side = np.repeat([0, 1], 20_000)
    media = draw_media(rng, side, media=4)
    assert media.match.shape == (40_000, 4) and media.price.tolist() == [1, 1, 0.6, 0.6]
    assert media.match.max() <= 0.95 and media.expose.max() <= 0.95
    assert media.match[:, 2].mean() == pytest.approx(0.4, abs=0.005)  # Beta(4, 6)
    assert media.expose[:, 3].mean() == pytest.approx(1 / 3, abs=0.005)  # Beta(4, 8)
    assert media.match[20_000:, 0].mean() == pytest.approx(0.2, abs=0.005)
    assert media.match[:20_000, 0].mean() == pytest.approx(0.64, abs=0.02)  # less than 0.64 by the cap
    assert media.match[20_000:, 1].mean() == pytest.approx(media.match[:20_000, 0].mean(), abs=0.01)
    flat = draw_media(np.random.default_rng(0), side, contrast=0)
    assert flat.match[:, 0].mean() == pytest.approx(0.4, abs=0.005)
    assert full_price(np.array([10, 30]), media) == pytest.approx(32)
