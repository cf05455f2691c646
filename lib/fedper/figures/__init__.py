"""Figures of FedPer: tidy table in, captioned figure out."""

from lib.fedper.figures.classes import (
    accuracy_by_round,
    accuracy_by_units,
    accuracy_by_user,
    comparison,
    crossover,
    joined,
    timing,
)
from lib.fedper.figures.concept import aesthetics, base_ablation, newcomers, renamed_labels
from lib.fedper.figures.statements import block_descent, pareto, shared_representation, split_diagram, transfer

__all__ = [
    "accuracy_by_round",
    "accuracy_by_units",
    "accuracy_by_user",
    "aesthetics",
    "base_ablation",
    "block_descent",
    "comparison",
    "crossover",
    "joined",
    "newcomers",
    "pareto",
    "renamed_labels",
    "shared_representation",
    "split_diagram",
    "timing",
    "transfer",
]
