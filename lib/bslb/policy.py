"""What every policy returns, what every policy refuses, and the exploit step that several share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lib.bslb.environments import Environment


@dataclass(frozen=True)
class Run:
    """The arms that a policy pulled; every metric is derived from `order`.

    Attributes:
        order: arm indices in the order of the pulls, shape ``(S, T)``, distinct in each row.
        explored: number of leading pulls that were exploration.
        estimate: last parameter estimate, shape ``(S, d)``, or None for policies without one.
    """

    order: np.ndarray
    explored: int
    estimate: np.ndarray | None = None

    def __post_init__(self) -> None:
        check_blocking(self.order)


def check_blocking(order: np.ndarray) -> None:
    """Raise RuntimeError if a row of `order`, shape ``(S, T)``, holds an arm twice."""
    ranked = np.sort(order, axis=1)
    if (ranked[:, 1:] == ranked[:, :-1]).any():
        raise RuntimeError("a policy pulled an arm twice: blocking is broken")


def check_problem(env: Environment, T: int, *, k: int | None = None) -> None:
    """Raise ValueError unless `T` pulls (and sparsity `k`) make sense on `env`."""
    M, d = env.arms.shape
    if not 1 <= T <= M:
        raise ValueError(f"T = {T} pulls need 1 <= T <= M = {M} arms under blocking; lower T or add arms")
    if k is not None and not 1 <= k <= d:
        raise ValueError(f"k = {k} must lie between 1 and the dimension d = {d}; lower k")
    if not (np.isfinite(env.arms).all() and np.isfinite(env.rewards).all()):
        raise ValueError("arms and rewards must be finite; build the environment with make_environment")


def replicate_rngs(env: Environment, seed: int) -> list[np.random.Generator]:
    """Return one generator a replicate: that of replicate ``s`` is ``default_rng([seed, s])``."""
    return [np.random.default_rng([seed, s]) for s in range(len(env.means))]


def best_available(scores: np.ndarray, pulled: Sequence[int], count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the `count` arms of highest score not in `pulled`, best first, ties in random order.

    Args:
        scores: one score an arm, shape ``(M,)``.
        pulled: distinct indices that blocking excludes, shape ``(n,)``.
        count: number of arms to return, at most ``M - n``.
        rng: generator that breaks ties.
    """
    key = -np.asarray(scores)
    key[np.asarray(pulled, dtype=int)] = np.inf
    shuffled = rng.permutation(len(key))
    key = key[shuffled]
    head = np.argpartition(key, count - 1)[:count] if count < len(key) else np.arange(count)
    return shuffled[head[np.argsort(key[head], kind="stable")]]


def best_arm(index: np.ndarray, rng: np.random.Generator) -> int:
    """Return the position of the largest entry of `index`, shape ``(M,)``, a random one if several are largest."""
    ties = np.flatnonzero(index == index.max())
    return int(ties[0] if len(ties) == 1 else rng.choice(ties))


def explore_then_commit(
    env: Environment,
    T: int,
    first: np.ndarray,
    fit: Callable[[np.ndarray, np.ndarray], np.ndarray],
    rngs: list[np.random.Generator],
    *,
    refit: int | None = None,
) -> Run:
    """Pull the arms `first`, fit, then pull the available arms that the fit ranks highest.

    Args:
        env: the environment, S replicates.
        T: number of pulls.
        first: exploration arms of each replicate, shape ``(S, n)``, distinct in a row, n at most T.
        fit: maps arms ``(n, d)`` and rewards ``(n,)`` to an estimate ``(d,)``.
        rngs: one generator a replicate; they break ties.
        refit: fit again on all observations after every `refit` further pulls; None fits once.
    """
    S, explored = first.shape
    order = np.empty((S, T), dtype=int)
    order[:, :explored] = first
    theta, done = None, explored
    while done < T:
        theta = np.stack([fit(env.arms[order[s, :done]], env.rewards[s, order[s, :done]]) for s in range(S)])
        scores = env.scores(theta)
        step = min(refit or T, T - done)
        for s, rng in enumerate(rngs):
            order[s, done : done + step] = best_available(scores[s], order[s, :done], step, rng)
        done += step
    return Run(order, explored, theta)
