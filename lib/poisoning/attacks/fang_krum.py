"""Fang et al.'s attack on Krum: as far against the sign of the mean as Krum still selects.

Source: Fang et al., arXiv 1911.11815; the bound from which the search starts is recalled, not re-read.
"""

import math

import torch

from lib.poisoning.aggregation.krum import check_krum, krum_scores
from lib.poisoning.attacks.geometry import geometry
from lib.poisoning.attacks.reference import check_reference, copies, direction


def fang_krum(benign: torch.Tensor, count: int, *, least: float = 1e-5) -> torch.Tensor:
    """Return copies ``(count, d)`` of minus lambda times the sign of the mean of `benign` ``(n, d)``.

    Lambda is halved from `fang_bound` until Krum, told ``f = count``, selects a copy, or it falls below `least`.
    """
    signs = direction(check_reference(benign, count), "sign")
    known = geometry(benign, signs, count)
    check_krum(known.benign + count, count, "Krum")
    strengths = fang_bound(benign, count) * 0.5 ** torch.arange(200, dtype=torch.float64)
    strengths = strengths[: max(1, int((strengths >= least).sum()))]
    for strength in strengths:
        scores = krum_scores(known.distances(strength[None], around=0.0), count)[0]
        if scores[known.benign :].min() <= scores[: known.benign].min():
            break
    return copies(float(strength) * signs, count)


def fang_bound(benign: torch.Tensor, count: int) -> float:
    """Return the lambda above which Krum cannot select the attack, from which the search starts."""
    n, d = benign.shape
    known = geometry(benign, torch.zeros_like(benign[0]), 1)
    inside = known.distances(torch.zeros(1, dtype=torch.float64))[0, :n, :n]
    near = inside.sort(dim=1).values[:, 1 : max(n - 2, 1) + 1].sum(dim=1)
    longest = (known.gram.diagonal()[:n] + 2 * known.gram[:n, n] + known.gram[n, n]).max().clamp(min=0).sqrt()
    return math.sqrt(float(near.min()) / (max(n - count - 1, 1) * d)) + float(longest) / math.sqrt(d)
