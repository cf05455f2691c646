from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from lib.bslb.bslb import bslb
from lib.bslb.corral import _Span, corral, log_barrier_step
from lib.bslb.environments import soft_sparse_environment
from lib.bslb.metrics import final_regret
from lib.bslb.policy import best_available
from lib.bslb.regression import estimate


def test_two_arm_step_has_a_closed_form():
    # 1/(2.5 - y) + 1/(2 - y) = 1 with y = x/2 gives y^2 - 2.5 y + 0.5 = 0.
    y = (2.5 - np.sqrt(2.5**2 - 2)) / 2
    expected = [1 / (2.5 - y), 1 / (2 - y)]
    np.testing.assert_allclose(log_barrier_step([0.5, 0.5], [1, 0], 0.5), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("p", "loss", "eta", "expected"),
    [
        ([0.5, 0.5], [1, 0], 0.5, [0.438447, 0.561553]),
        ([0.25] * 4, [2, 0, 0, 0], 0.1, [0.240858, 0.253047, 0.253047, 0.253047]),
        ([0.7, 0.2, 0.1], [0, 5, 0], 0.2, [0.731022, 0.168368, 0.100610]),
    ],
)
def test_golden_steps(p, loss, eta, expected):
    np.testing.assert_allclose(log_barrier_step(p, loss, eta), expected, atol=1e-6)


weights = st.lists(st.floats(1e-4, 1.0), min_size=1, max_size=6)


@given(weights, st.data())
def test_step_stays_in_the_simplex_and_solves_its_equation(raw, data):
    p = np.array(raw) / np.sum(raw)
    loss = np.array(data.draw(st.lists(st.floats(0, 1e4), min_size=len(p), max_size=len(p))))
    eta = np.array(data.draw(st.lists(st.floats(1e-3, 5), min_size=len(p), max_size=len(p))))
    new = log_barrier_step(p, loss, eta)
    assert (new > 0).all() and abs(new.sum() - 1) < 1e-9
    # First-order condition: (1/new - 1/p) / eta = loss - x with one x for all.
    x = loss - (1 / new - 1 / p) / eta
    assert np.ptp(x) <= 1e-6 * (1 + np.abs(loss).max() + (1 / (eta * new)).max())


@given(st.integers(0, 10_000))
def test_step_agrees_with_a_root_finder(seed):
    rng = np.random.default_rng(seed)
    p, loss, eta = rng.dirichlet(np.ones(4)) * 0.96 + 0.01, rng.exponential(3, 4), rng.uniform(0.05, 1)
    gap = lambda x: (1 / (1 / p + eta * (loss - x))).sum() - 1  # noqa: E731
    top = min(loss.max(), (loss + 1 / (eta * p)).min() - 1e-12)
    x = brentq(gap, loss.min(), top, xtol=1e-13)
    np.testing.assert_allclose(log_barrier_step(p, loss, eta), 1 / (1 / p + eta * (loss - x)), atol=1e-8)


def test_step_works_on_rows_at_once_and_equal_losses_change_nothing():
    p = np.array([[0.2, 0.8], [0.6, 0.4]])
    loss = np.array([[3.0, 0.0], [1.0, 1.0]])
    both = log_barrier_step(p, loss, 0.3)
    np.testing.assert_allclose(both[0], log_barrier_step(p[0], loss[0], 0.3), rtol=1e-12)
    np.testing.assert_allclose(both[1], p[1], rtol=1e-12)


@pytest.mark.parametrize(
    ("p", "loss", "eta"),
    [([0.5, 0.6], [0, 1], 0.1), ([1.0, 0.0], [0, 1], 0.1), ([0.5, 0.5], [0, np.inf], 0.1), ([0.5, 0.5], [0, 1], 0)],
)
def test_step_refuses_what_is_no_distribution_loss_or_rate(p, loss, eta):
    with pytest.raises(ValueError, match="weights"):
        log_barrier_step(p, loss, eta)


def small(replicates=3):
    return soft_sparse_environment(arms=120, d=15, k=2, sigma=0.1, replicates=replicates, seed=0)


@pytest.mark.parametrize("share", ["all", "private"])
def test_weights_are_probabilities_mixed_with_uniform_and_start_uniform(share):
    run = corral(small(), 60, ks=(1, 2, 8), seed=0, share=share, iterations=5)
    assert run.weights.shape == (3, 60, 3) and run.chosen.shape == (3, 60)
    np.testing.assert_allclose(run.weights.sum(axis=2), 1, atol=1e-9)
    assert run.weights.min() >= 1 / 60 / 3 - 1e-12
    np.testing.assert_allclose(run.weights[:, 0], 1 / 3)
    assert np.ptp(run.weights[:, -1]) > 0.05


def test_a_single_base_is_bslb_in_sequence():
    env = small()
    run = corral(env, 60, ks=(2,), seed=0, c_e=1.0, iterations=5)
    n = run.explorations[0]
    np.testing.assert_allclose(run.weights, 1)
    for s in range(3):
        seen = run.order[s, :n]
        theta = estimate(env.arms[seen], env.rewards[s, seen], sigma=env.sigma)
        expected = best_available(env.arms @ theta, seen, 60 - n, np.random.default_rng(0))
        np.testing.assert_array_equal(run.order[s, n:], expected)


def test_shared_observations_reach_bases_that_were_not_chosen():
    env = small(replicates=30)
    shared = corral(env, 80, ks=(1, 8), seed=0, share="all", iterations=5)
    private = corral(env, 80, ks=(1, 8), seed=0, share="private", iterations=5)
    assert final_regret(env, shared).mean() < 0.9 * final_regret(env, private).mean()


def test_shared_corral_is_no_worse_than_its_worst_base():
    env = small(replicates=30)
    run = corral(env, 80, ks=(1, 8), seed=0, iterations=5)
    bases = [final_regret(env, bslb(env, 80, k, c_e=2.0, seed=0, iterations=5)).mean() for k in (1, 8)]
    assert final_regret(env, run).mean() < max(bases)


def test_losses_are_scaled_by_the_rewards_observed_so_far_or_by_the_stated_range():
    span = _Span.start(1, None)
    losses = [span.losses(np.array([reward]))[0] for reward in (2.0, 4.0, 3.0, 0.0, 3.0)]
    np.testing.assert_allclose(losses, [0.5, 0.0, 0.5, 1.0, 0.25])
    np.testing.assert_allclose(_Span.start(3, (-1.0, 3.0)).losses(np.array([-9.0, 2.0, 9.0])), [1, 0.25, 0])


def test_corral_never_reads_the_expected_rewards():
    env = small()
    blind = replace(env, means=np.full_like(env.means, np.nan))
    run, same = (corral(e, 40, ks=(1, 4), seed=0, iterations=3) for e in (env, blind))
    np.testing.assert_array_equal(run.order, same.order)
    np.testing.assert_array_equal(run.weights, same.weights)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"T": 121}, "blocking"),
        ({"T": 2}, "T >= 3"),
        ({"ks": ()}, "empty"),
        ({"ks": (1, 16)}, "dimension"),
        ({"share": "some"}, "share"),
        ({"eta": 0.0}, "eta"),
        ({"reward_range": (1.0, 1.0)}, "reward_range"),
    ],
)
def test_corral_refuses_bad_options(options, word):
    arguments = {"T": 20, "seed": 0, "ks": (1, 2), "iterations": 2, **options}
    with pytest.raises(ValueError, match=word):
        corral(small(), arguments.pop("T"), **arguments)
