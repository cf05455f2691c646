"""Statements S1, S2, S3, S5 and S7 against exact values, the dual ascent and the post-hoc split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.segmentation.allocation import allocate, count_users, segment_totals
from lib.segmentation.budget_curve import budget_curve
from lib.segmentation.dual_ascent import (
    RESPONSES,
    ascent_plans,
    best_response,
    dual_ascent,
    dual_gap_bound,
    dual_value,
    regret,
)
from lib.segmentation.media import Media, draw_media, full_price
from lib.segmentation.post_hoc import post_hoc_split
from lib.segmentation.theory_delivery import (
    ascent_table,
    budget_table,
    charging_table,
    information_table,
    per_money,
    refinement_table,
    rescaled,
    side_counts,
)


def problem(seed=0, k=8, v=8, fraction=0.15):
    rng = np.random.default_rng(seed)
    media = draw_media(rng, np.arange(v) // (v // 2))
    counts = rng.dirichlet(np.full(v, 0.4), k) * 300
    return counts, media, fraction * full_price(counts, media)


def test_s1_structure_of_the_program():
    counts, media, _ = problem()
    totals = segment_totals(counts, media)
    budgets = np.array([0, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 1.5]) * full_price(counts, media)
    table = budget_table(totals, budgets)
    assert np.allclose(table["gain"], table["curve"])
    assert (table["nonzero"] <= len(counts) + 1).all() and (table["split"] <= 1).all()
    assert (np.diff(table["gain"]) >= -1e-9).all() and (np.diff(table["price"]) <= 1e-9).all()
    slopes = np.diff(table["gain"]) / np.diff(table["budget"])
    assert (slopes <= table["price"].to_numpy()[:-1] + 1e-9).all() and (
        slopes >= table["price"].to_numpy()[1:] - 1e-9
    ).all()
    assert (table["slope_right"] - 1e-9 <= table["price"]).all() and (
        table["price"] <= table["slope_left"] + 1e-9
    ).all()
    last = table.iloc[-1]
    assert last["spend"] < last["budget"] and last["price"] == 0 and last["split"] == 0


@given(st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_s2_finer_segments_never_lose(seed):
    counts, media, budget = problem(seed, k=7)
    table = refinement_table(counts, media, budget)
    assert table["segments"].tolist() == [1, 2, 4, 7]
    assert (np.diff(table["gain"]) >= -1e-9).all()
    split = post_hoc_split(counts, media, budget, segments=12)
    assert (np.diff(split.gains) > 0).all() and len(split.counts) == len(split.gains) + 6 <= 12


def test_s3_no_gain_without_dependence_and_more_with_more():
    _, media, _ = problem()
    table = information_table([0, 0.25, 0.5, 0.75, 1], media, 0.1)
    assert table["gain"][0] == pytest.approx(0, abs=1e-12)
    assert (np.diff(table["gain"]) > -1e-12).all() and table["gain"].iloc[-1] > 0.1
    assert np.allclose(table["one"], table["one"][0])  # together the sides have all cells alike, whatever rho is
    assert np.allclose(side_counts(0.9, users=8), [[0.95] * 4 + [0.05] * 4, [0.05] * 4 + [0.95] * 4])
    # Segments of any kind that say nothing about cells: exactly one segment's gain.
    sizes, cells = np.array([1.0, 5, 2, 4]), np.arange(1.0, 9)
    alone, many = (segment_totals(np.outer(size, cells), media) for size in ([12.0], sizes))
    assert np.allclose(budget_curve(alone).gain_at([5, 50, 500]), budget_curve(many).gain_at([5, 50, 500]))


def test_s5_dual_ascent_approaches_the_program():
    counts, media, budget = problem()
    totals = segment_totals(counts, media)
    best = allocate(totals, budget)
    table = ascent_table(counts, media, budget, steps=[100, 3000], replicates=10)
    mean = table.groupby(["response", "steps"])[["price", "dual_gap", "regret"]].mean()
    assert mean.loc[("running", 3000), "price"] == pytest.approx(best.price, rel=0.02)
    for response in ("running", "totals"):
        assert mean.loc[(response, 3000), "regret"] < 0.01 < mean.loc[(response, 100), "regret"]
        assert mean.loc[(response, 3000), "dual_gap"] < mean.loc[(response, 100), "dual_gap"]
    # The best medium of one batch flatters the batch: its price stays too high however long it learns.
    assert mean.loc[("batch", 3000), "price"] > 1.05 * best.price
    assert mean.loc[("batch", 3000), "regret"] > 3 * mean.loc[("running", 3000), "regret"]
    assert (table["dual_gap"] >= -1e-12).all() and (table["regret"] >= -1e-9).all()


@pytest.mark.parametrize("rate", [0.3, 1.0, 10.0])
@pytest.mark.parametrize("burn", [0.0, 0.5])
def test_s5_the_gap_keeps_the_textbook_bound(rate, burn):
    counts, media, budget = problem(1)
    totals = segment_totals(counts, media)
    best = allocate(totals, budget)
    options = {"steps": 400, "replicates": 40, "rate": rate, "burn": burn, "response": "totals"}
    ascent = dual_ascent(counts, media, budget, rng=np.random.default_rng(0), **options)
    gap = (dual_value(totals, budget, ascent.mean_price) - best.gain).mean(axis=0)
    bound = dual_gap_bound(ascent, best.price)
    assert bound.shape == gap.shape == (400 - int(burn * 400),)
    assert (gap >= -1e-9).all() and (gap <= bound * 1.02 + 1e-9).all()


def test_best_response_and_dual_function_by_enumeration():
    counts, media, budget = problem(2, k=4)
    totals = segment_totals(counts, media)
    for price in (0.0, 0.15, 0.25, 9.0):
        share = best_response(totals.gain, totals.cost, price)
        reduced = totals.gain - price * totals.cost
        by_hand = sum(max(0.0, *row) for row in reduced)
        assert (share * reduced).sum() == pytest.approx(by_hand)
        assert dual_value(totals, budget, price) == pytest.approx(price * budget + by_hand)
        assert share.sum(axis=1).max() <= 1


def test_ascent_on_batches_of_everybody_is_plain_subgradient_descent():
    media = Media(np.array([[0.5, 0.4]]), np.ones((1, 2)), np.array([1.0, 0.5]))
    counts, budget = np.array([[100.0]]), 30.0
    found = dual_ascent(counts, media, budget, rng=np.random.default_rng(0), steps=5, batch=7, burn=0.0)
    price, prices, step = 0.0, [], 0.8 / 100 / np.sqrt(np.arange(1, 6))  # best ratio .4/.5, dearest medium costs 100
    for t in range(5):
        prices.append(price)
        values = [100 * (0.5 - price), 100 * (0.4 - 0.5 * price)]
        spend = 0.0 if max(values) <= 0 else (100.0, 50.0)[int(np.argmax(values))]
        price = max(0.0, price + step[t] * (spend - budget))
    assert np.allclose(found.price[0], prices) and np.allclose(found.step, step)
    assert np.allclose(found.mean_price[0], np.cumsum(step * prices) / np.cumsum(step))


def test_ascent_plans_keep_the_budget_and_seeds_decide():
    counts, media, budget = problem(3)
    totals, best = segment_totals(counts, media), None
    best = allocate(totals, budget)
    for response in RESPONSES:
        runs = [
            dual_ascent(counts, media, budget, rng=np.random.default_rng(4), steps=50, replicates=3, response=response)
            for _ in range(2)
        ]
        assert np.array_equal(runs[0].price, runs[1].price) and not np.array_equal(runs[0].price[0], runs[0].price[1])
        plans = ascent_plans(runs[0], totals, budget)
        assert all(plan.spend <= budget * (1 + 1e-9) and plan.share.sum(axis=1).max() <= 1 + 1e-9 for plan in plans)
        assert (regret(plans, best) >= -1e-9).all()
    for wrong, message in (({"steps": 0}, "at least 1"), ({"response": "guess"}, "choose from running")):
        with pytest.raises(ValueError, match=message):
            dual_ascent(counts, media, budget, rng=np.random.default_rng(0), **wrong)
    with pytest.raises(ValueError, match="larger budget"):
        regret([best], allocate(totals, 0.0))


def test_s7_charging_is_exact():
    counts, media, _ = problem()
    table = charging_table(counts, media, medium=1, factor=0.37)
    assert np.allclose(table["change"], table["predicted"], rtol=1e-12) and set(table["predicted"]) == {0.37, 1.0}
    exposed = per_money(segment_totals(counts, media, charge="exposed", value=np.arange(1.0, 9)))
    assert np.allclose(exposed, np.arange(1.0, 9)[:, None] / media.price)
    # Under "matched" the greedy order is left alone too.
    orders = [
        np.argsort(-per_money(segment_totals(counts, each, charge="matched")), axis=None, kind="stable")
        for each in (media, rescaled(media, 1, 0.37))
    ]
    assert np.array_equal(*orders)
    with pytest.raises(ValueError, match="probabilities"):
        rescaled(media, 0, 5.0)


def test_split_of_segments_that_hide_two_sides_finds_the_oracle():
    media = draw_media(np.random.default_rng(5), np.arange(8) // 4)
    rng = np.random.default_rng(6)
    segment, cell = rng.integers(2, size=4000), rng.integers(8, size=4000)
    counts = count_users(segment, cell, segments=2, cells=8)
    budget = 0.3 * full_price(counts, media)
    split = post_hoc_split(counts, media, budget, segments=6)
    new = split.apply(segment, cell)
    assert np.array_equal(count_users(new, cell, segments=len(split.counts), cells=8), split.counts)
    assert (split.origin[new] == segment).all() and split.gains[-1] > 1.1 * split.gains[0]
    assert split.gains[-1] == pytest.approx(allocate(segment_totals(split.counts, media), budget).gain)
    # No cut has more information than every cell on its own.
    full = segment_totals(np.diag(counts.sum(axis=0)), media)
    assert split.gains[-1] <= budget_curve(full).gain_at(budget) + 1e-9
    assert len(post_hoc_split(counts, media, budget, segments=2).counts) == 2
    with pytest.raises(ValueError, match="fewer than"):
        post_hoc_split(counts, media, budget, segments=1)
