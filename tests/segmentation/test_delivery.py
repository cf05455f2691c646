"""The simulator against its expectations, look-alike audiences against brute force, bands, funnel and fairness."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.segmentation.allocation import allocate, count_users, segment_totals
from lib.segmentation.delivery import (
    STAGES,
    band,
    expected_delivery,
    exposure_by_cell,
    funnel,
    over_media,
    simulate_delivery,
)
from lib.segmentation.lookalike import audience_description, lookalike, lookalike_totals
from lib.segmentation.media import CHARGES, Media, draw_media, full_price

SIDE = np.arange(8) // 4


def users(seed=0, n=3000, k=4):
    rng = np.random.default_rng(seed)
    return rng.integers(k, size=n), rng.integers(8, size=n), draw_media(rng, SIDE)


def test_simulated_delivery_meets_its_expectation():
    segment, cell, media = users(n=200_000)
    counts = count_users(segment, cell, segments=4, cells=8)
    share = np.array([[0.2, 0.3, 0.1], [0, 0, 1.0], [0, 0, 0], [0.5, 0.5, 0]])
    for charge in CHARGES:
        expected = expected_delivery(share, counts, media, charge=charge)
        found = simulate_delivery(share, segment, cell, media, rng=np.random.default_rng(1), charge=charge)
        assert (found.medium >= 0).sum() == pytest.approx(expected["targeted"], rel=0.01)
        assert found.matched.sum() == pytest.approx(expected["matched"], rel=0.01)
        assert found.exposed.sum() == pytest.approx(expected["exposed"], rel=0.01)
        assert found.charge.sum() == pytest.approx(expected["spend"], rel=0.01)
        assert not (found.exposed & ~found.matched).any() and not (found.matched & (found.medium < 0)).any()
        assert (found.medium[segment == 2] == -1).all() and (found.medium[segment == 1] == 2).all()
    again = simulate_delivery(share, segment, cell, media, rng=np.random.default_rng(1))
    assert np.array_equal(again.exposed, found.exposed)
    for wrong, charge, message in ((share * 2, "targeted", "sum to 1"), (share, "seen", "choose from targeted")):
        with pytest.raises(ValueError, match=message):
            simulate_delivery(wrong, segment, cell, media, rng=np.random.default_rng(0), charge=charge)


def test_expected_delivery_by_a_loop_over_users():
    segment, cell, media = users(n=60)
    converts = np.random.default_rng(3).random(60) < 0.4
    share = np.random.default_rng(2).dirichlet(np.ones(4), 4)[:, :3]
    counts = count_users(segment, cell, segments=4, cells=8)
    converters = count_users(segment, cell, segments=4, cells=8, weight=converts)
    sums = dict.fromkeys(("targeted", "matched", "exposed", "spend", "exposed_converters"), 0.0)
    for k, v, y in zip(segment, cell, converts, strict=True):
        for m in range(3):
            a, mu, eps = share[k, m], media.match[v, m], media.expose[v, m]
            sums["targeted"] += a
            sums["matched"] += a * mu
            sums["exposed"] += a * mu * eps
            sums["spend"] += a * media.price[m] * mu
            sums["exposed_converters"] += y * a * mu * eps
    found = expected_delivery(share, counts, media, charge="matched", converters=converters)
    assert {name: found[name] for name in sums} == pytest.approx(sums)
    assert found["match_rate"] == pytest.approx(sums["matched"] / sums["targeted"])
    assert found["exposed_of_targeted"] == pytest.approx(sums["exposed"] / sums["targeted"])
    assert found["exposure_rate"] == pytest.approx(sums["exposed"] / 60)
    assert found["spend_per_exposed"] == pytest.approx(sums["spend"] / sums["exposed"])
    assert found["converters_per_money"] == pytest.approx(sums["exposed_converters"] / sums["spend"])
    nothing = expected_delivery(np.zeros((4, 3)), counts, media)
    assert nothing["exposed"] == 0 and np.isnan(nothing["match_rate"]) and nothing["exposure_rate"] == 0


def test_plan_funnel_and_cells_tell_one_story():
    segment, cell, media = users()
    counts = count_users(segment, cell, segments=4, cells=8)
    budget = 0.4 * full_price(counts, media)
    totals = segment_totals(counts, media)
    plan = allocate(totals, budget)
    report = expected_delivery(plan.share, counts, media)
    assert report["exposed"] == pytest.approx(plan.gain) and report["spend"] == pytest.approx(plan.spend)
    table = funnel(counts, media, converters=counts * 0.1, share=plan.share)
    sums = table.groupby("stage")["users"].sum()
    assert [sums[stage] for stage in STAGES[:3]] == pytest.approx([report[stage] for stage in STAGES[:3]])
    assert sums["converters"] == pytest.approx(0.1 * report["exposed"]) and len(table) == 4 * 3 * 4
    full = funnel(counts, media, converters=counts)
    wide = full.pivot_table(index=["segment", "medium"], columns="stage", values="users")
    assert np.allclose(wide["exposed"], totals.gain.ravel()) and (wide["matched"] <= wide["targeted"]).all()
    by_cell = exposure_by_cell(plan.share, counts, media)
    assert (by_cell * counts.sum(axis=0)).sum() == pytest.approx(plan.gain)
    counts[:, 3] = 0
    assert np.isnan(exposure_by_cell(plan.share, counts, media)[3])


def test_bands_are_paired_over_methods_and_hold_their_share():
    counts = np.ones((2, 8))

    def one(media):
        return {"exposed": expected_delivery(np.eye(2, 3), counts, media)["exposed"], "best": media.match.max()}

    first, again = (over_media(one, SIDE, draws=40, seed=5) for _ in range(2))
    assert first.equals(again) and first["draw"].tolist() == list(range(40))
    assert over_media(one, SIDE, draws=3, seed=5).equals(first.head(3))
    assert not over_media(one, SIDE, draws=3, seed=6).equals(first.head(3))
    assert not over_media(one, SIDE, draws=3, seed=5, contrast=0.0).equals(first.head(3))
    found = band(first).set_index("measure")
    inside = first["exposed"].between(found.loc["exposed", "low"], found.loc["exposed", "high"])
    assert inside.mean() == pytest.approx(0.9) and found.loc["exposed", "median"] == first["exposed"].median()
    both = band(pd.concat([first.assign(method=name) for name in "ab"]), by=["method"])
    assert list(both.columns) == ["method", "measure", "median", "low", "high"] and len(both) == 4
    for wrong in (lambda: over_media(one, SIDE, draws=0), lambda: band(first, level=1.0)):
        with pytest.raises(ValueError, match="give a"):
            wrong()


@given(st.integers(0, 5000), st.sampled_from([0.1, 0.5, 1.0, 1.7, 50.0]))
@settings(max_examples=50, deadline=None)
def test_lookalike_invariants(seed, reach):
    counts = np.random.default_rng(seed).integers(0, 6, size=(3, 5)).astype(float)
    found = lookalike(counts, reach=reach)
    everybody, own = counts.sum(), counts.sum(axis=1)
    assert ((found.share >= 0) & (found.share <= 1)).all()
    assert np.allclose(found.size, np.minimum(reach * own, everybody * (own > 0)))
    asked = own > 0
    assert (found.precision[asked] >= own[asked] / everybody - 1e-12).all()  # never worse than everybody at random
    assert np.allclose(found.waste[asked] + found.precision[asked], 1)
    assert np.allclose(found.recall[asked], (found.members / np.where(asked, own, 1))[asked])
    assert np.isnan(found.precision[~asked]).all()


def test_no_audience_of_this_size_has_more_members():
    counts = np.random.default_rng(7).integers(1, 9, size=(3, 6)).astype(float)
    users, found = counts.sum(axis=0), lookalike(counts)
    for k in range(3):
        best = 0.0
        for subset in itertools.product((0, 1), repeat=6):  # whole cells, one more in part
            chosen = np.array(subset, dtype=float)
            left = counts[k].sum() - chosen @ users
            if left < 0:
                continue
            part = max((min(1.0, left / users[v]) * counts[k, v] for v in range(6) if not subset[v]), default=0.0)
            best = max(best, chosen @ counts[k] + part)
        assert found.members[k] == pytest.approx(best)


def test_waste_costs_money_and_gains_nothing():
    rng = np.random.default_rng(8)
    media = Media(rng.random((6, 2)), rng.random((6, 2)), np.array([1.0, 0.5]))
    counts, value = rng.integers(1, 9, size=(3, 6)).astype(float), np.array([1.0, 2.0, 0.5])
    found = lookalike(counts, reach=0.7)
    totals = lookalike_totals(found, media, value=value)
    for k in range(3):
        for m in range(2):
            members = sum(found.share[k, v] * counts[k, v] * media.exposure[v, m] for v in range(6))
            money = sum(found.share[k, v] * counts[:, v].sum() * media.price[m] for v in range(6))
            assert totals.gain[k, m] == pytest.approx(value[k] * members) and totals.cost[k, m] == pytest.approx(money)
    # Segments that are unions of cells are delivered without waste, exactly as with identifiers.
    pure = np.array([[3.0, 2, 0, 0, 0, 0], [0, 0, 4, 1, 0, 0], [0, 0, 0, 0, 2, 5]])
    exact, direct = lookalike_totals(lookalike(pure), media), segment_totals(pure, media)
    assert np.allclose(exact.gain, direct.gain) and np.allclose(exact.cost, direct.cost)
    assert np.allclose(lookalike(pure).waste, 0) and np.allclose(lookalike(pure).recall, 1)
    assert np.allclose(audience_description(pure)[0], [0.6, 0.4, 0, 0, 0, 0])
    # Segments that say nothing about cells: an audience is a sample of everybody.
    mixed = np.outer([1.0, 3.0], np.arange(1.0, 7))
    assert np.allclose(lookalike(mixed).precision, [0.25, 0.75])
    with pytest.raises(ValueError, match="at least 0"):
        lookalike(-counts)
