"""Regret and precision of a run, derived from the order of its pulls alone."""

import numpy as np

from lib.bslb.environments import Environment
from lib.bslb.policy import Run


def regret_curve(env: Environment, run: Run) -> np.ndarray:
    """Return cumulative regret after each pull, shape ``(S, T)``, in reward units.

    After t pulls the benchmark is the sum of the t largest means (no arm can repeat), so the curve is never negative.
    It may fall: a good arm pulled late catches up with a benchmark that is already past it.
    """
    best = -np.sort(-env.means, axis=1)[:, : run.order.shape[1]]
    return np.cumsum(best - np.take_along_axis(env.means, run.order, axis=1), axis=1)


def final_regret(env: Environment, run: Run) -> np.ndarray:
    """Return the regret after the last pull against the T best arms, shape ``(S,)``, in reward units."""
    return regret_curve(env, run)[:, -1]


def mean_reward(env: Environment, run: Run) -> np.ndarray:
    """Return the expected reward of the pulled arms averaged over the pulls, shape ``(S,)``."""
    return np.take_along_axis(env.means, run.order, axis=1).mean(axis=1)


def precision_at_T(env: Environment, run: Run) -> np.ndarray:
    """Return the fraction of the pulls whose mean is at least the T-th largest, shape ``(S,)``."""
    T = run.order.shape[1]
    threshold = -np.partition(-env.means, T - 1, axis=1)[:, T - 1]
    return (np.take_along_axis(env.means, run.order, axis=1) >= threshold[:, None]).mean(axis=1)
