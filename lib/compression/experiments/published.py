"""The paper's tables, and below each row what was found here under the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from lib.report import published


class Scale(NamedTuple):
    """What a table here was measured on, beside which of the paper's tables it stands, and whether its times count."""

    words: str
    beside: tuple[str, ...]
    steady: bool = True


DIGITS, GPU = "digits, miniature", "images at hand, GPU"
SCALES: Mapping[str, Scale] = {
    "final": Scale(f"{DIGITS} ResNet, this run", ("T3",)),
    "methods": Scale(f"{DIGITS} ResNet", ("T3",)),
    "chain": Scale(f"{DIGITS} VGG", ("T2",)),
    "subsets": Scale(f"{DIGITS} ResNet, this run, six and four digits", ("T6", "T9")),
    "more_subsets": Scale(f"{DIGITS} ResNet, six and four digits", ("T6", "T9")),
    "cifar": Scale("images at hand, thin ResNet-18", ("T3", "T6", "T9")),
    "gpu_final": Scale(f"{GPU}, ResNet-18", ("T3",), steady=False),
    "gpu_vgg_final": Scale(f"{GPU}, VGG-11", ("T2",), steady=False),
    "gpu_subsets": Scale(f"{GPU}, ResNet-18", ("T6", "T9"), steady=False),
}
NAMES = {"Taylor pruning": "pruning", "A": "animals", "B": "vehicles"}  # ours: the paper's, or what ours stands for
COLUMNS = ["table", "network", "where", "accuracy", "compression", "seconds", "speed-up"]


def published_rows(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the paper's tables, and below each row the medians of the `tables` in `SCALES` with a row of that name.

    Columns: table, network, where ("paper", or scale and number of seeds here), accuracy, compression, seconds (as
    published), speed-up (teacher's seconds over them). NaN is what a table does not tell, or a time that is noise.
    """
    found = {name: _medians(tables[name]) for name in SCALES if name in tables}
    rows = []
    for name, entries in published("compression")["tables"].items():
        base = entries.get("teacher")
        for network, (accuracy, compression, seconds) in entries.items():
            gain = base[2] / seconds if base else np.nan
            rows.append((name, network, "paper", accuracy, compression, seconds, gain))
            for key, medians in found.items():
                if name.split()[0] in SCALES[key].beside and network in medians.index:
                    rows.append((name, network, *_row(SCALES[key], medians.loc[network])))
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(scale: Scale, row: pd.Series) -> tuple:
    """Return where, accuracy, compression, seconds and speed-up of medians here."""
    seeds = f"{row['seeds']:.0f} seed{'s' if row['seeds'] > 1 else ''}"
    gain = 1 / row["t"] if scale.steady else np.nan
    return f"here: {scale.words}, {seeds}", row["test"], row["compression"], np.nan, gain


def _medians(table: pd.DataFrame) -> pd.DataFrame:
    """Return median test accuracy, compression and time, and the number of seeds, by the paper's name of a network.

    The teacher's row is made of what the table tells of it; on class subsets a network is named subset, arm.
    """
    parts = []
    if "method" in table:
        some = table[table["method"].notna()]
        teacher = some.assign(test=some["test_teacher"], compression=1.0, t=1.0, network="teacher")
        parts += [teacher, some.assign(network=some["method"].replace(NAMES))]
    if "arm" in table:
        some = table[table["arm"].notna()]
        parts.append(some.assign(network=some["subset"].replace(NAMES) + ", " + some["arm"]))
    by = pd.concat(parts).groupby("network")
    return by[["test", "compression", "t"]].median().assign(seeds=by["seed"].nunique())
