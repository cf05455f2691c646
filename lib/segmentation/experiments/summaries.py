"""What pages show of the comparison in a table, and what a fit costs."""

import time

import numpy as np
import pandas as pd

from lib.segmentation.allocation import Totals, allocate
from lib.segmentation.experiments.benches import benches
from lib.segmentation.joint import fit
from lib.segmentation.lookalike import lookalike
from lib.segmentation.settings import DEFAULT, Settings

SHOWN = {  # column: digits
    "auc": 3,
    "auprc": 3,
    "match_rate": 2,
    "exposure_rate": 2,
    "exposed": 1,
    "converters": 1,
    "valued_converters": 1,
    "spend_per_exposed": 2,
    "needed": 2,
    "joint": 2,
    "used": 1,
}


def summary(methods: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard deviation over seeds of the main measures as text, one row a method (T1)."""
    rows = []
    for name, runs in methods.groupby("method", sort=False):
        cells = {}
        for column, digits in SHOWN.items():
            spread = f" ± {runs[column].std():.{digits}f}" if len(runs) > 1 else ""
            cells[column] = f"{runs[column].mean():.{digits}f}{spread}"
        rows.append({"method": name} | cells)
    return pd.DataFrame(rows)


def lookalikes(cells: pd.DataFrame, *, reach: float = 1.0) -> pd.DataFrame:
    """Return how well audiences of static cells stand for segments, from the "cells" table of `comparison`.

    For a medium that takes no identifiers: each segment's audience has `reach` times its size, from the cells where the
    segment is densest (see `lookalike`).

    Returns:
        One row a method and seed: precision (members among the audience), waste (others), recall (members reached);
        means over audiences weighted by their size.
    """
    rows = []
    for (method, seed), part in cells.groupby(["method", "seed"], sort=False):
        counts = part.pivot_table(index="segment", columns="cell", values="users").to_numpy()
        found = lookalike(counts, reach=reach)
        precision, recall = found.members.sum() / found.size.sum(), found.members.sum() / counts.sum()
        rows.append({"method": method, "seed": seed, "precision": precision, "waste": 1 - precision, "recall": recall})
    return pd.DataFrame(rows)


def by_variant(table: pd.DataFrame) -> pd.DataFrame:
    """Return medians over seeds by variant and weight: auc, exposed, valued_converters, and the least used segments."""
    groups = table.groupby(["variant", "lam"], sort=False)
    found = groups[["auc", "exposed", "valued_converters"]].median()
    return found.assign(least_used=groups["used"].min()).reset_index()


def costs(*, settings: Settings = DEFAULT, steps: int = 40, seed: int = 0, repeats: int = 20) -> pd.DataFrame:
    """Return processor seconds of the joint loop and of the allocation.

    Returns:
        One row a thing: what ("100 joint steps, discovery only", "100 joint steps, with delivery", "one linear
        program"), seconds. The steps before the loop are taken out by a run without it.
    """
    from dataclasses import replace

    bench = benches([seed])[0]

    def seconds(lam: float, count: int) -> float:
        start = time.process_time()
        fit(
            [bench.train],
            [bench.media],
            lams=[lam],
            seeds=[seed],
            settings=replace(settings, steps_init=5, steps_selector=5, steps_joint=count),
        )
        return time.process_time() - start

    rows = []
    for name, lam in (("discovery only", 0.0), ("with delivery", 1.0)):
        both = seconds(lam, steps) - seconds(lam, 0)
        rows.append((f"100 joint steps, {name}", 100 * both / steps))
    gain = np.random.default_rng(seed).random((settings.segments, bench.media.match.shape[1]))
    start = time.process_time()
    for _ in range(repeats):
        allocate(Totals(gain, np.ones_like(gain)), 1.0)
    rows.append(("one linear program", (time.process_time() - start) / repeats))
    return pd.DataFrame(rows, columns=["what", "seconds"])
