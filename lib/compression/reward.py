"""Rewards of a student: functions of its accuracy a, time t and parameters c, each relative to the teacher's.

All of them take numbers or arrays and broadcast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

INVALID = -1.0  # reward of a student that is rejected without training


@dataclass(frozen=True)
class Thresholds:
    """Where the three logistic rewards pass one half, and their slope; the paper's values (section on the reward)."""

    a: float = 0.9
    t: float = 0.3
    c: float = 0.6
    slope: float = 15.0


def logistic(z: ArrayLike) -> np.ndarray:
    """Return 1 / (1 + exp(-z)) without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(z, dtype=float)))


def parts(a: ArrayLike, t: ArrayLike, c: ArrayLike, at: Thresholds = Thresholds()) -> tuple[np.ndarray, ...]:
    """Return the rewards of accuracy, time and size, rising in `a`, falling in `t` and `c` (the paper's figure 1)."""
    return (
        logistic(at.slope * (np.asarray(a) - at.a)),
        logistic(-at.slope * (np.asarray(t) - at.t)),
        logistic(-at.slope * (np.asarray(c) - at.c)),
    )


def ddc(a: ArrayLike, t: ArrayLike, c: ArrayLike, at: Thresholds = Thresholds()) -> np.ndarray:
    """Return the paper's reward, the product of the three `parts`."""
    one, two, three = parts(a, t, c, at)
    return one * two * three


def additive(a: ArrayLike, t: ArrayLike, c: ArrayLike, at: Thresholds = Thresholds(a=0.6)) -> np.ndarray:
    """Return the sum of the three `parts`, as the last state of the authors' code has it, with its thresholds."""
    return np.sum(np.broadcast_arrays(*parts(a, t, c, at)), axis=0)


def n2n(a: ArrayLike, t: ArrayLike, c: ArrayLike) -> np.ndarray:
    """Return the reward of N2N (arXiv 1709.06030): a C (2 - C) with the compression C = 1 - c; time does not enter."""
    compression = 1 - np.asarray(c, dtype=float)
    return np.asarray(a) * compression * (2 - compression) + 0.0 * np.asarray(t)


def constrained_n2n(
    a: ArrayLike, t: ArrayLike, c: ArrayLike, *, budget: float = 0.6, iteration: int = 0, horizon: int = 15
) -> np.ndarray:
    """Return N2N's reward, lowered where c exceeds `budget` by more and more: (eps - 1) + eps a C (2 - C).

    eps = max(0, 1 - iteration / horizon)^4. (The code raises first and compares then, so that eps grows again after
    `horizon`; we take that for a slip.)
    """
    eps = max(0.0, 1 - iteration / horizon) ** 4
    plain = n2n(a, t, c)
    return np.where(np.asarray(c) > budget, (eps - 1) + eps * plain, plain)


def first_draft(a: ArrayLike, t: ArrayLike, c: ArrayLike, *, a_th: float = 0.9) -> np.ndarray:
    """Return the earliest variant: an accuracy reward that jumps down at its threshold, times that of time and size."""
    a = np.asarray(a, dtype=float)
    accuracy = np.where(a < a_th, a / 2, np.log((1 + np.exp(a - a_th)) / 2))
    return accuracy * _old_time_and_size(t, c)


def second_draft(a: ArrayLike, t: ArrayLike, c: ArrayLike, *, a_th: float = 0.65) -> np.ndarray:
    """Return the second variant; the code's threshold is an accuracy of 0.65, so pass `a_th` = 0.65 / the teacher's."""
    return (0.5 + 0.5 * np.tanh(10 * (np.asarray(a) - a_th))) * _old_time_and_size(t, c)


def exchange_rate(a: ArrayLike, t: ArrayLike, at: Thresholds = Thresholds()) -> np.ndarray:
    """Return how much relative accuracy one unit of relative time is worth: (1 - R_2) / (1 - R_1).

    From d log R = slope [(1 - R_1) da - (1 - R_2) dt - (1 - R_3) dc].
    """
    one, two, _ = parts(a, t, 0.0, at)
    return (1 - two) / (1 - one)


def _old_time_and_size(t: ArrayLike, c: ArrayLike) -> np.ndarray:
    compression = 1 - np.asarray(c, dtype=float)
    return logistic(-10 * (np.asarray(t) - 0.6)) * compression * (2 - compression)
