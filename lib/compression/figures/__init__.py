"""Figures of data-driven compression: tidy table in, captioned figure out."""

from lib.compression.figures.dynamics import exact_curves, policy_curves, transfer_curves
from lib.compression.figures.edge import cold_passes, edge_costs, latency_costs
from lib.compression.figures.frontier import frontier, oracle
from lib.compression.figures.parts import passes, readable, replays, scale
from lib.compression.figures.rewards import preferences, reward_curves, reward_surface
from lib.compression.figures.searches import beside_greedy, beside_search, comparison, learning
from lib.compression.figures.statements import gradient_variance, threshold_frontier
from lib.compression.figures.subsets import heads, subset_policies, transfer_learning
from lib.compression.noise import timing_noise

__all__ = [
    "beside_greedy",
    "beside_search",
    "cold_passes",
    "comparison",
    "edge_costs",
    "exact_curves",
    "frontier",
    "gradient_variance",
    "heads",
    "latency_costs",
    "learning",
    "oracle",
    "passes",
    "policy_curves",
    "preferences",
    "readable",
    "replays",
    "reward_curves",
    "reward_surface",
    "scale",
    "subset_policies",
    "threshold_frontier",
    "timing_noise",
    "transfer_curves",
    "transfer_learning",
]
