"""Growth exponents of regret with bootstrap intervals over replicates."""

import numpy as np
import pandas as pd

from lib.report.intervals import fitted_slope


def regret_slopes(
    table: pd.DataFrame, *, by: tuple[str, ...] = ("method", "k"), last: int = 3, resamples: int = 500, seed: int = 0
) -> pd.DataFrame:
    """Return the slope of log median regret against log horizon over the `last` horizons, for each group of `by`.

    Args:
        table: with the columns of `by`, horizon, pool, replicate and regret; replicates are paired between horizons.
        by: columns that define a group.
        last: number of largest horizons to fit, at least 2.
        resamples: bootstrap draws of whole replicates.
        seed: seed of the bootstrap.

    Returns:
        One row a group: the columns of `by`, slope, low, high (90 % percentile interval), n (replicates).

    Raises:
        ValueError: if `last` or the number of horizons is below 2.
    """
    horizons = np.sort(table["horizon"].unique())[-last:]
    if last < 2 or len(horizons) < 2:
        raise ValueError("a slope needs at least two horizons; pass more horizons or a larger last")
    rows = []
    rng = np.random.default_rng(seed)
    for key, group in table.groupby(list(by), sort=False, observed=True):
        regret = group.pivot_table(index=["pool", "replicate"], columns="horizon", values="regret")[horizons].to_numpy()
        draws = rng.integers(len(regret), size=(resamples, len(regret)))
        medians = np.maximum(np.median(regret[draws], axis=1), 1e-9)  # zero regret has no logarithm
        fits = [fitted_slope(horizons, median) for median in medians]
        low, high = np.quantile(fits, [0.05, 0.95])
        rows.append([*key, fitted_slope(horizons, np.maximum(np.median(regret, axis=0), 1e-9)), low, high, len(regret)])
    return pd.DataFrame(rows, columns=[*by, "slope", "low", "high", "n"])
