"""Greedy Lasso: a few random pulls, then always the arms that the latest Lasso ranks highest."""

from functools import partial

import numpy as np

from lib.bslb.environments import Environment
from lib.bslb.policy import Run, check_problem, explore_then_commit, replicate_rngs
from lib.bslb.regression import estimate


def greedy_lasso(env: Environment, T: int, *, seed: int, start: int = 20, refit: int = 20, c_l: float = 1.5) -> Run:
    """Pull `start` random arms, then the best arms of a Lasso refitted every `refit` pulls.

    Needs no sparsity and hardly explores; after the sparsity-agnostic Lasso bandit of Oh, Iyengar and Zeevi (ICML
    2021), blocked.

    Args:
        env: the environment.
        T: number of pulls.
        seed: seed of start and tie-breaking.
        start: number of random pulls, at most T.
        refit: pulls between two fits.
        c_l: factor on the Lasso penalty.
    """
    check_problem(env, T)
    if start < 1 or refit < 1:
        raise ValueError(f"start and refit must be positive, got {start} and {refit}")
    rngs = replicate_rngs(env, seed)
    first = np.stack([rng.permutation(len(env.arms))[: min(start, T)] for rng in rngs])
    return explore_then_commit(env, T, first, partial(estimate, sigma=env.sigma, c_l=c_l), rngs, refit=refit)
