"""Good subset: arms whose Gram matrix is well conditioned, by a capped convex design and randomized rounding."""

from dataclasses import dataclass

import numpy as np

from lib.bslb.design_fw import capped_maximum, frank_wolfe_design, gram_matrix, row_blocks
from lib.bslb.design_greedy import greedy_design
from lib.bslb.design_sdp import sdp_design
from lib.bslb.rounding import round_design

SOLVERS = ("fw", "sdp", "greedy")


@dataclass(frozen=True)
class Design:
    """A capped design and the subset rounded from it.

    `mu` (M,): weights in [0, 1/u] that sum to 1. `lam_star`: lambda_min of sum_j mu_j a_j a_j^T. `subset` (u,): sorted
    distinct indices. `lam_subset`: lambda_min of (1/u) sum of a a^T over the subset. `upper`: a certified upper bound
    on the lambda_min of every feasible design, so ``lam_star <= optimum <= upper`` up to rounding.
    """

    mu: np.ndarray
    lam_star: float
    subset: np.ndarray
    lam_subset: float
    upper: float


def good_subset(
    arms: np.ndarray,
    u: int,
    *,
    solver: str = "fw",
    iterations: int = 100,
    tolerance: float = 0.04,
    draws: int = 10,
    rng: np.random.Generator,
) -> Design:
    """Choose `u` of the `arms` (M, d) so that the smallest eigenvalue of (1/u) sum a a^T is large.

    Maximise lambda_min(sum_j mu_j a_j a_j^T) over weights with sum 1 and 0 <= mu_j <= 1/u (the cap says that an arm is
    pulled at most once in u pulls), include arm j with probability u mu_j, repair to exactly `u` arms, and keep the
    best of `draws` repetitions. `solver`: "fw" (Frank-Wolfe, any size, at most `iterations` steps, stopping when the
    value is certified within the relative `tolerance`), "sdp" (exact, d up to about 40, needs cvxpy) or "greedy" (an
    ablation for small pools). Arms may be float32 or float64; "fw" never copies them.

    Raises ValueError unless d <= u <= M and all arms are finite.
    Source: the relaxation and the rounding are the companion's reconstruction of arXiv 2410.20041.
    """
    arms = _check(arms, u)
    if solver == "fw":
        mu, value, upper = frank_wolfe_design(arms, u, iterations=iterations, tolerance=tolerance)
    elif solver == "sdp":
        mu, value, dual = sdp_design(arms, u)
        upper = max(capped_maximum(arms, u, dual), value)
    elif solver == "greedy":
        mu, value = greedy_design(arms, u)
        upper = max(capped_maximum(arms, u, np.eye(arms.shape[1])), value)
    else:
        raise ValueError(f"unknown solver {solver!r}; choose one of {', '.join(SOLVERS)}")
    subset, realized = round_design(arms, mu, u, draws=draws, rng=rng)
    return Design(mu=mu, lam_star=value, subset=subset, lam_subset=realized, upper=upper)


def uniform_subset(arms: np.ndarray, u: int, *, rng: np.random.Generator) -> np.ndarray:
    """Return `u` distinct indices of `arms` (M, d) drawn uniformly, sorted: the subset that no design has chosen."""
    if not 1 <= u <= len(arms):
        raise ValueError(f"u must lie in 1..M = 1..{len(arms)}; got {u}")
    return np.sort(rng.choice(len(arms), size=u, replace=False))


def design_gram(arms: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """Return sum_j mu_j a_j a_j^T (d, d) of `arms` (M, d) and weights `mu` (M,): the second moment a design explores.

    This is the `covariance` that PopArt asks for.
    """
    support = np.flatnonzero(mu)
    return gram_matrix(arms[support] * np.sqrt(mu[support])[:, None])


def _check(arms: np.ndarray, u: int) -> np.ndarray:
    arms = np.asarray(arms)
    if arms.ndim != 2 or arms.size == 0:
        raise ValueError(f"arms must have shape (M, d) with M, d >= 1; got {arms.shape}")
    if arms.dtype not in (np.float32, np.float64):
        arms = arms.astype(float)
    count, d = arms.shape
    if not d <= u <= count:
        raise ValueError(f"u must lie between d={d} and M={count}; got u={u}: raise u, enlarge the pool, or reduce d")
    if not all(np.isfinite(rows).all() for rows in row_blocks(arms)):
        raise ValueError("arms must be finite; drop or impute rows with NaN or infinite entries first")
    return arms
