"""How far apart times of the same network are in one record, and what follows for captions and verdicts."""

from __future__ import annotations

import numpy as np
import pandas as pd

STEADY = 1.2  # factor up to which times count as steady


def time_spread(history: pd.DataFrame, *, times: pd.DataFrame | None = None) -> dict[str, tuple[float, float]]:
    """Return the lowest and the highest of what should be the same time, by what was timed; `cifar10_tables`.

    Compared are the teacher's milliseconds on the same validation images as the searches of `history` went on, by
    subset if there are any, but for the smallest and the largest twentieth, and with `times` the minimal student's
    relative time before the search and in it. What has no finite time is left out.
    """
    found = {}
    passes_ms = 1000 * (history["seconds"] / history["t"]).replace([np.inf, -np.inf], np.nan)
    named = history["subset"].astype(str) + ": " if "subset" in history else pd.Series("", history.index)
    for name, some in passes_ms.dropna().groupby(named, sort=False):
        low, high = some.quantile([0.05, 0.95])
        found[f"{name}one pass of the teacher"] = float(low), float(high)
    inside = history.loc[history["minimal"].eq(True), "t"].median()
    if times is not None and np.isfinite(inside):
        before = (times["minimal_s"] / times["teacher_s"]).median()
        low, high = np.sort([before, inside])  # NaN last
        found["the minimal student relative to the teacher"] = float(low), float(high)
    return found


def time_factor(history: pd.DataFrame, *, times: pd.DataFrame | None = None, steady: float = STEADY) -> float:
    """Return the largest factor between the two ends of `time_spread`: 1 up to `steady`, NaN where it is not known."""
    spread = time_spread(history, times=times).values()
    factor = float(np.max([high / low for low, high in spread])) if spread else np.nan
    return 1.0 if factor <= steady else factor


def timing_noise(history: pd.DataFrame, *, times: pd.DataFrame | None = None, steady: float = STEADY) -> str:
    """Return where `time_spread` exceeds a factor of `steady`, for captions and remarks; empty where it does not."""
    told = [
        f"{what} took from {low:.2g} to {high:.2g}{' ms' if what.endswith('pass of the teacher') else ''}"
        for what, (low, high) in time_spread(history, times=times).items()
        if high > steady * low
    ]
    if not told:
        return ""
    return (
        f"Times are noisy: on the same validation images {'; '.join(told)}. Times closer than that, and rewards that "
        "such times decide, are not to be compared. "
    )
