"""Linear Thompson sampling with blocking, all replicates at once."""

import numpy as np

from lib.bslb.baselines.posterior import Posterior
from lib.bslb.environments import Environment
from lib.bslb.policy import Run, best_arm, check_problem, replicate_rngs


def lints(env: Environment, T: int, *, seed: int, v: float = 0.3, penalty: float = 1.0, refresh: int = 100) -> Run:
    """Pull at each round the best available arm for a draw of theta from N(ridge estimate, v^2 V^-1).

    The draw is ``V^-1 (sqrt(penalty) z0 + sum of x_i z_i)`` with fresh standard normal z, whose covariance is exactly
    V^-1, so no matrix is factorised. Source: Agrawal and Goyal (ICML 2013).

    Args:
        env: the environment.
        T: number of pulls.
        seed: seed of the draws and of tie-breaking.
        v: scale of the posterior, in reward units.
        penalty: ridge penalty.
        refresh: rounds between two refinements of the ridge estimate.
    """
    check_problem(env, T)
    if v < 0 or not penalty > 0:
        raise ValueError(f"v must be >= 0 and penalty > 0, got {v} and {penalty}")
    rngs, rows = replicate_rngs(env, seed), np.arange(len(env.means))
    state = Posterior(env, T, penalty=penalty)
    order = np.empty((len(rows), T), dtype=int)
    for t in range(T):
        index = env.scores(state.theta + v * _posterior_noise(state, rngs))
        index[rows[:, None], order[:, :t]] = -np.inf
        order[:, t] = arms = np.array([best_arm(index[s], rngs[s]) for s in rows])
        state.observe(arms)
        if (t + 1) % refresh == 0:
            state.refine()
    return Run(order, 0, state.theta)


def _posterior_noise(state: Posterior, rngs: list[np.random.Generator]) -> np.ndarray:
    d = state.theta.shape[1]
    z = np.stack([rng.standard_normal(d + state.count, dtype=np.float32) for rng in rngs])
    mixed = np.matmul(z[:, None, d:], state.rows[:, : state.count])[:, 0]
    return state.inverse_times(np.float32(np.sqrt(state.penalty)) * z[:, :d] + mixed)
