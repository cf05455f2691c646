"""The coordinate-wise median. Source: Yin et al., arXiv 1803.01498."""

import torch

from lib.poisoning.aggregation.blocks import by_coordinate
from lib.poisoning.aggregation.checks import check_majority, check_updates


def median(updates: torch.Tensor, f: int = 0) -> torch.Tensor:
    """Return the median ``(d,)`` of each coordinate of `updates` ``(n, d)``; needs n > 2f.

    Of an even number of values it is the mean of the two in the middle (``torch.median`` takes the lower one).
    """
    n = len(check_updates(updates))
    check_majority(n, f, "median")
    low, high = (n - 1) // 2, n // 2
    return by_coordinate(updates, lambda rows: (rows[:, low] + rows[:, high]) / 2 if low != high else rows[:, low])
