"""Attacks as released notebooks compute them, where that differs from their definitions: for comparison only.

After the public notebooks of NDSS 2021 and the code of federated rank learning; none of it is used in a run.
"""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import torch

from lib.poisoning.attacks.geometry import Geometry
from lib.poisoning.attacks.reference import check_reference


def released_quantile(clients: int, attackers: int) -> float:
    """Return the factor that stands in their table for LIE: ``Phi(p)`` of the share p, rounded up, not its inverse."""
    benign, needed = clients - attackers, math.floor(clients / 2 + 1) - attackers
    return NormalDist().cdf(math.ceil(round(100 * (benign - needed) / benign, 9)) / 100)


def released_fang(benign: torch.Tensor, count: int, *, rng: np.random.Generator) -> torch.Tensor:
    """Return their attack ``(count, d)`` on the trimmed mean: both halves stand under one mask.

    Where the mean is positive a draw from below the smallest value and one from above the largest are added, where it
    is negative nothing is sent.
    """
    check_reference(benign, count)
    low, high = benign.min(dim=0).values, benign.max(dim=0).values
    below, above = (torch.from_numpy(rng.random((count, benign.shape[1]))).to(benign) for _ in range(2))
    least = low + below * (torch.where(low > 0, low / 2, 2 * low) - low)
    most = high + above * (torch.where(high > 0, 2 * high, high / 2) - high)
    return (least + most) * (benign.mean(dim=0) > 0)


def released_min_sum(known: Geometry) -> float:
    """Return their strength of Min-Sum, which bounds the sum of squared distances by the smallest row's."""
    deviations, direction = known.gram.diagonal()[:-2], known.gram[-1, -1]
    return float((deviations.min() / direction).sqrt()) if direction > 0 else 0.0


def released_search(moved: Callable[[float], float], *, start: float = 10.0, least: float = 1e-5) -> float:
    """Return the strength that their search ends at: the last that moved the rule farther than the probe before it."""
    strength, step, last, before = start, start, 0.0, -1.0
    while abs(last - strength) > least and step > least:
        found, step = moved(strength), step / 2
        if found > before:
            last, strength = strength, strength + step
        else:
            strength -= step
        before = found
    return last
