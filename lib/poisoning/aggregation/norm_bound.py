"""Norm bounding: long updates are shortened. Source: Sun et al., arXiv 1911.07963."""

import torch

from lib.poisoning.aggregation.checks import check_majority, check_updates
from lib.poisoning.aggregation.mean import weighted


def norm_bound(updates: torch.Tensor, f: int = 0, *, radius: float | None = None) -> torch.Tensor:
    """Return the mean ``(d,)`` of `updates` ``(n, d)``, each shortened to a norm of at most `radius`.

    `radius` None takes the median norm, which needs n > 2f; with a fixed radius f is not used, and f attackers move the
    mean by at most ``2 f radius / n``.
    """
    norms = row_norms(check_updates(updates))
    if radius is None:
        check_majority(len(updates), f, "norm bounding at the median norm")
    return weighted(updates, bound_weights(norms, radius))


def bound_weights(norms: torch.Tensor, radius: float | None = None) -> torch.Tensor:
    """Return the weights ``(n,)`` of rows with `norms` ``(n,)`` after shortening; `radius` None is the median norm."""
    limit = middle(norms) if radius is None else radius
    if limit < 0:
        raise ValueError(f"radius = {radius} must not be negative")
    return shrink(norms, limit) / len(norms)


def shrink(norms: torch.Tensor, limit: float | torch.Tensor) -> torch.Tensor:
    """Return the factors ``min(1, limit / norm)`` that bring vectors of `norms` within `limit`; 1 for norm zero."""
    return torch.where(norms > limit, limit / torch.where(norms > 0, norms, 1), torch.ones_like(norms))


def row_norms(updates: torch.Tensor, centre: torch.Tensor | None = None) -> torch.Tensor:
    """Return the Euclidean norms ``(n,)``, float64, of the rows of `updates` ``(n, d)`` minus `centre` ``(d,)``."""
    total = updates.new_zeros(len(updates), dtype=torch.float64)
    for start in range(0, updates.shape[1], 2**13):
        block = updates[:, start : start + 2**13].double()
        total += (block if centre is None else block - centre[start : start + 2**13].double()).square().sum(dim=1)
    return total.sqrt()


def middle(values: torch.Tensor) -> torch.Tensor:
    """Return the median of `values` ``(n,)``: the mean of the two in the middle for an even number."""
    rows = values.sort().values
    return (rows[(len(rows) - 1) // 2] + rows[len(rows) // 2]) / 2
