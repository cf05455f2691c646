"""Bulyan: repeated Krum, then the values nearest the median. Source: El Mhamdi et al., arXiv 1802.07927."""

import torch

from lib.poisoning.aggregation.blocks import WIDTH, sorted_values
from lib.poisoning.aggregation.checks import check_shape, check_tolerance
from lib.poisoning.aggregation.distances import squared_distances
from lib.poisoning.aggregation.krum import krum_scores
from lib.poisoning.aggregation.multi_krum import one_by_one


def bulyan(updates: torch.Tensor, f: int, *, selection: str = "one by one") -> torch.Tensor:
    """Return the mean ``(d,)``, by coordinate, of the n - 4f values nearest the median of the selected rows.

    ``n - 2f`` rows of `updates` ``(n, d)`` are selected first, by repeated Krum among those left (`selection` "one by
    one", the paper's) or as the lowest Krum scores of a single pass ("one pass", Flower's). Needs n >= 4f + 3. Of two
    values equally far from the median either may count.
    """
    n = len(check_shape(updates))
    check_tolerance(n, f, 4 * f + 3, "Bulyan", "n >= 4f + 3")
    rows = bulyan_rows(squared_distances(updates), f, selection=selection)
    return nearest_the_median(updates, rows, n - 4 * f)


def bulyan_rows(distances: torch.Tensor, f: int, *, selection: str = "one by one") -> torch.Tensor:
    """Return the indices ``(..., n - 2f)`` of the selected rows, given squared `distances` ``(..., n, n)``."""
    count = distances.shape[-1] - 2 * f
    if selection == "one by one":
        return one_by_one(distances, f, count)
    if selection == "one pass":
        return krum_scores(distances, f).argsort(dim=-1, stable=True)[..., :count]
    raise ValueError(f"no selection {selection!r}: choose 'one by one' or 'one pass'")


def nearest_the_median(updates: torch.Tensor, rows: torch.Tensor, count: int) -> torch.Tensor:
    """Return, by coordinate, the mean of the `count` values nearest the median of those `rows` of `updates`."""
    rows = rows.to(updates.device)
    blocks = [_nearest(sorted_values(block[rows]), count) for block in updates.split(WIDTH, dim=1)]
    return torch.cat(blocks).to(updates.dtype)


def _nearest(values: torch.Tensor, count: int) -> torch.Tensor:
    """Return the mean of the `count` entries of each sorted row of `values` ``(width, n)`` nearest its median.

    They are neighbours in sorted order: of all windows, the one whose farther end is nearest to the median.
    """
    n = values.shape[1]
    median = (values[:, (n - 1) // 2] + values[:, n // 2]).unsqueeze(1) / 2
    starts = n - count + 1
    farther = torch.maximum(median - values[:, :starts], values[:, count - 1 :] - median)
    first = farther.argmin(dim=1, keepdim=True)
    sums = torch.zeros(len(values), n + 1, dtype=torch.float64, device=values.device)
    torch.cumsum(values, dim=1, dtype=torch.float64, out=sums[:, 1:])
    return ((sums.gather(1, first + count) - sums.gather(1, first)) / count).squeeze(1)
