"""From design weights to a subset of arms: independent Poisson draws, repaired to the exact size."""

import numpy as np


def poisson_subset(mu: np.ndarray, u: int, rng: np.random.Generator) -> np.ndarray:
    """Return the indices of one Poisson draw: arm j is included independently with probability u mu_j.

    `mu` (M,) lies in [0, 1/u] and sums to 1, so the expected size is `u` and (1/u) sum of a a^T over the draw has
    expectation sum_j mu_j a_j a_j^T. Raises ValueError for weights outside the cap.
    """
    return np.flatnonzero(rng.random(len(mu)) < _probabilities(mu, u))


def repair(chosen: np.ndarray, mu: np.ndarray, u: int, rng: np.random.Generator) -> np.ndarray:
    """Return exactly `u` sorted distinct indices: drop uniformly from `chosen`, or add with probability ~ `mu` (M,)."""
    if len(chosen) > u:
        return np.sort(rng.choice(chosen, size=u, replace=False))
    if len(chosen) < u:
        left = np.ones(len(mu), dtype=bool)
        left[chosen] = False
        rest = np.flatnonzero(left)
        # Exponential races: the smallest arrival times are a draw without replacement, weights of zero come last.
        with np.errstate(divide="ignore"):
            arrival = rng.exponential(size=len(rest)) / mu[rest]
        order = np.lexsort((rng.random(len(rest)), arrival))
        chosen = np.concatenate([chosen, rest[order[: u - len(chosen)]]])
    return np.sort(chosen)


def subset_lambda_min(arms: np.ndarray, subset: np.ndarray) -> float:
    """Return lambda_min of (1/u) sum of a a^T over the `subset` (u,) of `arms` (M, d), never below zero."""
    rows = arms[subset].astype(float)
    return max(float(np.linalg.eigvalsh(rows.T @ rows / len(rows))[0]), 0.0)


def round_design(
    arms: np.ndarray, mu: np.ndarray, u: int, *, draws: int = 10, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Return the best of `draws` repaired Poisson draws and its lambda_min: sorted indices (u,) and a float.

    `arms` (M, d), `mu` (M,) as in `poisson_subset`. Source: companion's reconstruction of arXiv 2410.20041.
    """
    if draws < 1:
        raise ValueError(f"draws must be at least 1; got {draws}")
    best, best_value = None, -1.0
    for _ in range(draws):
        subset = repair(poisson_subset(mu, u, rng), mu, u, rng)
        value = subset_lambda_min(arms, subset)
        if value > best_value:
            best, best_value = subset, value
    return best, best_value


def _probabilities(mu: np.ndarray, u: int) -> np.ndarray:
    probability = u * np.asarray(mu, dtype=float)
    if probability.min() < -1e-9 or probability.max() > 1 + 1e-9:
        raise ValueError("mu must lie in [0, 1/u]: an arm cannot be included with probability above one; lower u")
    return np.clip(probability, 0.0, 1.0)
