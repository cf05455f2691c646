"""Experiments of data-driven compression: parameters in, tidy table out."""

from lib.compression.experiments.rewards import reward_curves, reward_surface
from lib.compression.experiments.searches import METHODS, Searches, cache_savings, digits_teacher, searches

__all__ = [
    "METHODS",
    "Searches",
    "cache_savings",
    "digits_teacher",
    "reward_curves",
    "reward_surface",
    "searches",
]
