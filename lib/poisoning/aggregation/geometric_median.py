"""The geometric median, converged. Sources: Pillutla et al., arXiv 1912.13445 (RFA); Vardi and Zhang, PNAS 2000."""

import torch

from lib.poisoning.aggregation.checks import check_majority, check_updates
from lib.poisoning.aggregation.distances import squared_distances
from lib.poisoning.aggregation.mean import weighted


def geometric_median(updates: torch.Tensor, f: int = 0, *, tolerance: float = 1e-9, most: int = 1000) -> torch.Tensor:
    """Return the point ``(d,)`` with the least sum of distances to the rows of `updates` ``(n, d)``; needs n > 2f.

    Weiszfeld's iteration, started at the row with the least sum of distances and run to convergence; it needs only the
    distances between rows, so that an iteration costs ``n^2`` instead of ``n d``. Started at zero, as in common
    implementations, a few iterations stay far from the median of shifted or far-flung rows.

    Args:
        updates: one row a client.
        f: clients to tolerate.
        tolerance: largest change of a weight in the last iteration.
        most: iterations at most.
    """
    check_majority(len(check_updates(updates)), f, "geometric median")
    distances = squared_distances(updates)
    return weighted(updates, geometric_median_weights(distances, tolerance=tolerance, most=most))


def geometric_median_weights(distances: torch.Tensor, *, tolerance: float = 1e-9, most: int = 1000) -> torch.Tensor:
    """Return the weights ``(n,)``, summing to one, that put the geometric median together; `distances` are squared."""
    start = distances.sqrt().sum(dim=1).argmin()
    weights = torch.zeros_like(distances[0])
    weights[start] = 1
    for _ in range(most):
        step = _step(weights, distances)
        change = (step - weights).abs().max()
        weights = step
        if change <= tolerance:
            break
    return weights


def _step(weights: torch.Tensor, distances: torch.Tensor) -> torch.Tensor:
    """Return Vardi and Zhang's step, which leaves a row on which the iterate sits unless that row is the median."""
    apart = to_rows(weights, distances)
    scale = distances.max().clamp(min=torch.finfo(distances.dtype).tiny)
    here = apart <= 1e-24 * scale
    away = torch.where(here, 0.0, 1 / torch.where(here, 1.0, apart).sqrt())
    if not bool((away > 0).any()):
        return weights
    target = away / away.sum()
    count = int(here.sum())
    if not count:
        return target
    # |sum of unit vectors from here to the others| = (sum of 1/distance) * |target - here|
    between = target - weights
    pull = away.sum() * (-0.5 * between @ distances @ between).clamp(min=0).sqrt()
    stay = min(1.0, count / float(pull)) if pull > 0 else 1.0
    return (1 - stay) * target + stay * weights


def to_rows(weights: torch.Tensor, distances: torch.Tensor) -> torch.Tensor:
    """Return the squared distances ``(n,)`` of the point with `weights` (summing to one) to all rows."""
    spread = distances @ weights
    return (spread - 0.5 * weights @ spread).clamp(min=0)
