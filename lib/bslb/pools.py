"""Pools of arms: isotropic, uniform, and clustered near a subspace, where well-spread directions are rare."""

import numpy as np


def isotropic_arms(arms: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """Return `arms` unit-norm rows (arms, d) in uniformly random directions."""
    return _unit(rng.standard_normal((_positive(arms, "arms"), _positive(d, "d"))))


def uniform_arms(arms: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """Return rows (arms, d) with independent entries uniform on [-1, 1], so that every entry is bounded by 1."""
    return rng.uniform(-1.0, 1.0, size=(_positive(arms, "arms"), _positive(d, "d")))


def clustered_arms(
    arms: int, d: int, rng: np.random.Generator, *, fraction: float = 0.9, noise: float = 0.02
) -> np.ndarray:
    """Return `arms` unit-norm rows (arms, d), a `fraction` of them near a random subspace of dimension d/4.

    Clustered rows are Gaussian inside the subspace plus `noise` times a Gaussian in all directions; the others are
    isotropic. Rows come in random order. Source: companion's generator.
    """
    if not (0 <= fraction <= 1 and noise >= 0):
        raise ValueError(f"fraction must lie in [0, 1] and noise be >= 0; got {fraction} and {noise}")
    _positive(arms, "arms")
    inside = max(_positive(d, "d") // 4, 1)
    basis = np.linalg.qr(rng.standard_normal((d, inside)))[0]
    clustered = round(fraction * arms)
    near = rng.standard_normal((clustered, inside)) @ basis.T + noise * rng.standard_normal((clustered, d))
    pool = np.vstack([near, rng.standard_normal((arms - clustered, d))])
    return _unit(pool[rng.permutation(arms)])


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _positive(value: int, name: str) -> int:
    if value < 1:
        raise ValueError(f"{name} must be at least 1; got {value}")
    return value
