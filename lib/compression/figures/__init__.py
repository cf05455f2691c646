"""Figures of data-driven compression: tidy table in, captioned figure out."""

from lib.compression.figures.rewards import reward_curves, reward_surface
from lib.compression.figures.searches import comparison, learning

__all__ = ["comparison", "learning", "reward_curves", "reward_surface"]
