"""Students scored without training them, so that a search takes a second: for the dynamics of policies only.

Parameters are exact, latency is a linear function of the layers kept that is fitted to measured students, accuracy an
assumed curve of the share of layers kept. Nothing here says how accurate a real student is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import nnls

from lib.compression.layers import MAX_LINEAR_INPUTS, Architecture, Block, Leaf, after, free, parameter_count
from lib.compression.reward import INVALID

Reward = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Surrogate:
    """Accuracy, time and parameters of every student of `teacher`, relative to the teacher's.

    Attributes:
        teacher: The full architecture.
        seconds: Share of the teacher's latency that each place adds when kept, ``(places,)``.
        base: Share of the latency that is left with no place kept.
        top: Accuracy ratio of a student that keeps everything.
        low: Accuracy ratio of the smallest one, relative to `top` (specification: 0.90 to 0.95).
        power: Exponent of the kept share in the accuracy.
        noise: Standard deviation of a measured accuracy ratio.
    """

    teacher: Architecture
    seconds: np.ndarray
    base: float
    top: float = 1.0
    low: float = 0.9
    power: float = 0.7
    noise: float = 0.01

    def metrics(
        self, keep: np.ndarray, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the ratios of accuracy, time and parameters of each student ``(..., places)``; noise needs `rng`."""
        deciding = free(self.teacher)
        kept = np.asarray(keep, dtype=bool) | ~deciding
        share = kept[..., deciding].mean(axis=-1)
        accuracy = self.top - (1 - self.low) * (1 - share**self.power)
        if rng is not None:
            accuracy = accuracy + self.noise * rng.standard_normal(accuracy.shape)
        time = np.maximum(self.base + kept @ self.seconds, 1e-3)
        return accuracy, time, parameter_counts(self.teacher, kept) / parameter_count(self.teacher)

    def rewards(self, keep: np.ndarray, reward: Reward, rng: np.random.Generator | None = None) -> np.ndarray:
        """Return `reward` of the ratios of each student, and -1 for those that are rejected untrained."""
        return np.where(valid(self.teacher, keep), reward(*self.metrics(keep, rng)), INVALID)

    def subset(self, *, top: float = 1.0, low: float = 0.95) -> Surrogate:
        """Return the surrogate of an easier problem on the same network: fewer classes lose less accuracy."""
        return replace(self, top=top, low=low)


@dataclass(frozen=True)
class LatencyFit:
    """A linear latency model and how well it predicts students it was not fitted to (correlation across folds)."""

    seconds: np.ndarray
    base: float
    correlation: float
    students: int


def fit_latency(
    teacher: Architecture, keep: np.ndarray, ratios: np.ndarray, *, ridge: float = 1.0, folds: int = 5
) -> LatencyFit:
    """Fit latency ratios ``(n,)`` of measured students to their decisions `keep` ``(n, places)`` by ridge regression.

    Only free places get a share, and none below zero: a layer more never makes a network faster. The result is rescaled
    so that keeping everything costs 1, the teacher's latency. The correlation is between measured ratios and
    predictions for students left out of the fit.

    Raises ValueError for fewer students than twice the number of folds.
    """
    deciding = free(teacher)
    kept, ratios = np.asarray(keep, dtype=float)[:, deciding], np.asarray(ratios, dtype=float)
    if len(kept) < 2 * folds:
        raise ValueError(f"{len(kept)} measured students: {folds} folds need at least {2 * folds}")
    predicted = np.empty_like(ratios)
    for fold in range(folds):
        out = np.arange(len(kept)) % folds == fold
        slope, base = _ridge(kept[~out], ratios[~out], ridge)
        predicted[out] = base + kept[out] @ slope
    slope, base = _ridge(kept, ratios, ridge)
    seconds = np.zeros(len(deciding))
    seconds[deciding] = slope
    full = base + slope.sum()
    correlation = float(np.corrcoef(predicted, ratios)[0, 1])
    return LatencyFit(seconds / full, float(base / full), correlation, len(kept))


def random_decisions(teacher: Architecture, students: int, rng: np.random.Generator) -> np.ndarray:
    """Return decisions on valid students, ``(students, places)``; each has its own chance of keeping a layer."""
    deciding, found = free(teacher), []
    while sum(map(len, found)) < students:
        chance = rng.random((2 * students, 1))
        drawn = (rng.random((2 * students, len(deciding))) < chance) | ~deciding
        found.append(drawn[valid(teacher, drawn)])
    return np.concatenate(found)[:students]


def valid(teacher: Architecture, keep: np.ndarray) -> np.ndarray:
    """Return which students ``(..., places)`` are not rejected: smaller than the teacher, no huge linear layer."""
    parameters, widest = _walk(teacher, keep)
    return (parameters < parameter_count(teacher)) & (widest <= MAX_LINEAR_INPUTS)


def parameter_counts(teacher: Architecture, keep: np.ndarray) -> np.ndarray:
    """Return the exact number of parameters of every student; `keep` is ``(..., places)``, the result ``(...)``."""
    return _walk(teacher, keep)[0]


def _walk(teacher: Architecture, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return parameters and largest number of inputs of a linear layer of all students at once."""
    kept = np.asarray(keep, dtype=bool) | ~free(teacher)
    flags = iter(np.moveaxis(kept, -1, 0))
    total, widest = np.zeros(kept.shape[:-1], dtype=np.int64), np.zeros(kept.shape[:-1], dtype=np.int64)
    at = np.full_like(total, teacher.channels), np.full_like(total, teacher.pixels)

    def passed(leaf: Leaf, flag: np.ndarray | bool, channels: np.ndarray, pixels: np.ndarray) -> tuple:
        inputs = channels * pixels**2 if leaf.kind == "linear" else channels
        total[...] += np.where(flag, _parameters(leaf, inputs), 0)
        widest[...] = np.maximum(widest, np.where(flag & (leaf.kind == "linear"), inputs, 0))
        outputs, side = after(leaf, channels, pixels)
        return np.where(flag, outputs, channels), np.where(flag, side, pixels)

    for part in teacher.parts:
        if isinstance(part, Block):
            beside = at
            for leaf in part.shortcut:
                beside = passed(leaf, True, *beside)
        for leaf in part.main if isinstance(part, Block) else (part,):
            at = passed(leaf, next(flags), *at)
    return total, widest


def _parameters(leaf: Leaf, inputs: np.ndarray) -> np.ndarray | int:
    if leaf.kind == "conv":
        return leaf.outputs * (inputs * leaf.kernel**2 + leaf.bias)
    if leaf.kind == "linear":
        return leaf.outputs * (inputs + leaf.bias)
    return 2 * inputs if leaf.kind == "batchnorm" else 0


def _ridge(kept: np.ndarray, ratios: np.ndarray, ridge: float) -> tuple[np.ndarray, float]:
    """Return slopes and intercept of the least squares with penalty `ridge` on squared slopes, none below zero."""
    layers = kept.shape[1]
    penalty = np.sqrt(ridge) * np.eye(layers, layers + 1)
    design = np.vstack([np.column_stack([kept, np.ones(len(kept))]), penalty])
    found, _ = nnls(design, np.concatenate([ratios, np.zeros(layers)]))
    return found[:-1], float(found[-1])
