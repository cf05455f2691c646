"""Min-Max and Min-Sum: as far as a benign update could be, in closed form.

Source: Shejwalkar and Houmansadr, NDSS 2021; the closed forms are the companion's.
"""

import torch

from lib.poisoning.attacks.geometry import Geometry, geometry
from lib.poisoning.attacks.reference import check_reference, copies, direction


def min_max(benign: torch.Tensor, count: int, *, kind: str = "unit") -> torch.Tensor:
    """Return copies ``(count, d)`` no farther from any row of `benign` ``(n, d)`` than two of them are apart."""
    return _farthest(benign, count, kind, min_max_strength)


def min_sum(benign: torch.Tensor, count: int, *, kind: str = "unit") -> torch.Tensor:
    """Return copies ``(count, d)`` whose sum of squared distances to `benign` is at most the largest of its rows."""
    return _farthest(benign, count, kind, min_sum_strength)


def min_max_strength(known: Geometry) -> float:
    """Return the largest strength g for which ``max_i |mean + g p - b_i| <= max_ij |b_i - b_j|``.

    Row i allows ``g <= (a + sqrt(a^2 - |p|^2 (|x|^2 - R^2))) / |p|^2`` with x its deviation, ``a = <x, p>`` and R the
    largest distance.
    """
    n, gram = known.benign, known.gram
    length = gram[-1, -1]
    if length <= 0:
        return 0.0
    norms, along = gram.diagonal()[:n], gram[:n, -1]
    largest = (norms[:, None] + norms[None, :] - 2 * gram[:n, :n]).max()
    root = (along.square() - length * (norms - largest)).clamp(min=0).sqrt()
    return float(((along + root) / length).min())


def min_sum_strength(known: Geometry) -> float:
    """Return the largest g for which ``sum_i |mean + g p - b_i|^2 <= max_i sum_j |b_i - b_j|^2``.

    Deviations sum to zero, so both sides hold the sum of their squares: ``g = max_i |x_i| / |p|``.
    """
    return known.scale


def _farthest(benign, count, kind, strength) -> torch.Tensor:
    toward = direction(check_reference(benign, count), kind)
    return copies(benign.mean(dim=0) + strength(geometry(benign, toward, count)) * toward, count)
