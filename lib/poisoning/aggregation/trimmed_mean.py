"""The coordinate-wise trimmed mean. Source: Yin et al., arXiv 1803.01498."""

import torch

from lib.poisoning.aggregation.blocks import by_coordinate
from lib.poisoning.aggregation.checks import check_majority, check_updates
from lib.poisoning.aggregation.mean import mean


def trimmed_mean(updates: torch.Tensor, f: int) -> torch.Tensor:
    """Return, for each coordinate of `updates` ``(n, d)``, the mean without its f smallest and f largest values.

    Returns ``(d,)``. Needs n > 2f. With ``f = 0`` this is the mean, with the largest possible f the median.
    """
    n = len(check_updates(updates))
    check_majority(n, f, "trimmed mean")
    return by_coordinate(updates, lambda rows: rows[:, f : n - f].mean(dim=1)) if f else mean(updates)
