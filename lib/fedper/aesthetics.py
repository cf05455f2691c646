"""A surrogate for FLICKR-AES: raters who give the same picture different scores (the companion's own generator).

Pictures are vectors, a hidden map turns each into a few aesthetic factors, and every user weighs the factors by a taste
of their own, part of which all users share. What a single model can reach at best is then computable.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import ndtr

from lib.federated.types import ClientData, Federation

LEVELS = 5


@dataclass(frozen=True)
class Pool:
    """Pictures that users rate: `inputs` ``(n, d)`` and their standardized aesthetic `factors` ``(n, r)``."""

    inputs: np.ndarray
    factors: np.ndarray


def picture_pool(*, pictures: int = 4000, d: int = 32, factors: int = 4, seed: int = 0) -> Pool:
    """Return standard normal inputs and the factors ``tanh(2 x A) B``, each factor scaled to mean 0 and variance 1."""
    rng = np.random.default_rng([seed, 0])
    x = rng.standard_normal((pictures, d))
    hidden = np.tanh(2 * x @ rng.standard_normal((d, d)) / np.sqrt(d))
    z = hidden @ rng.standard_normal((d, factors)) / np.sqrt(d)
    return Pool(x, (z - z.mean(axis=0)) / z.std(axis=0))


def tastes(users: int, factors: int, a: float, rng: np.random.Generator) -> np.ndarray:
    """Return the users' weights of the factors, shape ``(users, factors)``.

    A user's weights are ``sqrt(1 - a)`` times a common direction plus ``sqrt(a)`` times one of their own, both of unit
    length: `a` = 0 is one taste for all, `a` = 1 no common taste. Raises ValueError for `a` outside [0, 1].
    """
    if not 0 <= a <= 1:
        raise ValueError(f"a is {a}: the share of individual taste lies in [0, 1]")
    directions = rng.standard_normal((users + 1, factors))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.sqrt(1 - a) * directions[:1] + np.sqrt(a) * directions[1:]


def levels(scores: np.ndarray) -> np.ndarray:
    """Return the quintile, 0 to 4, of every score of one user, shape ``(n,)``."""
    return np.searchsorted(np.quantile(scores, np.arange(1, LEVELS) / LEVELS), scores)


def aesthetics_federation(
    pool: Pool, *, a: float, users: int = 30, ratings: tuple[int, int] = (60, 290), noise: float = 0.3, seed: int = 0
) -> Federation:
    """Return one client a user; each rates some pictures of the same pool on five levels, four fifths for training.

    Args:
        pool: the pictures.
        a: share of individual taste.
        users: number of raters.
        ratings: fewest and most pictures that a user rates.
        noise: standard deviation of a score's noise; a score without it has about unit variance.
        seed: drives tastes, choices, noise and the split.
    """
    if not 5 <= ratings[0] <= ratings[1] <= len(pool.inputs):
        raise ValueError(f"ratings {ratings}: give at least 5, at most the {len(pool.inputs)} pictures of the pool")
    rng = np.random.default_rng([seed, 1])
    weights = tastes(users, pool.factors.shape[1], a, rng)
    clients = []
    for taste in weights:
        chosen = rng.choice(len(pool.inputs), size=rng.integers(ratings[0], ratings[1] + 1), replace=False)
        y = levels(pool.factors[chosen] @ taste + noise * rng.standard_normal(len(chosen)))
        x, y = torch.tensor(pool.inputs[chosen], dtype=torch.float32), torch.tensor(y)
        cut = round(0.8 * len(chosen))
        clients.append(ClientData(x[:cut], y[:cut], x[cut:], y[cut:]))
    return Federation(f"aesthetics a={a:g}", tuple(clients), LEVELS)


def own_tastes(pool: Pool, *, a: float, users: int = 30, seed: int = 0) -> np.ndarray:
    """Return the tastes of the users of `aesthetics_federation` with the same arguments, ``(users, factors)``."""
    return tastes(users, pool.factors.shape[1], a, np.random.default_rng([seed, 1]))


def level_probabilities(pool: Pool, weights: np.ndarray, *, noise: float = 0.3, seed: int = 0) -> np.ndarray:
    """Return the probability of each level for each user and picture, shape ``(users, pictures, 5)``, float32.

    `weights` are the users' tastes, shape ``(users, factors)``.
    The rating noise is integrated out, so nothing here depends on a draw of it; thresholds are the quintiles of each
    user's noisy scores over the pool.
    """
    rng = np.random.default_rng([seed, 2])
    means = pool.factors @ weights.T
    noisy = means + noise * rng.standard_normal(means.shape)
    cuts = np.quantile(noisy, np.arange(1, LEVELS) / LEVELS, axis=0)
    below = ndtr((cuts[:, :, None] - means.T[None]) / noise).astype(np.float32)
    edges = np.concatenate([np.zeros_like(below[:1]), below, np.ones_like(below[:1])])
    return np.diff(edges, axis=0).transpose(1, 2, 0)
