"""Attacks on the trimmed mean and the median: stand just beyond the extreme benign value of every coordinate."""

import numpy as np
import torch

from lib.poisoning.aggregation.blocks import by_coordinate
from lib.poisoning.attacks.reference import check_reference, copies, deviation


def fang_trimmed(
    benign: torch.Tensor, count: int, *, spread: float = 2.0, knowledge: str = "full", rng: np.random.Generator
) -> torch.Tensor:
    """Return Fang et al.'s updates ``(count, d)`` against trimmed mean and median.

    Where the mean of `benign` ``(n, d)`` is positive, an attacker draws from below the smallest value, where it is
    negative, from above the largest: between the extreme and `spread` times it (or the extreme over `spread` where that
    points outward). With `knowledge` "partial" the extreme is not known, and draws lie three to four standard
    deviations from the mean. Source: Fang et al., arXiv 1911.11815, section 5.
    """
    check_reference(benign, count)
    draw = torch.from_numpy(rng.random((count, benign.shape[1]))).to(benign)
    mean = benign.mean(dim=0)
    up = mean < 0
    if knowledge == "partial":
        return mean + torch.where(up, 1.0, -1.0) * (3 + draw) * deviation(benign)
    if knowledge != "full":
        raise ValueError(f"no knowledge {knowledge!r}: choose 'full' or 'partial'")
    extreme = torch.where(up, benign.max(dim=0).values, benign.min(dim=0).values)
    outward = (extreme > 0) == up  # whether a factor above one leads away from the benign values
    far = torch.where(outward, spread * extreme, extreme / spread)
    found = extreme + draw * (far - extreme)
    return torch.where(mean == 0, mean.expand_as(found), found)


def beyond_extremes(benign: torch.Tensor, count: int, toward: torch.Tensor, *, margin: float = 1.0) -> torch.Tensor:
    """Return copies ``(count, d)`` past the extreme value of each coordinate, on the side where `toward` points.

    Any larger `margin` (in ranges of the coordinate) gives the same median and, when the server trims at least `count`
    values, the same trimmed mean: the closed form of the search for the strongest attack. Where `toward` ``(d,)`` is
    zero the mean is sent.
    """
    check_reference(benign, count)
    low, high = benign.min(dim=0).values, benign.max(dim=0).values
    step = margin * (high - low)
    far = torch.where(toward > 0, high + step, low - step)
    return copies(torch.where(toward == 0, benign.mean(dim=0), far), count)


def trimmed_plateau(benign: torch.Tensor, count: int, toward: torch.Tensor) -> torch.Tensor:
    """Return the trimmed mean ``(d,)`` with ``f = count`` that `beyond_extremes` reaches.

    The attackers are trimmed themselves, and with them as many benign values on the far side: what is left is the mean
    of the ``n - count`` benign values nearest to the attackers' side.
    """
    low = by_coordinate(benign, lambda rows: rows[:, : len(benign) - count].mean(dim=1))
    high = by_coordinate(benign, lambda rows: rows[:, count:].mean(dim=1))
    return torch.where(toward > 0, high, low)
