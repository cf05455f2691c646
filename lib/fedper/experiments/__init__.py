"""Experiments of FedPer: parameters in, tidy table out."""

from lib.fedper.experiments.ablation import base_ablation, bases_on_cifar10
from lib.fedper.experiments.arms import Plan
from lib.fedper.experiments.classes import accuracy_by_classes, common_heads, digits_partition, other_methods
from lib.fedper.experiments.concept import aesthetics, renamed_labels
from lib.fedper.experiments.costs import round_costs, step_costs, transfer_counts, unit_sizes
from lib.fedper.experiments.images import by_units
from lib.fedper.experiments.newcomers import newcomers
from lib.fedper.experiments.normalization import normalizations
from lib.fedper.experiments.rates import tuned
from lib.fedper.experiments.real import KNOWN, real_tables
from lib.fedper.experiments.skew import accuracy_by_skew
from lib.fedper.experiments.statements import block_descent_check, shared_representation
from lib.fedper.experiments.stationarity import stationarity

__all__ = [
    "KNOWN",
    "Plan",
    "accuracy_by_classes",
    "accuracy_by_skew",
    "aesthetics",
    "base_ablation",
    "bases_on_cifar10",
    "block_descent_check",
    "by_units",
    "common_heads",
    "digits_partition",
    "newcomers",
    "normalizations",
    "other_methods",
    "real_tables",
    "renamed_labels",
    "round_costs",
    "shared_representation",
    "stationarity",
    "step_costs",
    "transfer_counts",
    "tuned",
    "unit_sizes",
]
