import numpy as np
import pytest

from lib.bslb.environments import (
    anisotropic_environment,
    low_rank_environment,
    make_environment,
    soft_sparse_environment,
    uniform_pool,
)
from lib.bslb.sparsity import relative_tail


def test_soft_sparse_environment_is_linear_with_the_asked_tail_and_noise():
    env = soft_sparse_environment(arms=4000, d=30, k=4, beta=0.5, sigma=0.7, replicates=3, seed=2)
    assert env.arms.shape == (4000, 30) and np.abs(env.arms).max() <= 1
    np.testing.assert_allclose(env.means, env.theta @ env.arms.T)
    np.testing.assert_allclose([relative_tail(theta, 4) for theta in env.theta], 0.5)
    noise = env.rewards - env.means
    np.testing.assert_allclose(noise.std(axis=1), 0.7, rtol=0.06)
    assert np.abs(np.corrcoef(noise) - np.eye(3)).max() < 0.08


@pytest.mark.parametrize("k", [2, 5, 20])
def test_head_keeps_the_reward_variance_constant_in_k(k):
    env = soft_sparse_environment(arms=6000, d=40, k=k, replicates=2, seed=0)
    np.testing.assert_allclose(env.means.std(axis=1), 1 / np.sqrt(3), rtol=0.05)


def test_smaller_pools_are_prefixes_and_a_given_pool_is_used():
    large, small = uniform_pool(50, 6, seed=3), uniform_pool(20, 6, seed=3)
    np.testing.assert_array_equal(large[:20], small)
    given = soft_sparse_environment(arms=small, d=6, k=2, replicates=2, seed=3)
    drawn = soft_sparse_environment(arms=20, d=6, k=2, replicates=2, seed=3)
    np.testing.assert_array_equal(given.rewards, drawn.rewards)


@pytest.mark.parametrize("arms", [1, 49, 50, 51, 120])
def test_blockwise_scores_equal_the_plain_product(arms):
    env = soft_sparse_environment(arms=arms, d=7, k=2, replicates=3, seed=1)
    theta = np.random.default_rng(0).standard_normal((3, 7))
    scores = env.scores(theta)
    assert scores.shape == (3, arms) and scores.dtype == np.float32
    np.testing.assert_allclose(scores, theta @ env.arms.T, atol=1e-5)


def test_anisotropic_minority_alone_sees_the_second_half():
    env = anisotropic_environment(arms=200, d=20, rare=0.25, k=6, shrink=0.05, replicates=2, seed=0)
    wide = np.abs(env.arms[:, 10:]).max(axis=1) > 0.05
    assert wide.sum() == 50
    np.testing.assert_array_equal((env.theta != 0)[:, :10].sum(axis=1), 2)
    np.testing.assert_array_equal((env.theta != 0)[:, 10:].sum(axis=1), 4)
    np.testing.assert_allclose(np.linalg.norm(env.theta, axis=1), 1)


def test_low_rank_ratings_are_bounded_and_of_low_rank_without_noise():
    env = low_rank_environment(arms=80, d=30, rank=3, noise=0.0, replicates=2, seed=0)
    assert np.abs(env.arms).max() == pytest.approx(1)
    assert np.linalg.matrix_rank(env.arms, tol=1e-8) == 3
    heads = np.sort(np.abs(env.theta), axis=1)[:, -5:]
    np.testing.assert_allclose(heads, np.sqrt(5) / 5)


def test_low_rank_user_follows_users_alike():
    env = low_rank_environment(arms=400, d=60, rank=3, k=4, beta=0.0, noise=0.0, replicates=5, seed=1)
    for theta in env.theta:
        friends = np.corrcoef(env.arms[:, theta > 0].T)
        assert friends.mean() > 0.5  # independent users: a quarter, from the diagonal


def test_hidden_sigma_still_adds_noise():
    arms, means = np.eye(3), np.zeros((2, 3))
    env = make_environment(arms, means, sigma=1.0, seed=0, sigma_known=False)
    assert env.sigma is None and np.all(env.rewards != 0)
    assert make_environment(arms, means, sigma=1.0, seed=0).sigma == 1.0


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"arms": np.full((3, 2), np.nan)}, "finite"),
        ({"arms": np.full((3, 2), np.inf)}, "finite"),
        ({"arms": np.zeros(3)}, "one row an arm"),
        ({"means": np.zeros((1, 4))}, "one row a replicate"),
        ({"means": np.full((1, 3), np.inf)}, "finite"),
        ({"sigma": -1.0}, "sigma"),
        ({"sigma": float("nan")}, "sigma"),
        ({"theta": np.zeros((1, 3))}, "theta"),
    ],
)
def test_bad_environments_are_refused_with_the_way_out(change, word):
    good = {"arms": np.zeros((3, 2)), "means": np.zeros((1, 3)), "sigma": 0.1, "theta": np.zeros((1, 2))}
    with pytest.raises(ValueError, match=word):
        make_environment(**{**good, **change}, seed=0) if "arms" not in change else make_environment(
            change["arms"], good["means"], sigma=0.1, seed=0
        )


@pytest.mark.parametrize("options", [{"rare": 1.5}, {"k": 11}, {"k": 0}])
def test_anisotropic_options_are_checked(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        anisotropic_environment(**{"arms": 10, "d": 20, "replicates": 1, "seed": 0, **options})
