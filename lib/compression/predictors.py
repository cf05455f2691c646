"""Which cheap number predicts a student's latency: parameters, operations, memory or layers kept?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

COSTS = ("parameters", "flops", "activation_bytes")


def predictors(
    table: pd.DataFrame,
    *,
    target: str = "time_ratio",
    columns: Sequence[str] = COSTS,
    draws: int = 2000,
    level: float = 0.9,
    rival: str | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the rank correlation of each of `columns` with `target` over the students of `table`, with intervals.

    One row a student in `table`. The interval is the percentile bootstrap over students; all predictors see the same
    resamples, so ``best_share``, the share of resamples in which its correlation is the largest, compares them.
    Columns of the result: predictor, rank_correlation (Spearman's), low, high, best_share, students; with a `rival`
    among `columns` also gain_low and gain_high, the interval of the correlation less the rival's.

    Raises ``ValueError`` for fewer than five students, or a column that is missing or constant.
    """
    names = [*columns, target]
    missing = [name for name in names if name not in table]
    if missing:
        raise ValueError(f"no column {missing[0]!r}: the table has {', '.join(map(str, table.columns))}")
    values = table[names].to_numpy(dtype=float)
    if len(values) < 5:
        raise ValueError(f"{len(values)} students: a rank correlation with an interval needs at least five")
    flat = np.ptp(values, axis=0) == 0
    if flat.any():
        raise ValueError(f"{names[int(flat.argmax())]!r} is the same for all students: leave it out")
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(values), size=(draws, len(values)))
    resampled = rank_correlations(values[picks])
    resampled = resampled[np.isfinite(resampled).all(axis=1)]
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(resampled, ends, axis=0)
    found = rank_correlations(values[None])[0]
    best = np.bincount(resampled.argmax(axis=1), minlength=len(columns)) / len(resampled)
    facts = {"predictor": list(columns), "rank_correlation": found, "low": low, "high": high, "best_share": best}
    if rival is not None:
        gains = resampled - resampled[:, [columns.index(rival)]]
        facts |= dict(zip(("gain_low", "gain_high"), np.quantile(gains, ends, axis=0), strict=True))
    return pd.DataFrame(facts | {"students": len(values)})


def rank_correlations(values: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation of every column but the last with the last one.

    `values` has shape ``(draws, n, columns)``, the result ``(draws, columns - 1)``; NaN where a column is constant.
    """
    ranks = rankdata(values, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    size = np.sqrt((ranks**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.einsum("dnc,dn->dc", ranks[..., :-1], ranks[..., -1]) / (size[:, :-1] * size[:, -1:])
