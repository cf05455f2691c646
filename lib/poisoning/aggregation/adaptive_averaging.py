"""Adaptive federated averaging (AFA): drop rows whose cosine to the mean is off. Source: arXiv 1909.05125."""

import torch

from lib.poisoning.aggregation.checks import check_updates
from lib.poisoning.aggregation.mean import weighted
from lib.poisoning.aggregation.multi_krum import share_of
from lib.poisoning.aggregation.norm_bound import middle


def adaptive_averaging(updates: torch.Tensor, f: int = 0, *, width: float = 2.0, step: float = 0.5) -> torch.Tensor:
    """Return the mean ``(d,)`` of the rows of `updates` ``(n, d)`` that survive; `f` is not used.

    A pass compares the cosines between rows and the mean of those left with their median: where their mean is below it
    the rows more than `width` standard deviations below are dropped, otherwise those above. It ends when none is
    dropped; `width` grows by `step` each pass. All clients count alike (the reputations of the source are left out).
    """
    rows = check_updates(updates)
    left = surviving_rows(inner_products(rows), width=width, step=step)
    return weighted(rows, share_of(left, len(rows)))


def surviving_rows(inner: torch.Tensor, *, width: float = 2.0, step: float = 0.5) -> torch.Tensor:
    """Return the indices of the rows that survive, in order, given their inner products ``(n, n)``."""
    norms = inner.diagonal().clamp(min=0).sqrt()
    left = torch.arange(len(inner))
    while len(left) > 1:
        part = inner[left][:, left]
        length = part.mean().clamp(min=0).sqrt()
        scale = length * norms[left]
        cosines = torch.where(scale > 0, part.mean(dim=1) / torch.where(scale > 0, scale, 1), torch.zeros_like(scale))
        centre, spread = middle(cosines), cosines.std(correction=0)
        low = bool(cosines.mean() < centre)
        off = cosines < centre - width * spread if low else cosines > centre + width * spread
        if not bool(off.any()) or bool(off.all()):
            break
        left, width = left[~off], width + step
    return left


def inner_products(rows: torch.Tensor) -> torch.Tensor:
    """Return the inner products ``(n, n)``, float64 on the CPU, of `rows` ``(n, d)``, block by block."""
    total = torch.zeros(len(rows), len(rows), dtype=torch.float64)
    for block in rows.split(2**13, dim=1):
        part = block.double()
        total += (part @ part.T).cpu()
    return total
