import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.bslb.pools import clustered_arms
from lib.bslb.rounding import poisson_subset, repair, round_design, subset_lambda_min
from lib.bslb.subset import good_subset

ARMS = clustered_arms(60, 5, np.random.default_rng(0))


@st.composite
def capped_weights(draw):
    count = draw(st.integers(2, 40))
    u = draw(st.integers(1, count))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    mu = np.full(count, 1 / count)
    for _ in range(draw(st.integers(0, 5))):  # mixtures of vertices stay inside the cap
        mu *= 0.5
        mu[rng.choice(count, size=u, replace=False)] += 0.5 / u
    return mu, u, rng


@given(capped_weights())
def test_repair_gives_exactly_u_distinct_arms(case):
    mu, u, rng = case
    chosen = poisson_subset(mu, u, rng)
    subset = repair(chosen, mu, u, rng)
    assert len(subset) == u == len(set(subset.tolist()))
    kept = np.intersect1d(chosen, subset)
    assert len(kept) == min(len(chosen), u)


def test_poisson_expectation_identity():
    u, draws = 15, 4000
    mu = good_subset(ARMS, u, rng=np.random.default_rng(0)).mu
    rng = np.random.default_rng(1)
    outer = np.einsum("mi,mj->mij", ARMS, ARMS)
    samples = np.array([outer[poisson_subset(mu, u, rng)].sum(axis=0) / u for _ in range(draws)])
    error = samples.mean(axis=0) - np.einsum("m,mij->ij", mu, outer)
    standard = samples.std(axis=0) / np.sqrt(draws)
    assert (np.abs(error) < 5 * standard + 1e-12).all()


def test_arms_at_the_cap_are_always_in_and_weightless_arms_never():
    mu = np.array([0.25, 0.25, 0.25, 0.125, 0.125, 0.0])
    rng = np.random.default_rng(0)
    for _ in range(200):
        chosen = poisson_subset(mu, 4, rng)
        assert {0, 1, 2} <= set(chosen) and 5 not in chosen
        assert 5 not in repair(chosen, mu, 4, rng)


def test_repair_adds_weightless_arms_only_when_it_must():
    assert list(repair(np.array([0]), np.array([1 / 3, 1 / 3, 1 / 3, 0.0]), 4, np.random.default_rng(0))) == [
        0,
        1,
        2,
        3,
    ]


def test_more_draws_never_hurt():
    mu = good_subset(ARMS, 8, rng=np.random.default_rng(0)).mu
    values = [round_design(ARMS, mu, 8, draws=n, rng=np.random.default_rng(3))[1] for n in (1, 5, 25)]
    assert values == sorted(values) and values[0] < values[-1]


def test_value_of_a_subset():
    assert subset_lambda_min(np.diag([2.0, 1.0, 1.0])[:, :2], np.array([0, 1])) == pytest.approx(0.5)
    assert subset_lambda_min(np.ones((3, 2)), np.array([0, 1, 2])) == pytest.approx(0.0, abs=1e-12)


def test_bad_weights_and_draws_are_refused():
    with pytest.raises(ValueError, match="lower u"):
        poisson_subset(np.array([0.9, 0.1]), 2, np.random.default_rng(0))
    with pytest.raises(ValueError, match="draws"):
        round_design(ARMS, np.full(60, 1 / 60), 8, draws=0, rng=np.random.default_rng(0))
