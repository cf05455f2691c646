"""Figures of Spry: tidy table in, captioned figure or readable table out."""

from lib.spry.figures.costs import communication, dropout_noise, step_operations, tangents
from lib.spry.figures.longer import by_skew, levels, skew_table, ways
from lib.spry.figures.memory import memory_bars, memory_by_depth, paper_shapes
from lib.spry.figures.methods import methods, protocols, released_runs, sweeps, texts, with_epochs, with_lora
from lib.spry.figures.tables import defects, derivative, encoder, lora_gains, paper_table, ranked, ranking
from lib.spry.figures.theory import convergence_floor, estimator_error, label_skew_bias, splitting_rounds

__all__ = [
    "by_skew",
    "communication",
    "convergence_floor",
    "defects",
    "derivative",
    "dropout_noise",
    "encoder",
    "estimator_error",
    "label_skew_bias",
    "levels",
    "lora_gains",
    "memory_bars",
    "memory_by_depth",
    "methods",
    "paper_shapes",
    "paper_table",
    "protocols",
    "ranked",
    "ranking",
    "released_runs",
    "skew_table",
    "splitting_rounds",
    "step_operations",
    "sweeps",
    "tangents",
    "texts",
    "ways",
    "with_epochs",
    "with_lora",
]
