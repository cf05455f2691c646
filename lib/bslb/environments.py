"""Blocked linear bandit environments: one pool of arms shared by several replicates."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lib.bslb.sparsity import soft_sparse

# Separate streams, so that a policy that uses default_rng([seed, s]) never sees the environment's own draws.
_POOL, _THETA, _NOISE = 101, 102, 103
_BLOCK = 50


@dataclass(frozen=True)
class Environment:
    """A pool of arms and, for each replicate, what a pull of each arm returns.

    Attributes:
        arms: features, shape ``(M, d)``.
        means: expected rewards, shape ``(S, M)``; only metrics and the oracle may read them.
        rewards: the one reward that a pull of each arm returns, shape ``(S, M)``. Under blocking an arm is pulled at
            most once, so a table drawn in advance is exact, and all policies meet the same noise.
        sigma: standard deviation of the noise if the learner knows it, else None.
        theta: parameter vectors, shape ``(S, d)``, or None where the means are not linear.
    """

    arms: np.ndarray
    means: np.ndarray
    rewards: np.ndarray
    sigma: float | None
    theta: np.ndarray | None = None

    @cached_property
    def _blocks(self) -> np.ndarray:
        # (blocks, d, BLOCK) in single precision. A product of a few rows with one tall matrix spends most of its time
        # on packing the matrix; products with small blocks skip the packing and run about three times as fast.
        M, d = self.arms.shape
        padded = np.zeros((-(-M // _BLOCK) * _BLOCK, d), dtype=np.float32)
        padded[:M] = self.arms
        return np.ascontiguousarray(padded.reshape(-1, _BLOCK, d).transpose(0, 2, 1))

    def scores(self, theta: np.ndarray) -> np.ndarray:
        """Return ``<theta_s, a>`` in single precision, shape ``(S, M)``, for one vector a replicate, ``(S, d)``."""
        products = np.matmul(np.asarray(theta, dtype=np.float32), self._blocks)
        return products.transpose(1, 0, 2).reshape(len(theta), -1)[:, : len(self.arms)]


def make_environment(
    arms: np.ndarray,
    means: np.ndarray,
    *,
    sigma: float,
    seed: int,
    theta: np.ndarray | None = None,
    sigma_known: bool = True,
) -> Environment:
    """Return the environment with rewards ``means`` plus Gaussian noise.

    Args:
        arms: finite features, shape ``(M, d)``.
        means: expected rewards, shape ``(S, M)``.
        sigma: standard deviation of the reward noise, in reward units.
        seed: replicate ``s`` draws its noise from a stream of ``(seed, s)``.
        theta: parameter vectors, shape ``(S, d)``, if the means are linear.
        sigma_known: whether the learner is told `sigma`.

    Raises:
        ValueError: if a shape does not fit, a value is not finite, or `sigma` is negative.
    """
    arms, means = np.asarray(arms, dtype=float), np.asarray(means, dtype=float)
    if arms.ndim != 2 or arms.size == 0:
        raise ValueError(f"arms need shape (M, d) with M, d >= 1, got {arms.shape}; pass one row an arm")
    if means.ndim != 2 or means.shape[1] != len(arms):
        raise ValueError(f"means need shape (replicates, {len(arms)}), got {means.shape}; pass one row a replicate")
    if not (np.isfinite(arms).all() and np.isfinite(means).all()):
        raise ValueError("arms and means must be finite; drop or impute rows with NaN or infinite values first")
    if not sigma >= 0:
        raise ValueError(f"sigma must be a non-negative number, got {sigma}; use 0 for rewards without noise")
    if theta is not None and np.shape(theta) != (len(means), arms.shape[1]):
        raise ValueError(
            f"theta needs shape {(len(means), arms.shape[1])}, got {np.shape(theta)}; pass None if unknown"
        )
    noise = np.stack([_stream(seed, s, _NOISE).standard_normal(len(arms)) for s in range(len(means))])
    return Environment(arms, means, means + sigma * noise, float(sigma) if sigma_known else None, theta)


def soft_sparse_environment(
    *, arms: int | np.ndarray, d: int, k: int, beta: float = 0.0, sigma: float = 0.3, replicates: int, seed: int
) -> Environment:
    """Return arms with Uniform(-1, 1) entries and one soft-sparse parameter a replicate.

    Args:
        arms: number of arms M, or a ready pool of shape ``(M, d)`` (to share one pool between settings).
        d: dimension.
        k: sparsity of the head; the generator `soft_sparse` keeps the reward variance constant in `k`.
        beta: relative tail, l1 norm of the rest over l1 norm of the top k.
        sigma: standard deviation of the reward noise.
        replicates: number of replicates S (parameter and noise differ, the pool does not).
        seed: seed of pool, parameters and noise.
    """
    pool = uniform_pool(arms, d, seed=seed) if np.ndim(arms) == 0 else np.asarray(arms, dtype=float)
    theta = np.stack([soft_sparse(d, k, beta, _stream(seed, s, _THETA)) for s in range(replicates)])
    return make_environment(pool, theta @ pool.T, sigma=sigma, seed=seed, theta=theta)


def uniform_pool(arms: int, d: int, *, seed: int) -> np.ndarray:
    """Return the pool of Uniform(-1, 1) arms, shape ``(arms, d)``, that `soft_sparse_environment` draws for `seed`."""
    return _stream(seed, 0, _POOL).uniform(-1.0, 1.0, (int(arms), d))


def anisotropic_environment(
    *,
    arms: int = 3000,
    d: int = 200,
    rare: float = 0.3,
    k: int = 6,
    shrink: float = 0.05,
    sigma: float = 0.2,
    replicates: int,
    seed: int,
) -> Environment:
    """Return a pool in which only a fraction `rare` of the arms sees the second half of the coordinates.

    The other arms have coordinates ``d/2..d`` multiplied by `shrink`. A third of the parameter's `k` equal non-zero
    coordinates lies in the first half, the rest in the second, so most of the reward hides where few arms look.

    Args:
        arms: number of arms M.
        d: dimension.
        rare: fraction of arms with full support, in [0, 1].
        k: number of non-zero coordinates, each of size ``1 / sqrt(k)``.
        shrink: factor on the second half for the majority.
        sigma: standard deviation of the reward noise.
        replicates: number of replicates S.
        seed: seed of pool, parameters and noise.

    Raises:
        ValueError: if `rare` is not a fraction or `k` does not fit in half of the coordinates.
    """
    if not 0 <= rare <= 1:
        raise ValueError(f"rare is a fraction of the arms, got {rare}; use a number between 0 and 1")
    if not 1 <= k <= d // 2:
        raise ValueError(f"k must lie between 1 and d/2 = {d // 2}, got {k}; lower k or raise d")
    rng = _stream(seed, 0, _POOL)
    pool, half = rng.uniform(-1.0, 1.0, (arms, d)), d // 2
    common = rng.permutation(arms)[round(rare * arms) :]
    pool[common, half:] *= shrink
    theta = np.stack([_split_theta(d, k, _stream(seed, s, _THETA)) for s in range(replicates)])
    return make_environment(pool, theta @ pool.T, sigma=sigma, seed=seed, theta=theta)


def _split_theta(d: int, k: int, rng: np.random.Generator) -> np.ndarray:
    first, half = k // 3, d // 2
    support = np.concatenate([rng.permutation(half)[:first], half + rng.permutation(d - half)[: k - first]])
    theta = np.zeros(d)
    theta[support] = rng.choice([-1.0, 1.0], k) / np.sqrt(k)
    return theta


def low_rank_environment(
    *,
    arms: int = 1500,
    d: int = 300,
    rank: int = 8,
    k: int = 5,
    beta: float = 0.3,
    noise: float = 0.3,
    sigma: float = 0.2,
    replicates: int,
    seed: int,
) -> Environment:
    """Return a synthetic recommender: items described by the ratings of `d` other users, low rank plus noise.

    The target user follows the `k` users most similar to a random one with equal positive weights, and the others
    with a tail of relative size `beta` and random signs. The companion's stand-in for rating data.

    Args:
        arms: number of items M.
        d: number of other users, the dimension.
        rank: rank of the noiseless ratings.
        k: number of similar users.
        beta: relative tail of the target user's weights.
        noise: standard deviation of the rating noise relative to that of the low-rank part.
        sigma: standard deviation of the reward noise.
        replicates: number of target users S.
        seed: seed of ratings, target users and noise.
    """
    rng = _stream(seed, 0, _POOL)
    items, users = rng.standard_normal((arms, rank)), rng.standard_normal((d, rank))
    ratings = items @ users.T / np.sqrt(rank)
    ratings += noise * ratings.std() * rng.standard_normal(ratings.shape)
    ratings /= np.abs(ratings).max()
    theta = np.stack([_similar_users(users, k, beta, _stream(seed, s, _THETA)) for s in range(replicates)])
    return make_environment(ratings, theta @ ratings.T, sigma=sigma, seed=seed, theta=theta)


def _similar_users(users: np.ndarray, k: int, beta: float, rng: np.random.Generator) -> np.ndarray:
    unit = users / np.linalg.norm(users, axis=1, keepdims=True)
    order = np.argsort(-unit @ unit[rng.integers(len(users))])
    theta = np.zeros(len(users))
    theta[order[:k]] = 1.0 / k
    tail = rng.exponential(size=len(users) - k)
    theta[order[k:]] = beta * tail / tail.sum() * rng.choice([-1.0, 1.0], len(users) - k)
    return theta * np.sqrt(k)


def _stream(seed: int, s: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, s, purpose])
