import os

import numpy as np
import pandas as pd
import pytest

import lib.data as data
from lib.bslb.environments import make_environment
from lib.bslb.experiments.known_means import compare_bandits
from lib.bslb.experiments.recommendation import recommendation_movielens, recommendation_synthetic
from lib.bslb.figures.recommendation import recommendation_regret
from lib.bslb.recommendation import complete, low_rank_fit, rating_matrix, target_environment, target_user


def needs(name):
    table = data.status()
    absent = table[(table.name == name) & ~table.state.isin(["ok", "derived"])]
    if len(absent):
        mirror = os.environ.get("SCARCE_DATA_MIRROR")
        pytest.skip(f"needs {', '.join(absent.file)}: set SCARCE_DATA_MIRROR to a folder with it (now {mirror})")


def market(users=40, items=90, rank=3, share=0.6, seed=0):
    """Ratings 1-5 of low rank with gaps; user 0 rated everything."""
    rng = np.random.default_rng(seed)
    full = 3 + rng.normal(size=(users, rank)) @ rng.normal(size=(rank, items)) / np.sqrt(rank)
    full = np.clip(full, 1, 5)
    stars = np.where(rng.random(full.shape) < share, full, np.nan)
    stars[0] = full[0]
    return np.arange(users) * 10, np.arange(items) + 500, stars, full


def test_rating_matrix_places_every_rating():
    table = pd.DataFrame({"user_id": [7, 7, 9], "movie_id": [3, 5, 5], "rating": [1.0, 4.5, 2.0]})
    users, items, stars = rating_matrix(table)
    assert users.tolist() == [7, 9] and items.tolist() == [3, 5]
    np.testing.assert_array_equal(stars, [[1.0, 4.5], [np.nan, 2.0]])


def test_low_rank_fit_recovers_hidden_ratings_better_than_means():
    _, _, stars, full = market()
    hidden = np.isnan(stars)
    filled = complete(stars, low_rank_fit(stars, rank=3, shrink=1.0, rounds=100))
    error = np.sqrt(np.mean((filled - full)[hidden] ** 2))
    means = np.broadcast_to(np.nanmean(stars, axis=0), stars.shape)
    assert error < 0.4 * np.sqrt(np.mean((means - full)[hidden] ** 2))


def test_completion_keeps_what_was_observed_and_stays_in_range():
    _, _, stars, _ = market(share=0.2)
    filled = complete(stars, low_rank_fit(stars, rank=3) * 10)
    seen = np.isfinite(stars)
    np.testing.assert_array_equal(filled[seen], stars[seen])
    assert filled.min() >= stars[seen].min() and filled.max() <= stars[seen].max()


@pytest.mark.parametrize(("stars", "rank"), [(np.full((3, 3), np.nan), 1), (np.ones((3, 3)), 4), (np.ones((3, 3)), 0)])
def test_low_rank_fit_refuses_what_it_cannot_do(stars, rank):
    with pytest.raises(ValueError, match="rank"):
        low_rank_fit(stars, rank=rank)


def test_ratings_of_the_target_do_not_leak_into_the_features():
    users, items, stars, _ = market()
    before = target_user(users, items, stars, 0, d=20, rank=3)
    changed = stars.copy()
    changed[0] = np.random.default_rng(1).uniform(1, 5, stars.shape[1])
    after = target_user(users, items, changed, 0, d=20, rank=3)
    np.testing.assert_array_equal(before.arms, after.arms)
    np.testing.assert_array_equal(before.popularity, after.popularity)
    assert before.sigma == after.sigma
    np.testing.assert_array_equal(after.ratings, changed[0])
    other = stars.copy()
    other[1, :5] = 5.0
    assert not np.array_equal(target_user(users, items, other, 0, d=20, rank=3).arms, before.arms)


def test_target_has_its_items_and_the_environment_its_ratings():
    users, items, stars, _ = market()
    target = target_user(users, items, stars, 50, d=10, rank=3)
    rated = np.isfinite(stars[5])
    np.testing.assert_array_equal(target.items, items[rated])
    env = target_environment(target, replicates=3)
    assert env.arms.shape == (rated.sum(), 10) and env.means.shape == (3, rated.sum())
    np.testing.assert_array_equal(env.rewards[2], stars[5, rated])


@pytest.mark.parametrize(("user", "d"), [(5, 10), (0, 40), (50, 39), (0, 0)])
def test_impossible_targets_are_refused(user, d):
    users, items, stars, _ = market(items=45)
    with pytest.raises(ValueError, match="d"):
        target_user(users, items, stars, user, d=d, rank=3)


def test_bandits_side_by_side_keep_their_promises():
    rng = np.random.default_rng(0)
    arms = rng.normal(size=(200, 8))
    theta = np.zeros(8)
    theta[:2] = 1.0
    env = make_environment(arms, np.tile(arms @ theta + 5, (4, 1)), sigma=0.1, seed=0)
    extra = {"mine": lambda env, T: compare_run(env, T)}
    policies = ("random", "bslb", "linucb", "greedy_lasso", "full_data_linear", "oracle", "mine")
    table = pd.DataFrame(compare_bandits(env, policies, (30, 60), k=2, seed=0, extra=extra))
    assert len(table) == 7 * 2 * 4 and not table.duplicated(["policy", "T", "seed"]).any()
    regret = table.groupby(["policy", "T"]).regret.mean()
    assert regret["oracle"].eq(0).all() and regret["mine"].eq(0).all()
    assert table[table.policy == "oracle"].precision.eq(1).all()
    for policy in ("bslb", "linucb", "greedy_lasso", "full_data_linear"):
        assert regret[policy, 60] < 0.6 * regret["random", 60]
    assert table[table.policy == "full_data_linear"].kendall_tau.min() > 0.99
    assert table[table.policy == "random"].kendall_tau.isna().all()
    with pytest.raises(ValueError, match="linucb"):
        compare_bandits(env, ("guess",), (5,), k=2, seed=0)


def compare_run(env, T):
    from lib.bslb.baselines.oracle import oracle

    return oracle(env, T)


def test_linucb_does_not_mistake_the_level_of_the_rewards_for_a_preference():
    rng = np.random.default_rng(1)
    arms = rng.normal(size=(300, 30))
    means = arms[:, 0] * 0.3
    regret = []
    for level in (0.0, 50.0):
        env = make_environment(arms, (means + level)[None], sigma=0.1, seed=0)
        regret.append(compare_bandits(env, ("linucb",), (60,), k=2, seed=0)[0]["regret"])
    assert regret[1] < 1.5 * regret[0] + 1


def test_synthetic_market():
    table = recommendation_synthetic(budgets=(20, 60), seeds=4, items=300, d=60)
    regret = table.groupby(["policy", "T"]).regret.mean()
    assert (regret.xs(60, level="T").drop("random") < 0.7 * regret["random", 60]).all()
    random = table[(table.policy == "random") & (table["T"] == 60)]
    assert random.regret.mean() == pytest.approx(random.random_regret.mean(), rel=0.25)
    figure = recommendation_regret(table)
    assert "4 users" in figure.scarce_caption and "stars" not in figure.scarce_caption
    with pytest.raises(ValueError, match="empty"):
        recommendation_regret(table.iloc[:0])


def test_movielens_small_run():
    needs("movielens-small")
    policies = ("random", "bslb", "popularity", "full_data_linear", "oracle")
    table = recommendation_movielens(budgets=(50,), users=2, seeds=2, d=60, policies=policies)
    regret = table.groupby(["user", "policy"]).regret.mean().unstack().mean()  # noqa: PD010
    assert regret["oracle"] == 0 < regret["full_data_linear"] < regret["bslb"] < regret["random"]
    assert (table.M > 1000).all()
    assert "stars" in recommendation_regret(table).scarce_caption
