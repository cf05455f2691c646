"""Figures of Flow: tidy table in, captioned figure out."""

from lib.flow.figures.comparison import ablation, deltas, methods, newcomers
from lib.flow.figures.curves import over_rounds
from lib.flow.figures.preference import gains, granularity, harm, routes, spread, unit_shares
from lib.flow.figures.statements import global_rates, instance_value, mixing, personal_gradients

__all__ = [
    "ablation",
    "deltas",
    "gains",
    "global_rates",
    "granularity",
    "harm",
    "instance_value",
    "methods",
    "mixing",
    "newcomers",
    "over_rounds",
    "personal_gradients",
    "routes",
    "spread",
    "unit_shares",
]
