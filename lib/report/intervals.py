"""Medians and their exact intervals over seeds, the only summary that the pages show."""

from math import comb

import numpy as np
import pandas as pd


def median_interval(values: np.ndarray, *, level: float = 0.9) -> tuple[float, float, float]:
    """Return median, lower and upper end of a distribution-free interval of the median.

    `values` has shape ``(n,)``; NaN is left out. The ends are the j-th smallest and largest values with the largest j
    for which the binomial coverage (`coverage`) is at least `level`. Below five values (at level 0.9) even the range
    covers less: it is returned, and covers the median with probability 1 - 2^(1 - n).
    """
    finite = np.sort(np.asarray(values, dtype=float))
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        return float("nan"), float("nan"), float("nan")
    rank = 1
    while 2 * (rank + 1) <= finite.size and coverage(finite.size, rank + 1) >= level:
        rank += 1
    return float(np.median(finite)), float(finite[rank - 1]), float(finite[-rank])


def coverage(n: int, rank: int) -> float:
    """Return the probability that the median lies between the `rank`-th smallest and largest of `n` values."""
    return 1 - 2 * sum(comb(n, j) for j in range(rank)) / 2**n


def summarize(table: pd.DataFrame, by: list[str], value: str, *, level: float = 0.9) -> pd.DataFrame:
    """Return one row a group of `by` with columns ``median``, ``low``, ``high`` and ``n`` of column `value`."""
    rows = []
    for key, group in table.groupby(by, sort=False, observed=True):
        middle, low, high = median_interval(group[value].to_numpy(), level=level)
        rows.append([*key, middle, low, high, len(group)])
    return pd.DataFrame(rows, columns=[*by, "median", "low", "high", "n"])


def last_round(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the last round of a table with the column round."""
    return table[table["round"] == table["round"].max()]


def fitted_slope(x: np.ndarray, y: np.ndarray) -> float:
    """Return the least-squares slope of log `y` against log `x` (both positive, shape ``(n,)``)."""
    return float(np.polyfit(np.log(np.asarray(x, dtype=float)), np.log(np.asarray(y, dtype=float)), 1)[0])
