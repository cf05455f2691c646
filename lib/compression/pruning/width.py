"""Uniform width scaling: every layer stays, all of them thinner by one factor."""

from __future__ import annotations

from lib.compression.layers import Architecture, parameter_count
from lib.compression.networks import narrowed


def width_scaled(teacher: Architecture, parameters: int, *, steps: int = 40) -> Architecture:
    """Return the widest uniformly narrowed `teacher` with at most `parameters` parameters.

    The factor is found by bisection; rounding of widths leaves the count a little below.

    Raises ValueError when not even one filter a layer has so few parameters.
    """
    low, high = 0.0, 1.0
    if parameter_count(teacher) <= parameters:
        return teacher
    if parameter_count(narrowed(teacher, low)) > parameters:
        least = parameter_count(narrowed(teacher, low))
        raise ValueError(f"{parameters:,} parameters: one filter a layer has {least:,} already")
    for _ in range(steps):
        middle = (low + high) / 2
        if parameter_count(narrowed(teacher, middle)) <= parameters:
            low = middle
        else:
            high = middle
    return narrowed(teacher, low)
