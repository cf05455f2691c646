"""Soft sparsity: how much l1 mass a parameter has outside its k largest coordinates, and parameters made to order."""

import numpy as np


def split_mass(theta: np.ndarray, k: int) -> tuple[float, float]:
    """Return the l1 norm of the `k` largest coordinates of `theta` (d,) and the l1 norm of all others."""
    size = np.abs(np.asarray(theta, dtype=float))
    if size.ndim != 1 or not np.isfinite(size).all():
        raise ValueError(f"theta must be a finite vector of shape (d,); got shape {size.shape}")
    if not 1 <= k <= size.size:
        raise ValueError(f"k must lie in 1..d = 1..{size.size}; got k={k}")
    ordered = np.sort(size)[::-1]
    return float(ordered[:k].sum()), float(ordered[k:].sum())


def absolute_tail(theta: np.ndarray, k: int) -> float:
    """Return the l1 norm of `theta` (d,) outside its `k` largest coordinates.

    This is the tail parameter of the first version of arXiv 2410.20041, in the units of `theta`; that its tail
    magnitude is an l1 norm is the companion's reading.
    """
    return split_mass(theta, k)[1]


def relative_tail(theta: np.ndarray, k: int) -> float:
    """Return the l1 norm of `theta` (d,) outside its `k` largest coordinates over the l1 norm inside; no unit.

    This is the tail parameter of the second version of arXiv 2410.20041; the direction of the ratio is the
    companion's reading. The zero vector has tail 0.
    """
    head, tail = split_mass(theta, k)
    return tail / head if head > 0 else 0.0


def soft_sparse(d: int, k: int, beta: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a soft-sparse parameter (d,) with relative tail `beta` at sparsity `k`.

    Head: `k` random coordinates of size 1/k with random signs. Tail: exponential draws with random signs, rescaled to
    l1 norm `beta` and capped at 1/k, so that the head stays the head and ``relative_tail(theta, k) == beta``. All is
    multiplied by sqrt(k), which keeps the reward variance of a hard-sparse parameter the same for every `k`.

    Raises ValueError unless 1 <= k <= d and 0 <= beta <= (d - k) / k, the largest tail that fits below the head.
    Source: companion's generator.
    """
    if not 1 <= k <= d:
        raise ValueError(f"k must lie in 1..d = 1..{d}; got k={k}")
    if not 0 <= beta <= (d - k) / k:
        raise ValueError(f"beta must lie in [0, (d - k) / k] = [0, {(d - k) / k:g}]; got {beta}: lower it or raise d")
    order = rng.permutation(d)
    size = np.full(d, 1.0 / k)
    size[order[k:]] = _capped_mass(rng.exponential(size=d - k), beta, cap=1.0 / k)
    return np.sqrt(k) * size * rng.choice([-1.0, 1.0], size=d)


def _capped_mass(weights: np.ndarray, total: float, *, cap: float) -> np.ndarray:
    """Rescale positive `weights` to sum to `total` with no entry above `cap`; the excess goes to the others."""
    mass = np.zeros_like(weights)
    free = np.ones(weights.size, dtype=bool)
    while total > 0 and free.any():
        mass[free] = (total - cap * (~free).sum()) * weights[free] / weights[free].sum()
        over = free & (mass > cap)
        if not over.any():
            break
        mass[over] = cap
        free &= ~over
    return mass
