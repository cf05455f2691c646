"""Recommendation as a blocked sparse bandit: other users' ratings describe the items, the target's are the rewards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lib.bslb.annotation import standardise
from lib.bslb.environments import Environment

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Target:
    """One target user: `items` (M,) movie ids that the user rated, `arms` (M, d) features, `ratings` (M,) stars.

    `popularity` (M,) is the mean completed rating of each item by the other users, what a recommender goes by that
    learns nothing of the target. `sigma` is the noise level that the learner assumes, in stars: the standard deviation
    that the low-rank model leaves on the other users' ratings.
    """

    user: int
    items: np.ndarray
    arms: np.ndarray
    ratings: np.ndarray
    popularity: np.ndarray
    sigma: float


def rating_matrix(ratings: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (user ids (U,), movie ids (I,), stars (U, I) with NaN where a user did not rate) of a MovieLens table."""
    users, rows = np.unique(ratings.user_id.to_numpy(), return_inverse=True)
    items, columns = np.unique(ratings.movie_id.to_numpy(), return_inverse=True)
    stars = np.full((len(users), len(items)), np.nan)
    stars[rows, columns] = ratings.rating.to_numpy()
    return users, items, stars


def low_rank_fit(
    stars: np.ndarray, *, rank: int = 8, shrink: float = 5.0, rounds: int = 20, seed: int = 0
) -> np.ndarray:
    """Return a low-rank model (U, I) of the ratings `stars` (U, I), in which NaN marks what is missing.

    Baselines first (overall mean plus item and user offsets, shrunk towards zero by five ratings), then a rank-`rank`
    fit of the residuals whose singular values are lowered by `shrink`, repeated with the fit in the gaps. Source: soft
    impute, Mazumder, Hastie and Tibshirani (JMLR 2010).

    Raises ValueError if nothing is observed or `rank` exceeds a side of the matrix.
    """
    from sklearn.utils.extmath import randomized_svd

    seen = np.isfinite(stars)
    if not seen.any() or not 1 <= rank <= min(stars.shape):
        raise ValueError(f"need an observed rating and 1 <= rank <= {min(stars.shape)}, got rank = {rank}")
    base = np.full(stars.shape, stars[seen].mean())
    for axis in (0, 1):
        base = base + _offsets(np.where(seen, stars - base, 0.0), seen, axis=axis)
    residual = np.where(seen, stars - base, 0.0)
    fit = np.zeros_like(residual)
    for _ in range(rounds):
        left, size, right = randomized_svd(np.where(seen, residual, fit), rank, n_iter=2, random_state=seed)
        fit = (left * np.maximum(size - shrink, 0.0)) @ right
    return base + fit


def complete(stars: np.ndarray, fit: np.ndarray) -> np.ndarray:
    """Return `stars` (U, I) with gaps (NaN) filled from `fit` (U, I), cut to the range of the observed ratings."""
    seen = np.isfinite(stars)
    return np.where(seen, stars, np.clip(fit, stars[seen].min(), stars[seen].max()))


def _offsets(residual: np.ndarray, seen: np.ndarray, *, axis: int) -> np.ndarray:
    return residual.sum(axis=axis, keepdims=True) / (seen.sum(axis=axis, keepdims=True) + 5.0)


def target_user(
    users: np.ndarray, items: np.ndarray, stars: np.ndarray, user: int, *, d: int = 100, rank: int = 8, seed: int = 0
) -> Target:
    """Return the bandit problem of one target `user`; its own ratings are used as rewards and nowhere else.

    The arms are the items that the user rated. Their features are the completed ratings (`low_rank_fit` without the
    target's row) of the `d` other users who rated most of these items, standardised.

    Args:
        users: user ids, shape ``(U,)``.
        items: movie ids, shape ``(I,)``.
        stars: ratings with NaN where missing, shape ``(U, I)``; see `rating_matrix`.
        user: id of the target.
        d: number of other users.
        rank: rank of the completion.
        seed: seed of the randomised decomposition.

    Raises:
        ValueError: if the user is unknown, or rated too few items, or there are not `d` other users.
    """
    if user not in users or not 1 <= d < len(users):
        raise ValueError(f"user {user} must be one of the {len(users)} users and 1 <= d < {len(users)}; got d = {d}")
    row = int(np.flatnonzero(users == user)[0])
    rated = np.flatnonzero(np.isfinite(stars[row]))
    if len(rated) <= d:
        raise ValueError(f"user {user} rated {len(rated)} items, the bandit needs more than d = {d}; lower d")
    others = np.delete(stars[:, rated], row, axis=0)
    seen = np.isfinite(others)
    fit = low_rank_fit(others, rank=rank, seed=seed)
    filled = complete(others, fit)
    chosen = np.argsort(-seen.sum(axis=1), kind="stable")[:d]
    arms = standardise(filled[chosen].T)
    return Target(user, items[rated], arms, stars[row, rated], filled.mean(axis=0), float((others - fit)[seen].std()))


def target_environment(target: Target, *, replicates: int) -> Environment:
    """Return the environment of `target`: rewards are its ratings in stars, the same in all replicates."""
    means = np.tile(target.ratings, (replicates, 1))
    return Environment(target.arms, means, means, target.sigma)
