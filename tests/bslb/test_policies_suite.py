"""One suite for every bandit policy: blocking, determinism, equivariance, refusal of bad input."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.bslb.corral import corral
from lib.bslb.environments import Environment, soft_sparse_environment
from lib.bslb.experiments.methods import METHODS, PoolDesigns, longest_exploration
from lib.bslb.metrics import final_regret, regret_curve

POLICIES = {
    **METHODS,
    "C-BSLB": lambda env, T, k, seed, designs: corral(env, T, ks=(1, k), seed=seed, design=designs.subset),
}
NEEDS_K = [name for name in POLICIES if "BSLB" in name or "ETC" in name or "ESTC" in name]
EXACT = ["oracle", "LinUCB (alpha=1)"]  # no ties and no random draws


def environment(arms=60, d=8, k=2, replicates=3, seed=0):
    return soft_sparse_environment(arms=arms, d=d, k=k, sigma=0.2, replicates=replicates, seed=seed)


def play(name, env, T, k=2, seed=0):
    designs = PoolDesigns(env.arms, min(longest_exploration((k, 1), T), len(env.arms)), 0, 3)
    return POLICIES[name](env, T, k, seed, designs)


def permuted(env: Environment, order: np.ndarray) -> Environment:
    return replace(env, arms=env.arms[order], means=env.means[:, order], rewards=env.rewards[:, order])


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(T=st.integers(4, 40), arms=st.integers(40, 90), seed=st.integers(0, 99), k=st.integers(1, 4))
def test_pulls_distinct_arms_and_never_beats_the_benchmark(name, T, arms, seed, k):
    env = environment(arms=arms, k=k, seed=seed)
    run = play(name, env, T, k=k, seed=seed)
    assert run.order.shape == (3, T) and run.order.min() >= 0 and run.order.max() < arms
    assert all(len(set(row)) == T for row in run.order.tolist())
    assert regret_curve(env, run).min() >= -1e-9
    assert 0 <= run.explored <= T


@pytest.mark.parametrize("name", POLICIES)
def test_may_pull_the_whole_pool_and_then_has_no_regret(name):
    env = environment(arms=30)
    np.testing.assert_allclose(final_regret(env, play(name, env, 30)), 0, atol=1e-9)


@pytest.mark.parametrize("name", POLICIES)
def test_same_seed_same_order_and_replicates_do_not_depend_on_each_other(name):
    env = environment()
    run = play(name, env, 25, seed=5)
    np.testing.assert_array_equal(run.order, play(name, env, 25, seed=5).order)
    first = replace(env, means=env.means[:1], rewards=env.rewards[:1], theta=env.theta[:1])
    if name != "ESTC":  # takes the reward bound over all replicates as known
        np.testing.assert_array_equal(run.order[:1], play(name, first, 25, seed=5).order)
    if name not in EXACT:
        assert (run.order != play(name, env, 25, seed=6).order).any()


@pytest.mark.parametrize("name", EXACT)
def test_permuting_the_arms_permutes_the_pulls(name):
    env, order = environment(), np.random.default_rng(3).permutation(60)
    np.testing.assert_array_equal(order[play(name, permuted(env, order), 25).order], play(name, env, 25).order)


@pytest.mark.parametrize("name", [name for name in POLICIES if name not in EXACT])
def test_permuting_the_arms_leaves_the_law_of_the_regret(name):
    env, order = environment(replicates=150), np.random.default_rng(3).permutation(60)
    one = final_regret(env, play(name, env, 25))
    other = final_regret(permuted(env, order), play(name, permuted(env, order), 25))
    spread = np.sqrt((one.var() + other.var()) / len(one))
    assert abs(one.mean() - other.mean()) < 4.5 * spread


@pytest.mark.parametrize("name", POLICIES)
def test_more_pulls_than_arms_are_refused(name):
    env = environment(arms=30)
    designs = PoolDesigns(env.arms, 25, 0, 3)
    with pytest.raises(ValueError, match="blocking"):
        POLICIES[name](env, 31, 2, 0, designs)


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_arms_or_rewards_that_are_not_finite_are_refused(name, value):
    env = environment()
    designs = PoolDesigns(env.arms, 25, 0, 3)
    arms, rewards = env.arms.copy(), env.rewards.copy()
    arms[3, 1], rewards[0, 4] = value, value
    for broken in (replace(env, arms=arms), replace(env, rewards=rewards)):
        with pytest.raises(ValueError, match="finite"):
            POLICIES[name](broken, 20, 2, 0, designs)


@pytest.mark.parametrize("name", NEEDS_K)
@pytest.mark.parametrize("k", [0, 9])
def test_sparsity_outside_the_dimension_is_refused(name, k):
    env = environment()
    designs = PoolDesigns(env.arms, 25, 0, 3)
    with pytest.raises(ValueError, match=r"k = |k=|positive"):
        POLICIES[name](env, 20, k, 0, designs)
