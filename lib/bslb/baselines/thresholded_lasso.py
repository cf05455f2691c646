"""Thresholded Lasso bandit of Ariu, Abe and Proutiere (ICML 2022), with blocking."""

from functools import partial

import numpy as np

from lib.bslb.environments import Environment
from lib.bslb.policy import Run, check_problem, explore_then_commit, replicate_rngs
from lib.bslb.regression import lasso


def thresholded_lasso(
    env: Environment, T: int, *, seed: int, lam0: float = 0.02, start: int = 20, refit: int = 20
) -> Run:
    """Pull `start` random arms, then the best arms of least squares on a twice-thresholded Lasso support.

    After t pulls the penalty is ``lam_t = lam0 sqrt(2 log t log d / t)``; coefficients above ``4 lam_t`` form a first
    support, those above ``4 lam_t`` times the square root of its size the second, on which theta is refitted. The
    source refits after every pull; here every `refit` pulls.

    Args:
        env: the environment.
        T: number of pulls.
        seed: seed of start and tie-breaking.
        lam0: scale of the penalty, in reward units.
        start: number of random pulls, at most T.
        refit: pulls between two fits.
    """
    check_problem(env, T)
    if start < 1 or refit < 1 or not lam0 > 0:
        raise ValueError(f"start, refit and lam0 must be positive, got {start}, {refit} and {lam0}")
    rngs = replicate_rngs(env, seed)
    first = np.stack([rng.permutation(len(env.arms))[: min(start, T)] for rng in rngs])
    return explore_then_commit(env, T, first, partial(fit_thresholded, lam0=lam0), rngs, refit=refit)


def fit_thresholded(X: np.ndarray, r: np.ndarray, *, lam0: float) -> np.ndarray:
    """Return least squares on the support that passes both thresholds, shape ``(d,)``; zero if none does.

    Args:
        X: pulled arms, shape ``(t, d)``.
        r: their rewards, shape ``(t,)``.
        lam0: scale of the penalty, in reward units.
    """
    t, d = X.shape
    penalty = lam0 * np.sqrt(2 * np.log(max(t, 2)) * np.log(max(d, 2)) / t)
    size = np.abs(lasso(X, r, alpha=penalty))
    support = np.flatnonzero(size > 4 * penalty)
    support = support[size[support] > 4 * penalty * np.sqrt(len(support))]
    theta = np.zeros(d)
    if len(support):
        theta[support] = np.linalg.lstsq(X[:, support], r, rcond=None)[0]
    return theta
