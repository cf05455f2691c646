"""Centred clipping around the last aggregate. Source: Karimireddy et al., arXiv 2012.10333."""

import torch

from lib.poisoning.aggregation.checks import check_updates
from lib.poisoning.aggregation.mean import weighted
from lib.poisoning.aggregation.norm_bound import middle, row_norms, shrink


def centred_clipping(
    updates: torch.Tensor,
    f: int = 0,
    *,
    centre: torch.Tensor | None = None,
    radius: float | None = None,
    iterations: int = 1,
) -> torch.Tensor:
    """Return the centre ``(d,)`` moved by the mean of the clipped differences of `updates` ``(n, d)`` to it.

    Args:
        updates: one row a client.
        f: not used; the displacement is at most ``iterations * radius`` whatever attackers send.
        centre: where to start, the previous aggregate; None is zero.
        radius: longest difference; None takes the median distance to the centre in every iteration.
        iterations: repetitions, at least one.
    """
    check_updates(updates)
    if iterations < 1 or (radius is not None and radius < 0):
        raise ValueError(f"iterations = {iterations} must be at least 1 and radius = {radius} not negative")
    centre = torch.zeros_like(updates[0]) if centre is None else centre
    for _ in range(iterations):
        apart = row_norms(updates, centre)
        weights = shrink(apart, middle(apart) if radius is None else radius) / len(updates)
        centre = (1 - float(weights.sum())) * centre + weighted(updates, weights)
    return centre
