"""The student with the best reward on a surrogate, and how it moves with the thresholds (proposition P8)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from lib.compression.layers import free
from lib.compression.reward import Thresholds, ddc
from lib.compression.surrogate import Reward, Surrogate, parameter_counts
from lib.compression.theory_gradient import all_decisions

# The specification's path from small and fast to accurate.
PATH = (
    Thresholds(0.9, 0.3, 0.6),
    Thresholds(0.95, 0.45, 0.6),
    Thresholds(0.97, 0.6, 0.6),
    Thresholds(0.98, 0.75, 0.75),
    Thresholds(0.99, 0.9, 0.9),
)


def every_student(surrogate: Surrogate) -> np.ndarray:
    """Return the decisions on all students ``(2^free, places)`` of a small network (at most 16 free layers)."""
    deciding = free(surrogate.teacher)
    choice = all_decisions(int(deciding.sum()))
    keep = np.ones((len(choice), len(deciding)), dtype=bool)
    keep[:, deciding] = choice
    return keep


def best_student(surrogate: Surrogate, reward: Reward, *, mixes: int = 41) -> tuple[np.ndarray, float]:
    """Return decisions and noiseless reward of the best student found: where a scan, then an exchange, end.

    Accuracy depends on the number of layers kept alone, so for each number the cheapest layers are kept, by `mixes`
    weightings of time against parameters; from the best of these, layers are added, removed or swapped one by one as
    long as the reward rises. Exact on all spaces that were enumerated; no guarantee beyond.
    """
    deciding = np.flatnonzero(free(surrogate.teacher))
    keep = _scanned(surrogate, deciding, mixes)
    scores = surrogate.rewards(keep, reward)
    best, value = keep[scores.argmax()], float(scores.max())
    while True:
        around = _neighbours(best, deciding)
        scores = surrogate.rewards(around, reward)
        if not scores.max() > value:
            return best, value
        best, value = around[scores.argmax()], float(scores.max())


def threshold_path(surrogate: Surrogate, thresholds: Iterable[Thresholds] = PATH) -> pd.DataFrame:
    """Return the best student of each setting of the thresholds (P8), one row each.

    Columns thresholds (as text), a_th, t_th, c_th, reward, a, t, c (the student's ratios), kept (share of free layers).
    """
    rows = []
    for at in thresholds:
        keep, value = best_student(surrogate, lambda a, t, c, at=at: ddc(a, t, c, at))
        a, t, c = (float(ratio) for ratio in surrogate.metrics(keep))
        kept = float(keep[free(surrogate.teacher)].mean())
        rows.append((f"{at.a:g}, {at.t:g}, {at.c:g}", at.a, at.t, at.c, value, a, t, c, kept))
    return pd.DataFrame(rows, columns=["thresholds", "a_th", "t_th", "c_th", "reward", "a", "t", "c", "kept"])


def _scanned(surrogate: Surrogate, deciding: np.ndarray, mixes: int) -> np.ndarray:
    """Return the cheapest layers for every number of layers and weighting of costs, ``(mixes (free + 1), places)``."""
    places = len(free(surrogate.teacher))
    without = np.ones((len(deciding), places), dtype=bool)
    without[np.arange(len(deciding)), deciding] = False
    whole = parameter_counts(surrogate.teacher, np.ones(places, dtype=bool))
    size = (whole - parameter_counts(surrogate.teacher, without)) / whole
    mix = np.linspace(0, 1, mixes)[:, None]
    cost = mix * surrogate.seconds[deciding] + (1 - mix) * size
    rank = cost.argsort(axis=1, kind="stable").argsort(axis=1)
    chosen = rank[:, None, :] < np.arange(len(deciding) + 1)[:, None]
    keep = np.ones((mixes, len(deciding) + 1, places), dtype=bool)
    keep[..., deciding] = chosen
    return keep.reshape(-1, places)


def _neighbours(keep: np.ndarray, deciding: np.ndarray) -> np.ndarray:
    """Return all students with one layer more, one less, or one in exchange for another."""
    flips = np.zeros((len(deciding), len(keep)), dtype=bool)
    flips[np.arange(len(deciding)), deciding] = True
    kept, removed = (deciding[keep[deciding] == value] for value in (True, False))
    swaps = np.zeros((len(kept) * len(removed), len(keep)), dtype=bool)
    rows = np.arange(len(swaps))
    swaps[rows, np.repeat(kept, len(removed))] = True
    swaps[rows, np.tile(removed, len(kept))] = True
    return keep ^ np.concatenate([flips, swaps])
