"""Figures of data-driven compression: tidy table in, captioned figure out."""

from lib.compression.figures.frontier import frontier, oracle
from lib.compression.figures.rewards import reward_curves, reward_surface
from lib.compression.figures.searches import comparison, learning
from lib.compression.figures.subsets import heads, subset_policies, transfer_learning

__all__ = [
    "comparison",
    "frontier",
    "heads",
    "learning",
    "oracle",
    "reward_curves",
    "reward_surface",
    "subset_policies",
    "transfer_learning",
]
