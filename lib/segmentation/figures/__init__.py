"""Figures of segmentation: tidy table in, captioned figure out."""

from lib.segmentation.figures.comparison import audiences, budgets, fairness, segments, trade_off
from lib.segmentation.figures.longer import gains, media_band, steadiness
from lib.segmentation.figures.statements import (
    ascent,
    charging,
    diagram,
    estimator,
    information,
    leaks,
    program,
    refinement,
    regrouping,
)

__all__ = [
    "ascent",
    "audiences",
    "budgets",
    "charging",
    "diagram",
    "estimator",
    "fairness",
    "gains",
    "information",
    "leaks",
    "media_band",
    "program",
    "refinement",
    "regrouping",
    "segments",
    "steadiness",
    "trade_off",
]
