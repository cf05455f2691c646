"""Experiments of segmentation: parameters in, tidy table out."""

from lib.segmentation.experiments.comparison import comparison
from lib.segmentation.experiments.longer import longer_tables
from lib.segmentation.experiments.real import real_tables
from lib.segmentation.experiments.statements import (
    ascent_check,
    budget_check,
    charging_check,
    estimator_check,
    information_check,
    leaks,
    plans_check,
    refinement_check,
    regrouping_check,
)
from lib.segmentation.experiments.summaries import by_variant, costs, lookalikes, medians, summary

__all__ = [
    "ascent_check",
    "budget_check",
    "by_variant",
    "charging_check",
    "comparison",
    "costs",
    "estimator_check",
    "information_check",
    "leaks",
    "longer_tables",
    "lookalikes",
    "medians",
    "plans_check",
    "real_tables",
    "refinement_check",
    "regrouping_check",
    "summary",
]
