"""Figures of Flow: tidy table in, captioned figure out."""

from lib.flow.figures.preference import gains, granularity, harm, routes, spread
from lib.flow.figures.statements import instance_value, mixing

__all__ = ["gains", "granularity", "harm", "instance_value", "mixing", "routes", "spread"]
