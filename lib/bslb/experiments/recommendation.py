"""Recommendation experiments: every item can be recommended once, and there are few rounds."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from lib.bslb.environments import low_rank_environment
from lib.bslb.experiments.known_means import BANDIT_POLICIES, compare_bandits
from lib.bslb.policy import Run
from lib.bslb.recommendation import rating_matrix, target_environment, target_user

Progress = Callable[[Iterable, str], Iterable]
SYNTHETIC_POLICIES = ("random", "bslb", "uniform_etc", "ridge_etc", "linucb", "greedy_lasso", "oracle")


def recommendation_synthetic(
    *,
    budgets: Sequence[int] = (50, 100, 150),
    seeds: int = 5,
    seed: int = 0,
    k: int = 5,
    beta: float = 0.3,
    items: int = 1500,
    d: int = 300,
    rank: int = 8,
    policies: Sequence[str] = SYNTHETIC_POLICIES,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Recommend items of a synthetic low-rank market to users who follow `k` similar others (`low_rank_environment`).

    Args:
        budgets: numbers of recommendations T.
        seeds: target users; all of them meet the same items.
        seed: seed of market, noise and policies.
        k: number of similar users, also BSLB's sparsity.
        beta: relative tail of the target's weights.
        items: number of items M.
        d: number of other users.
        rank: rank of the ratings without noise.
        policies: names out of `lib.bslb.experiments.known_means.BANDIT_POLICIES`.
        progress: wraps the loop over policies.

    Returns:
        The rows of `compare_bandits` with columns `task` and `user`; rewards are scaled ratings, without unit.
    """
    env = low_rank_environment(arms=items, d=d, rank=rank, k=k, beta=beta, replicates=seeds, seed=seed)
    table = pd.DataFrame(compare_bandits(env, policies, budgets, k=k, seed=seed, intercept=False, progress=progress))
    table.insert(0, "task", "synthetic market")
    table.insert(1, "user", table.seed)
    return table


def recommendation_movielens(
    *,
    budgets: Sequence[int] = (25, 50, 100),
    users: int = 10,
    seeds: int = 3,
    seed: int = 0,
    k: int = 5,
    d: int = 100,
    rank: int = 8,
    policies: Sequence[str] = (*BANDIT_POLICIES, "popularity"),
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Recommend movies, each once, to users of MovieLens latest-small whose ratings are held back.

    Each of the `users` most active users in turn is the target, alone: the items are those the target rated, their
    features the completed ratings of `d` other users, the reward is the target's rating when the item is recommended
    (`target_user`). Companion's reconstruction: how the paper builds its features is not known to us.

    Args:
        budgets: numbers of recommendations T.
        users: number of target users.
        seeds: replicates a user; exploration and ties differ.
        seed: first seed.
        k: BSLB's sparsity.
        d: number of other users, the dimension.
        rank: rank of the completion.
        policies: names out of `BANDIT_POLICIES`, and ``popularity``: the items that the other users rate highest.
        progress: wraps the loop over users.

    Returns:
        The rows of `compare_bandits` with columns `task`, `user` and `M` (items); regrets and mean_reward in stars.
    """
    from lib.data import load

    matrix = rating_matrix(load("movielens-small").ratings)
    active = matrix[0][np.argsort(-np.isfinite(matrix[2]).sum(axis=1), kind="stable")[:users]]
    rows = []
    for user in progress(active.tolist(), "MovieLens users") if progress else active.tolist():
        target = target_user(*matrix, user, d=d, rank=rank, seed=seed)
        env = target_environment(target, replicates=seeds)
        order = np.argsort(-target.popularity, kind="stable")
        extra = {"popularity": lambda env, T, order=order: Run(np.tile(order[:T], (len(env.means), 1)), 0)}
        found = compare_bandits(env, policies, budgets, k=k, seed=seed, extra=extra)
        rows += [{"task": "MovieLens", "user": user, "M": len(target.items)} | row for row in found]
    return pd.DataFrame(rows)
