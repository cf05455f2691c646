"""The paper's tables beside ours."""

from __future__ import annotations

import pandas as pd

from lib.report import published


def published_rows(
    *, ours: pd.DataFrame | None = None, subsets: pd.DataFrame | None = None, label: str = "ours"
) -> pd.DataFrame:
    """Return the paper's tables, and the medians of `ours` and `subsets` below, with their `label`.

    `ours` is the table of `searches`, `subsets` that of `subset_searches`. Columns: table, network, accuracy,
    compression, seconds (as published), speed-up (teacher's seconds over them). NaN is what a table does not tell.
    """
    rows = []
    for name, entries in published("compression")["tables"].items():
        base = entries.get("teacher")
        for network, (accuracy, compression, seconds) in entries.items():
            gain = base[2] / seconds if base else float("nan")
            rows.append((name, network, accuracy, compression, seconds, gain))
    if ours is not None:
        middle = ours.groupby("method", sort=False)[["test", "test_teacher", "compression", "t"]].median()
        rows.append((label, "teacher", middle["test_teacher"].median(), 1.0, float("nan"), 1.0))
        rows += [(label, k, r["test"], r["compression"], float("nan"), 1 / r["t"]) for k, r in middle.iterrows()]
    if subsets is not None:
        middle = subsets.groupby(["subset", "arm"], sort=False)[["test", "compression", "t"]].median()
        rows += [
            (f"{label}, subsets", f"{subset}, {arm}", r["test"], r["compression"], float("nan"), 1 / r["t"])
            for (subset, arm), r in middle.iterrows()
        ]
    return pd.DataFrame(rows, columns=["table", "network", "accuracy", "compression", "seconds", "speed-up"])
