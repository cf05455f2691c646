from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.bslb.bslb import bslb, default_subset_size, exploration_length
from lib.bslb.environments import make_environment, soft_sparse_environment
from lib.bslb.policy import Run, best_arm, best_available
from lib.bslb.subset import good_subset


def small(arms=80, d=12, k=2, sigma=0.1, replicates=3, seed=0):
    return soft_sparse_environment(arms=arms, d=d, k=k, sigma=sigma, replicates=replicates, seed=seed)


@pytest.mark.parametrize(
    ("k", "T", "version", "c_e", "expected"),
    [
        (8, 1000, "v1", 1.0, 200),
        (8, 1000, "v2", 1.0, 400),
        (8, 1000, "v1", 2.0, 400),
        (1, 8, "v1", 0.5, 5),  # below the lower clip
        (64, 64, "v2", 1.0, 57),  # 0.9 T, rounded down
        (3, 4, "v1", 1.0, 3),  # 0.9 T wins over the lower clip
        (1, 1, "v1", 1.0, 1),
    ],
)
def test_exploration_length(k, T, version, c_e, expected):
    assert exploration_length(k, T, version=version, c_e=c_e) == expected


@given(st.integers(1, 400), st.integers(6, 5000), st.sampled_from(["v1", "v2"]), st.floats(0.1, 5))
def test_exploration_length_stays_in_its_clip_and_v1_is_never_longer(k, T, version, c_e):
    length = exploration_length(k, T, version=version, c_e=c_e)
    assert 5 <= length <= 0.9 * T or length == int(0.9 * T)
    assert exploration_length(k, T, version="v1", c_e=c_e) <= exploration_length(k, T, version="v2", c_e=c_e)


def test_default_subset_never_falls_below_the_exploration():
    assert default_subset_size(1000, 20, 30) == 60
    assert default_subset_size(40, 20, 30) == 40
    assert default_subset_size(1000, 20, 90) == 90


def test_without_noise_the_exploit_pulls_the_best_arms_left_also_those_of_the_subset():
    env = small(sigma=0.0)
    design = good_subset(env.arms, 60, iterations=20, rng=np.random.default_rng(0))
    run = bslb(env, 50, 2, seed=0, exploration=30, design=design)
    from_subset = 0
    for s in range(3):
        explored, exploited = run.order[s, :30], run.order[s, 30:]
        assert set(explored) <= set(design.subset)
        left = np.setdiff1d(np.arange(80), explored)
        assert set(exploited) == set(left[np.argsort(-env.means[s, left])][:20])
        from_subset += np.isin(exploited, design.subset).sum()
    assert from_subset > 0


def test_exploration_draws_uniformly_from_the_whole_pool_if_asked():
    env = make_environment(np.eye(6), np.zeros((600, 6)), sigma=1.0, seed=0)
    run = bslb(env, 4, 1, seed=0, explore="uniform", exploration=3)
    counts = np.bincount(run.order[:, 0], minlength=6)
    assert counts.min() > 60  # 100 expected, standard deviation 9


def test_the_same_exploration_with_another_estimator_changes_only_the_exploit():
    env = small()
    lasso, ridge = (bslb(env, 40, 2, seed=1, iterations=5, estimator=name) for name in ("lasso", "ridge"))
    np.testing.assert_array_equal(lasso.order[:, : lasso.explored], ridge.order[:, : ridge.explored])
    assert (lasso.order != ridge.order).any()


def test_refit_uses_the_rewards_of_the_exploit():
    env = small(sigma=0.5)
    once = bslb(env, 60, 2, seed=0, explore="uniform", exploration=10)
    often = bslb(env, 60, 2, seed=0, explore="uniform", exploration=10, refit=10)
    np.testing.assert_array_equal(once.order[:, :20], often.order[:, :20])
    assert (once.order[:, 20:] != often.order[:, 20:]).any()


def test_intercept_makes_the_order_invariant_to_the_level_of_the_rewards():
    env = small()
    shifted = replace(env, means=env.means + 3.0, rewards=env.rewards + 3.0)
    runs = [bslb(e, 40, 2, seed=0, explore="uniform", exploration=25, intercept=True) for e in (env, shifted)]
    np.testing.assert_array_equal(runs[0].order, runs[1].order)


def test_unknown_sigma_is_estimated():
    env = replace(small(arms=300, d=20, sigma=0.2), sigma=None)
    run = bslb(env, 150, 2, seed=0, exploration=100, iterations=5)
    assert np.abs(run.estimate - env.theta).sum(axis=1).max() < 0.6


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"T": 81}, "blocking"),
        ({"T": 0}, "blocking"),
        ({"k": 13}, "dimension"),
        ({"k": 0}, "dimension"),
        ({"explore": "all"}, "explore"),
        ({"estimator": "ols"}, "estimator"),
        ({"version": "v3"}, "version"),
        ({"exploration": 41}, "exploration"),
        ({"c_e": 0.0}, "positive"),
    ],
)
def test_bad_options_are_refused(options, word):
    arguments = {"T": 40, "k": 2, "seed": 0, "iterations": 2, **options}
    with pytest.raises(ValueError, match=word):
        bslb(small(), arguments.pop("T"), arguments.pop("k"), **arguments)


def test_a_design_too_small_for_the_exploration_is_refused():
    env = small()
    design = good_subset(env.arms, 12, iterations=2, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="raise u"):
        bslb(env, 40, 2, seed=0, exploration=20, design=design)


def test_a_run_with_a_repeated_arm_cannot_be_built():
    with pytest.raises(RuntimeError, match="twice"):
        Run(np.array([[0, 1, 0]]), 0)


def test_best_available_skips_pulled_arms_and_breaks_ties_at_random():
    scores = np.array([5.0, 4.0, 4.0, 4.0, 1.0])
    firsts = {tuple(best_available(scores, [0], 2, np.random.default_rng(seed))) for seed in range(60)}
    assert {arm for pair in firsts for arm in pair} == {1, 2, 3} and len(firsts) == 6
    np.testing.assert_array_equal(scores, [5, 4, 4, 4, 1])
    assert {best_arm(scores[1:4], np.random.default_rng(seed)) for seed in range(40)} == {0, 1, 2}
