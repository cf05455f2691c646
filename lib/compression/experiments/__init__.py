"""Experiments of data-driven compression: parameters in, tidy table out."""

from lib.compression.experiments.frontier import preferred, searched
from lib.compression.experiments.oracle import enumeration, tabular_searches
from lib.compression.experiments.rewards import reward_curves, reward_surface
from lib.compression.experiments.searches import Searches, cache_savings, digits_teacher, searches
from lib.compression.experiments.subsets import heads, subset_searches

__all__ = [
    "Searches",
    "cache_savings",
    "digits_teacher",
    "enumeration",
    "heads",
    "preferred",
    "reward_curves",
    "reward_surface",
    "searched",
    "searches",
    "subset_searches",
    "tabular_searches",
]
