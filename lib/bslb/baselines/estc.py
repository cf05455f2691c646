"""Explore the sparsity then commit (ESTC) of Hao, Lattimore and Wang (NeurIPS 2020), with blocking."""

from functools import partial

import numpy as np

from lib.bslb.design_fw import arm_scores
from lib.bslb.environments import Environment
from lib.bslb.policy import Run, check_problem, explore_then_commit, replicate_rngs
from lib.bslb.regression import active_alpha, lasso, residual_sigma, theory_alpha


def spread_design(arms: np.ndarray, *, iterations: int = 10) -> tuple[np.ndarray, float]:
    """Return a design that spreads over all directions, and the smallest eigenvalue of its second moment.

    Maximises lambda_min of sum_j mu_j a_j a_j^T over distributions mu on the arms (no cap on an arm's weight, unlike
    BSLB's design) by damped multiplicative updates with the gradient of a soft minimum; the best iterate is kept.

    Args:
        arms: shape ``(M, d)``.
        iterations: number of updates, each O(M d^2).

    Returns:
        mu, shape ``(M,)``, summing to 1, and lambda_min.
    """
    arms = np.asarray(arms, dtype=np.float32)
    M, d = arms.shape
    mu = np.full(M, 1.0 / M)
    best, best_value = mu, -np.inf
    for step in range(iterations + 1):
        weighted = arms * np.sqrt(mu, dtype=np.float32)[:, None]
        values, vectors = np.linalg.eigh((weighted.T @ weighted).astype(float))
        if values[0] > best_value:
            best, best_value = mu, float(values[0])
        if step == iterations:
            break
        sharpness = 4 * np.log(max(d, 2)) / max(values[0], 1e-3 * values.mean())
        weights = np.exp(-sharpness * (values - values[0]))
        kept = weights > 1e-6
        gradient = arm_scores(arms, vectors[:, kept] * np.sqrt(weights[kept])).astype(float)
        # Steps shrink as in Frank-Wolfe: the full multiplicative step overshoots where the soft minimum is sharp.
        size = 2 / (step + 3)
        mu = mu * (1 - size + size * gradient / (mu @ gradient))
    return best, max(best_value, 0.0)


def estc_length(k: int, T: int, d: int, *, sigma: float, bound: float, c_min: float) -> int:
    """Return ESTC's number of exploration rounds, ``(2 (k sigma T / (bound c_min))^2 log d)^(1/3)`` within [5, 0.9 T].

    Args:
        k: sparsity.
        T: number of pulls.
        d: dimension.
        sigma: standard deviation of the noise.
        bound: largest absolute expected reward.
        c_min: smallest eigenvalue of the design's second moment.
    """
    raw = (2 * (k * sigma * T / (bound * max(c_min, 1e-12))) ** 2 * np.log(d)) ** (1 / 3)
    return int(min(max(raw, 5), max(int(0.9 * T), 1)))


def estc(
    env: Environment,
    T: int,
    k: int,
    *,
    seed: int,
    bound: float | None = None,
    exploration: int | None = None,
    design: tuple[np.ndarray, float] | None = None,
    iterations: int = 10,
) -> Run:
    """Explore arms drawn from `spread_design`, fit the Lasso, commit; blocked by skipping repeats.

    The Lasso penalty is ``4 sigma sqrt(log d / n)`` on the objective with ``1 / n``, half of that in scikit-learn's,
    times the root mean square of the entries of the explored arms, as in BSLB: the source assumes a scale of one.

    Args:
        env: the environment.
        T: number of pulls.
        k: sparsity, which sets the exploration length.
        seed: seed of exploration and tie-breaking.
        bound: largest absolute expected reward, which the method takes as known; default read from the environment.
        exploration: exploration length that overrides `estc_length`.
        design: result of `spread_design` for the same arms, to be shared by many runs.
        iterations: iterations of the design if none is given.
    """
    check_problem(env, T, k=k)
    mu, c_min = spread_design(env.arms, iterations=iterations) if design is None else design
    if exploration is None:
        level = env.sigma if env.sigma is not None else float(np.std(env.rewards))
        bound = float(np.abs(env.means).max()) if bound is None else bound
        exploration = estc_length(k, T, env.arms.shape[1], sigma=level, bound=bound, c_min=c_min)
    if not 1 <= exploration <= T:
        raise ValueError(f"exploration = {exploration} must lie between 1 and T = {T}; lower it or raise T")
    rngs = replicate_rngs(env, seed)
    first = np.stack([_sample_without_repeats(mu, exploration, rng) for rng in rngs])
    return explore_then_commit(env, T, first, partial(_fit, sigma=env.sigma), rngs)


def _sample_without_repeats(mu: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    # The n smallest of independent exponential times with rates mu come in the order of successive draws from mu in
    # which repeats are skipped; arms of weight 0 follow only if all others are used up.
    times = rng.exponential(size=len(mu)) / np.maximum(mu, 1e-300)
    head = np.argpartition(times, n - 1)[:n]
    return head[np.argsort(times[head])]


def _fit(X: np.ndarray, r: np.ndarray, *, sigma: float | None) -> np.ndarray:
    level = residual_sigma(X, r) if sigma is None else sigma
    return lasso(X, r, alpha=active_alpha(X, r, theory_alpha(X, level, 2.0)))
