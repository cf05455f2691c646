"""Seconds of the regret figure on one thread, and replicate-vectorized LinUCB against a loop over seeds."""

import json
import time

import numpy as np

from benchmarks.agreement import require
from benchmarks.lines import peer, target
from lib.bslb.baselines.linucb import linucb
from lib.bslb.environments import Environment, soft_sparse_environment
from lib.bslb.experiments.regret import regret_by_horizon
from lib.bslb.policy import best_arm
from lib.report.intervals import median_interval

LEAST_SAME = 0.99


def measure(*, replicates=12, T=300, arms=7500, d=400, alpha=0.1, repeats=2, figure=True) -> dict:
    """Return the seconds of the full regret table for one sparsity and the time ratio of LinUCB to a plain loop.

    Run with one thread for linear algebra (`OMP_NUM_THREADS=1`); both sides of the ratio then use it. The pulls are
    compared before anything is timed: AssertionError unless 99 % are the same or the regrets agree within 1 %.
    """
    env = soft_sparse_environment(arms=arms, d=d, k=5, replicates=replicates, seed=0)
    linucb(env, 5, seed=0)  # the block layout of the pool is built once per environment
    fast, slow = linucb(env, T, seed=0, alpha=alpha).order, plain_linucb(env, T, alpha=alpha)
    same, regrets = float((fast == slow).mean()), _regret(env, fast) / _regret(env, slow)
    if same < LEAST_SAME:
        require("regret of vectorized over plain LinUCB", regrets, low=0.99, high=1.01)
    fast_seconds = _best_of(lambda: linucb(env, T, seed=0, alpha=alpha), repeats)
    slow_seconds = _best_of(lambda: plain_linucb(env, T, alpha=alpha), 1)
    result = {
        "linucb_seconds": fast_seconds,
        "plain_seconds": slow_seconds,
        "time_ratio": slow_seconds / fast_seconds,
        "same_pulls": same,
        "regret_ratio": regrets,
    }
    if figure:
        start = time.process_time()  # on one thread, the wall time of an idle machine
        regret_by_horizon(ks=(5,))
        result["figure_seconds"] = time.process_time() - start
    return result


def rows(found: dict) -> list[dict]:
    """Rows on the regret experiments."""
    seconds, speed = found["figure_seconds"], found["time_ratio"]
    return [
        peer(
            "LinUCB with blocking, 12 seeds",
            "one product a round for all seeds (single precision)",
            "rank-one updates seed by seed (double precision)",
            f"{found['same_pulls']:.1%} same pulls, regret {found['regret_ratio']:.3f} of its regret",
            f"{speed:.0f} times faster",
            "3 times",
            speed >= 3,
        ),
        target(
            "Regret figure, 5 horizons, 12 seeds, 12 policies, one sparsity",
            "regret_by_horizon",
            f"{seconds:.0f} s of processor time",
            "at most 30 s",
            seconds <= 30,
        ),
    ]


def plain_linucb(env: Environment, T: int, *, alpha: float) -> np.ndarray:
    """Return the pulls, shape ``(S, T)``, of LinUCB written the usual way: one seed at a time, rank-one updates.

    The inverse is updated by Sherman and Morrison's formula and the widths by the same rank-one recursion, so the work
    a round is O(M d) as in the vectorized code; what differs is the batching and the precision.
    """
    order = np.empty((len(env.means), T), dtype=int)
    for s in range(len(env.means)):
        rng, inverse = np.random.default_rng([0, s]), np.eye(env.arms.shape[1])
        b, width = np.zeros(env.arms.shape[1]), np.square(env.arms).sum(axis=1)
        closed = np.zeros(len(env.arms), dtype=bool)
        for t in range(T):
            index = env.arms @ (inverse @ b) + alpha * np.sqrt(np.maximum(width, 0))
            index[closed] = -np.inf
            arm = order[s, t] = best_arm(index, rng)
            closed[arm] = True
            x = env.arms[arm]
            solved = inverse @ x
            direction = solved / np.sqrt(1 + x @ solved)
            inverse -= np.outer(direction, direction)
            b += env.rewards[s, arm] * x
            width -= np.square(env.arms @ direction)
    return order


def _regret(env: Environment, order: np.ndarray) -> float:
    best = -np.sort(-env.means, axis=1)[:, : order.shape[1]].sum(axis=1)
    return median_interval(best - np.take_along_axis(env.means, order, axis=1).sum(axis=1))[0]


def _best_of(function, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
