"""Figures of Spry: tidy table in, captioned figure out."""

from lib.spry.figures.costs import communication, dropout_noise, step_operations, tangents
from lib.spry.figures.memory import memory_bars, memory_by_depth, paper_shapes, paper_table
from lib.spry.figures.methods import adapted, methods, protocols, ranking, released_runs, sweeps, texts, with_epochs
from lib.spry.figures.theory import convergence_floor, estimator_error, label_skew_bias, splitting_rounds

__all__ = [
    "adapted",
    "communication",
    "convergence_floor",
    "dropout_noise",
    "estimator_error",
    "label_skew_bias",
    "memory_bars",
    "memory_by_depth",
    "methods",
    "paper_shapes",
    "paper_table",
    "protocols",
    "ranking",
    "released_runs",
    "splitting_rounds",
    "step_operations",
    "sweeps",
    "tangents",
    "texts",
    "with_epochs",
]
