"""Medians and bootstrap intervals over seeds, the only summary that the pages show."""

import numpy as np
import pandas as pd


def median_interval(
    values: np.ndarray, *, level: float = 0.9, resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Return median, lower and upper end of the percentile-bootstrap interval of the median.

    `values` has shape ``(n,)``; with fewer than two finite values the interval is the value itself.
    """
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        return float("nan"), float("nan"), float("nan")
    middle = float(np.median(finite))
    if finite.size == 1:
        return middle, middle, middle
    draws = np.random.default_rng(seed).choice(finite, size=(resamples, finite.size))
    low, high = np.quantile(np.median(draws, axis=1), [(1 - level) / 2, (1 + level) / 2])
    return middle, float(low), float(high)


def summarize(table: pd.DataFrame, by: list[str], value: str, *, level: float = 0.9) -> pd.DataFrame:
    """Return one row a group of `by` with columns ``median``, ``low``, ``high`` and ``n`` of column `value`."""
    rows = []
    for key, group in table.groupby(by, sort=False, observed=True):
        middle, low, high = median_interval(group[value].to_numpy(), level=level)
        rows.append([*key, middle, low, high, len(group)])
    return pd.DataFrame(rows, columns=[*by, "median", "low", "high", "n"])


def fitted_slope(x: np.ndarray, y: np.ndarray) -> float:
    """Return the least-squares slope of log `y` against log `x` (both positive, shape ``(n,)``)."""
    return float(np.polyfit(np.log(np.asarray(x, dtype=float)), np.log(np.asarray(y, dtype=float)), 1)[0])
