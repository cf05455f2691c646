"""Figures of FedPer: tidy table in, captioned figure out."""

from lib.federated.partition_plot import partition_figure
from lib.fedper.figures.classes import (
    accuracy_by_round,
    accuracy_by_units,
    accuracy_by_user,
    comparison,
    crossover,
    gains_by_policy,
    joined,
    networks,
    timing,
)
from lib.fedper.figures.concept import aesthetics, base_ablation, newcomers, renamed_labels
from lib.fedper.figures.rates import learning_rates
from lib.fedper.figures.statements import (
    block_descent,
    pareto,
    shared_representation,
    split_diagram,
    stationarity,
    transfer,
)

__all__ = [
    "accuracy_by_round",
    "accuracy_by_units",
    "accuracy_by_user",
    "aesthetics",
    "base_ablation",
    "block_descent",
    "comparison",
    "crossover",
    "gains_by_policy",
    "joined",
    "learning_rates",
    "networks",
    "newcomers",
    "pareto",
    "partition_figure",
    "renamed_labels",
    "shared_representation",
    "split_diagram",
    "stationarity",
    "timing",
    "transfer",
]
