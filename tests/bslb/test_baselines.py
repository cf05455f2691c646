from dataclasses import replace

import numpy as np
import pytest

from lib.bslb.baselines.estc import _sample_without_repeats, estc, estc_length, spread_design
from lib.bslb.baselines.explore_commit import popart_etc, ridge_etc, uniform_etc
from lib.bslb.baselines.greedy_lasso import greedy_lasso
from lib.bslb.baselines.lints import _posterior_noise, lints
from lib.bslb.baselines.linucb import linucb
from lib.bslb.baselines.oracle import oracle
from lib.bslb.baselines.posterior import Posterior
from lib.bslb.baselines.random import random_pulls
from lib.bslb.baselines.thresholded_lasso import fit_thresholded, thresholded_lasso
from lib.bslb.bslb import bslb
from lib.bslb.environments import make_environment, soft_sparse_environment
from lib.bslb.metrics import final_regret


def small(arms=60, d=8, k=2, sigma=0.3, replicates=4, seed=0):
    return soft_sparse_environment(arms=arms, d=d, k=k, sigma=sigma, replicates=replicates, seed=seed)


def naive_linucb(env, s, T, alpha, penalty, first):
    """Ridge from scratch at each round, in double precision."""
    order, d = [int(first)], env.arms.shape[1]
    while len(order) < T:
        X, r = env.arms[order], env.rewards[s, order]
        V = penalty * np.eye(d) + X.T @ X
        theta = np.linalg.inv(V) @ X.T @ r
        index = env.arms @ theta + alpha * np.sqrt(np.einsum("md,de,me->m", env.arms, np.linalg.inv(V), env.arms))
        index[order] = -np.inf
        order.append(int(np.argmax(index)))
    return order


@pytest.mark.parametrize(("alpha", "penalty", "refresh"), [(0.0, 1.0, 100), (0.3, 1.0, 7), (1.0, 0.5, 100)])
def test_linucb_equals_a_naive_implementation(alpha, penalty, refresh):
    env = small()
    run = linucb(env, 40, seed=0, alpha=alpha, penalty=penalty, refresh=refresh)
    for s in range(4):
        assert run.order[s].tolist() == naive_linucb(env, s, 40, alpha, penalty, run.order[s, 0])


def test_linucb_starts_with_the_widest_arm_and_greedy_with_a_random_one():
    env = small(replicates=30)
    assert (linucb(env, 1, seed=0, alpha=1.0).order == np.argmax(np.square(env.arms).sum(axis=1))).all()
    assert len(np.unique(linucb(env, 1, seed=0, alpha=0.0).order)) > 10


def test_linucb_estimate_is_the_ridge_solution_of_all_pulls():
    env = small(arms=300, d=30)
    run = linucb(env, 200, seed=0)
    for s, order in enumerate(run.order):
        X, r = env.arms[order], env.rewards[s, order]
        np.testing.assert_allclose(run.estimate[s], np.linalg.solve(np.eye(30) + X.T @ X, X.T @ r), atol=2e-5)


def test_lints_without_variance_is_greedy_ridge():
    env = small()
    run = lints(env, 40, seed=0, v=0.0)
    for s in range(4):
        assert run.order[s].tolist() == naive_linucb(env, s, 40, 0.0, 1.0, run.order[s, 0])


def test_thompson_draws_have_the_posterior_covariance():
    S, penalty = 40_000, 0.7
    env = make_environment(np.random.default_rng(0).standard_normal((5, 3)), np.zeros((S, 5)), sigma=0.1, seed=0)
    state = Posterior(env, 4, penalty=penalty)
    for arm in (2, 0, 4):
        state.observe(np.full(S, arm))
    stream = np.random.default_rng(1)
    draws = _posterior_noise(state, [stream] * S)
    X = env.arms[[2, 0, 4]]
    np.testing.assert_allclose(np.cov(draws.T), np.linalg.inv(penalty * np.eye(3) + X.T @ X), atol=0.02)
    np.testing.assert_allclose(draws.mean(axis=0), 0, atol=0.03)


def test_refinement_reaches_the_exact_solution_from_a_spoiled_one():
    env = small()
    state = Posterior(env, 20, penalty=1.0)
    for arm in range(20):
        state.observe(np.full(4, arm))
    X = env.arms[:20]
    exact = np.linalg.solve(np.eye(8) + X.T @ X, X.T @ env.rewards[:, :20].T).T
    state.theta = state.theta + 0.01
    state.refine()
    np.testing.assert_allclose(state.theta, exact, atol=1e-6)


def test_spread_design_reaches_the_known_optimum():
    arms = np.array([[1.0, 0], [0, 1], [0, 1], [0, 1]])
    mu, value = spread_design(arms, iterations=200)
    assert value == pytest.approx(0.5, abs=0.005) and mu[0] == pytest.approx(0.5, abs=0.01)
    assert mu.sum() == pytest.approx(1)


def test_spread_design_beats_uniform_weights_on_a_lopsided_pool():
    rng = np.random.default_rng(0)
    arms = rng.standard_normal((200, 6))
    arms[20:, 3:] *= 0.1
    uniform = np.linalg.eigvalsh(arms.T @ arms / 200)[0]
    assert spread_design(arms, iterations=50)[1] > 3 * uniform


def test_sampling_without_repeats_follows_successive_draws():
    mu, rng = np.array([0.5, 0.3, 0.2, 0.0]), np.random.default_rng(0)
    draws = np.array([_sample_without_repeats(mu, 3, rng) for _ in range(8000)])
    np.testing.assert_allclose(np.bincount(draws[:, 0], minlength=4) / 8000, mu, atol=0.025)
    after_first = draws[draws[:, 0] == 0, 1]
    assert np.mean(after_first == 1) == pytest.approx(0.6, abs=0.03)
    assert 3 not in draws


def test_estc_length_is_its_formula_and_scales_as_two_thirds():
    options = {"sigma": 1.0, "bound": 2.0, "c_min": 0.5}
    assert estc_length(3, 1000, 100, **options) == int((2 * 3000**2 * np.log(100)) ** (1 / 3))
    ratio = estc_length(3, 80_000, 100, **options) / estc_length(3, 10_000, 100, **options)
    assert ratio == pytest.approx(4, rel=0.01)
    assert estc_length(10, 100, 100, sigma=9.0, bound=0.1, c_min=0.01) == 90


def test_estc_explores_then_pulls_the_best_arms():
    env = small(sigma=0.0)
    run = estc(env, 40, 2, seed=0, exploration=25)
    for s in range(4):
        left = np.setdiff1d(np.arange(60), run.order[s, :25])
        assert set(run.order[s, 25:]) == set(left[np.argsort(-env.means[s, left])][:15])


def test_estc_penalty_follows_the_scale_of_the_arms():
    env = small(d=8)
    scaled = replace(env, arms=100 * env.arms)
    run, same = (estc(e, 40, 2, seed=0, exploration=25, design=spread_design(env.arms)) for e in (env, scaled))
    np.testing.assert_array_equal(run.order, same.order)
    np.testing.assert_allclose(run.estimate, 100 * same.estimate, rtol=1e-3, atol=1e-6)


def test_thresholded_fit_recovers_a_sparse_parameter_exactly_and_empty_support_gives_zero():
    rng = np.random.default_rng(0)
    X, theta = rng.standard_normal((60, 100)), np.zeros(100)
    theta[[3, 50]] = [2.0, -1.5]
    np.testing.assert_allclose(fit_thresholded(X, X @ theta, lam0=0.02), theta, atol=1e-10)
    np.testing.assert_array_equal(fit_thresholded(X, X @ theta, lam0=10.0), 0)


def test_ablations_are_bslb_with_one_option_changed():
    env, options = small(), {"seed": 1, "iterations": 5, "exploration": 20}
    same = ((uniform_etc, {"explore": "uniform"}), (ridge_etc, {"estimator": "ridge"}))
    for policy, change in (*same, (popart_etc, {"estimator": "popart"})):
        expected = bslb(env, 40, 2, **options, **change)
        np.testing.assert_array_equal(policy(env, 40, 2, **options).order, expected.order)


def test_oracle_has_no_regret_and_random_is_uniform():
    env = small(arms=5, replicates=4000)
    np.testing.assert_array_equal(final_regret(env, oracle(env, 3)), 0)
    order = random_pulls(env, 2, seed=0).order
    counts = np.bincount(order[:, 0] * 5 + order[:, 1], minlength=25).reshape(5, 5)
    assert (np.diag(counts) == 0).all()
    np.testing.assert_allclose(counts[~np.eye(5, dtype=bool)], 200, atol=75)  # 5 standard deviations


def test_greedy_lasso_starts_at_random_and_refits_only_at_its_period():
    env = small()
    flipped = replace(env, rewards=env.rewards.copy())
    base = greedy_lasso(env, 40, seed=0, start=10, refit=10)
    flipped.rewards[0, base.order[0, 15]] += 5.0  # seen only by the fit after 20 pulls
    changed = greedy_lasso(flipped, 40, seed=0, start=10, refit=10)
    np.testing.assert_array_equal(base.order[0, :20], changed.order[0, :20])
    assert (base.order[0, 20:] != changed.order[0, 20:]).any()
    np.testing.assert_array_equal(base.order[1:], changed.order[1:])


@pytest.mark.parametrize(
    ("policy", "options"),
    [
        (linucb, {"alpha": -1.0}),
        (linucb, {"penalty": 0.0}),
        (lints, {"v": -0.1}),
        (greedy_lasso, {"refit": 0}),
        (thresholded_lasso, {"lam0": 0.0}),
    ],
)
def test_bad_options_of_baselines_are_refused(policy, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        policy(small(), 10, seed=0, **options)


def test_estc_refuses_an_exploration_longer_than_the_horizon():
    with pytest.raises(ValueError, match="exploration"):
        estc(small(), 10, 2, seed=0, exploration=11)
