"""Baselines that thin layers instead of removing them: filter pruning, uniform width, learned widths."""

from lib.compression.pruning.library import library_pruning
from lib.compression.pruning.shrinkage import Shrinkage, shrink_search, shrunk
from lib.compression.pruning.taylor import filter_scores, paper_rounds, taylor_pruning, taylor_pruning_to
from lib.compression.pruning.width import width_scaled

__all__ = [
    "Shrinkage",
    "filter_scores",
    "library_pruning",
    "paper_rounds",
    "shrink_search",
    "shrunk",
    "taylor_pruning",
    "taylor_pruning_to",
    "width_scaled",
]
