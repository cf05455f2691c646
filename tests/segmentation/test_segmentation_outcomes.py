"""Measures of segments against sums over users, and baselines against peers and obvious cases."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import roc_auc_score

from lib.segmentation.baselines import METHODS, ORACLES, baseline, deep
from lib.segmentation.baselines.clustering import page_features, rfm_features
from lib.segmentation.baselines.deep import sharpened, soft_assignment
from lib.segmentation.experiments.benches import benches
from lib.segmentation.experiments.comparison import split_afterwards
from lib.segmentation.media import full_price
from lib.segmentation.outcomes import Segments, Terms, curve, deliver, delivery, observed_rates, predictive
from lib.segmentation.users import Users


@pytest.fixture(scope="module")
def bench():
    return benches([4], train=400, test=500)[0]


@pytest.fixture(scope="module")
def found(bench):
    return baseline("k-means on pages", bench.train, bench.test, segments=5, seed=0)


@pytest.mark.parametrize("charge", ["targeted", "matched", "exposed"])
def test_delivery_is_a_sum_over_users(bench, found, charge):
    terms = Terms(0.2, charge)
    measured, (plan, _) = (
        delivery(bench.test, found, bench.media, terms),
        deliver(bench.test, found, bench.media, terms),
    )
    users, share = bench.test, plan.share[found.test]
    match, seen = bench.media.match[users.cell], bench.media.exposure[users.cell]
    targeted, exposed = share.sum(), (share * seen).sum()
    assert measured["match_rate"] == pytest.approx((share * match).sum() / targeted)
    assert measured["exposure_rate"] == pytest.approx(exposed / targeted)
    assert measured["exposed"] == pytest.approx(exposed * 1000 / len(users))
    assert measured["converters"] == pytest.approx((users.outcome[:, None] * share * seen).sum() * 1000 / len(users))
    spend = (share * bench.media.charge(charge)[users.cell]).sum()
    assert measured["spend_per_exposed"] == pytest.approx(spend / exposed)
    assert measured["spent"] == pytest.approx(spend / (0.2 * full_price(len(users), bench.media)))
    assert measured["spent"] <= 1 + 1e-9
    by_cell = np.bincount(users.cell, weights=(share * seen).sum(axis=1), minlength=8)
    assert measured["concentration"] == pytest.approx(by_cell.max() / exposed)
    valued, _ = deliver(bench.test, found, bench.media, terms, valued=True)
    worth = (found.rates[found.test][:, None] * seen * valued.share[found.test]).sum()
    assert valued.gain == pytest.approx(worth) and measured["valued_exposed"] <= measured["exposed"] + 1e-9


def test_prediction_by_hand():
    users = Users(np.ones((4, 1, 1), int), np.zeros(4, int), np.array([0, 1, 0, 1]), 1, 1)
    found = predictive(users, Segments(np.array([0, 0, 1, 1]), np.array([0.2, 0.6])))
    assert found["auc"] == 0.5 and found["entropy"] == pytest.approx(np.log(2)) and found["used"] == 2
    assert "ari_side" not in found
    sure = predictive(users, Segments(np.array([0, 1, 0, 1]), np.array([0.2, 0.6, 0.9])))
    assert sure["auc"] == sure["auprc"] == 1 and sure["entropy"] == pytest.approx(0, abs=1e-9)


def test_rates_are_drawn_to_the_mean():
    rates = observed_rates(np.array([0, 0, 0, 1]), np.array([1, 1, 0, 0]), 3)
    assert rates.tolist() == pytest.approx([(2 + 0.5) / 4, 0.5 / 2, 0.5])


def test_the_budget_for_its_own_exposures_is_the_budget(bench, found):
    terms = Terms()
    reach = deliver(bench.test, found, bench.media, terms)[0].gain
    needed = curve(bench.test, found, bench.media, terms).budget_for(reach)
    assert needed == pytest.approx(terms.budget_fraction * full_price(len(bench.test), bench.media))


@pytest.fixture
def hasty(monkeypatch):
    """Deep baselines with few steps, and none that was trained before."""
    monkeypatch.setattr(deep, "STEPS_CODE", 30)
    monkeypatch.setattr(deep, "STEPS_CLUSTER", 25)
    deep.autoencoder.cache_clear()
    yield
    deep.autoencoder.cache_clear()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("name", [*METHODS, *ORACLES])
def test_every_baseline_labels_test_users(bench, name):
    one = baseline(name, bench.train, bench.test, segments=5, seed=1)
    again = baseline(name, bench.train, bench.test, segments=5, seed=1)
    assert one.test.shape == (500,) and one.test.min() >= 0 and one.test.max() < len(one.rates)
    assert (one.test == again.test).all() and ((one.rates > 0) & (one.rates < 1)).all()
    blind = bench.test.__class__(bench.test.pages, bench.test.cell, 1 - bench.test.outcome, 24, 8, bench.test.truth)
    assert (baseline(name, bench.train, blind, segments=5, seed=1).test == one.test).all()  # no peeking


def test_baselines_keep_to_their_inputs(bench):
    k = baseline("k-means on pages", bench.train, bench.test, segments=5, seed=0)
    peer = KMeans(5, n_init=4, random_state=0).fit(page_features(bench.train)).predict(page_features(bench.test))
    assert (k.test == peer).all()
    static = baseline("static cells", bench.train, bench.test, segments=8, seed=0)
    assert (static.test == bench.test.cell).all()
    level = baseline("oracle: level", bench.train, bench.test, segments=8, seed=0)
    score = np.array([0.02, 0.08, 0.22, 0.5])[bench.test.truth["level"]]
    assert predictive(bench.test, level)["auc"] == pytest.approx(roc_auc_score(bench.test.outcome, score), abs=0.02)


def test_rfm_by_hand():
    pages = np.array([[[1, 2, 0], [3, 0, 0]], [[1, 1, 1], [0, 0, 0]]])
    users = Users(pages, np.zeros(2, int), np.zeros(2, int), 3, 1)
    assert rfm_features(users).tolist() == [[1, 2, 1.5], [3, 1, 3]]


def test_embedded_clustering_equations():
    z, centres = torch.tensor([[0.0, 0.0], [3.0, 4.0]]), torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    q = soft_assignment(z, centres)
    a, b = torch.tensor([1.0, 1 / 2]), torch.tensor([1 / 26, 1 / 19])
    assert torch.allclose(q, torch.stack([a / a.sum(), b / b.sum()]), atol=1e-6)
    p = sharpened(q)
    wanted = q**2 / q.sum(0)
    assert torch.allclose(p, wanted / wanted.sum(1, keepdim=True)) and torch.allclose(p.sum(1), torch.ones(2))


def test_the_post_hoc_split_exposes_more_with_as_many_segments(bench, found):
    terms, eight = Terms(), baseline("k-means on pages", bench.train, bench.test, segments=8, seed=0)
    cut = split_afterwards(bench, eight, terms)
    assert len(cut.rates) <= 8 and len(np.unique(cut.rates)) <= 4
    before, after = (deliver(bench.test, one, bench.media, terms)[0].gain for one in (eight, cut))
    assert after > before


def test_unknown_methods_are_refused(bench):
    with pytest.raises(ValueError, match="RFM"):
        baseline("rfm", bench.train, bench.test, segments=5, seed=0)
    real = Users(bench.train.pages, bench.train.cell, bench.train.outcome, 24, 8)
    with pytest.raises(ValueError, match="generated"):
        baseline("oracle: level", real, real, segments=5, seed=0)
