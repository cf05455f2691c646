"""LinUCB with blocking, all replicates at once: one matrix product a round scores every arm of every replicate."""

import numpy as np

from lib.bslb.baselines.posterior import Posterior
from lib.bslb.environments import Environment
from lib.bslb.policy import Run, best_arm, check_problem, replicate_rngs


def linucb(env: Environment, T: int, *, seed: int, alpha: float = 0.1, penalty: float = 1.0, refresh: int = 100) -> Run:
    """Pull at each round the available arm with the largest ``<theta, a> + alpha sqrt(a^T V^-1 a)``.

    V is `penalty` I plus the sum of a a^T over the pulls, theta the ridge estimate. Both terms are updated from
    ``V^-1 x`` of the pulled arm x, which costs one (S, d) x (d, M) product a round in single precision; the scores are
    refreshed every `refresh` rounds. Source: Chu, Li, Reyzin and Schapire (AISTATS 2011).

    Args:
        env: the environment.
        T: number of pulls.
        seed: seed of tie-breaking.
        alpha: width of the confidence bound, 0 for greedy ridge regression.
        penalty: ridge penalty.
        refresh: rounds between two refinements of estimate and scores.
    """
    check_problem(env, T)
    if alpha < 0 or not penalty > 0:
        raise ValueError(f"alpha must be >= 0 and penalty > 0, got {alpha} and {penalty}")
    rngs, rows = replicate_rngs(env, seed), np.arange(len(env.means))
    state = Posterior(env, T, penalty=penalty)
    scores = np.zeros(env.means.shape, dtype=np.float32)
    width = np.tile(np.float32(np.square(env.arms).sum(axis=1) / penalty), (len(rows), 1))
    order = np.empty((len(rows), T), dtype=int)
    buffer = np.empty_like(scores)
    for t in range(T):
        index = scores if alpha == 0 else _bound(scores, width, alpha, buffer)
        order[:, t] = arms = np.array([best_arm(index[s], rngs[s]) for s in rows])
        direction, gain = state.observe(arms)
        if t + 1 == T:
            break
        moved = env.scores(direction)
        np.multiply(moved, moved, out=buffer)
        width -= buffer
        if (t + 1) % refresh:
            moved *= gain[:, None]
            scores += moved
        else:
            state.refine()
            scores = env.scores(state.theta)
        scores[rows[:, None], order[:, : t + 1]] = -np.inf
    return Run(order, 0, state.theta)


def _bound(scores: np.ndarray, width: np.ndarray, alpha: float, out: np.ndarray) -> np.ndarray:
    np.maximum(width, 0, out=width)  # rounding may leave a width just below zero
    np.sqrt(width, out=out)
    out *= np.float32(alpha)
    out += scores
    return out
