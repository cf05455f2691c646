"""Pieces that several figures share."""

import pandas as pd
from matplotlib.axes import Axes

from lib.report.intervals import summarize
from lib.report.style import COLOURS, MARKERS, series

# One colour and marker a rule, and one an adversary, in every figure.
RULE_ORDER = (
    "mean", "median", "trimmed mean", "norm bound", "Multi-Krum", "geometric median", "Krum", "DnC", "Bulyan",
    "NNM + trimmed mean", "NNM + Krum", "Multi-Krum, iterative",
)  # fmt: skip
ADVERSARY_ORDER = (
    "none", "MPAF", "MPAF 1", "noise", "compromised 5", "hybrid 1", "hybrid 5", "hybrid 10", "DCGAN 1", "DCGAN 5",
    "DCGAN 10", "bootstrap 1", "bootstrap 5", "bootstrap 10", "compromised 20 %", "omniscient",
)  # fmt: skip
INTERVALS = "Medians over seeds with intervals of the median (90 %, or the range below five seeds)."


def ordered(names, order: tuple[str, ...]) -> list[str]:
    """Return the distinct `names` in the order of `order`, unknown ones last; refuses an empty table."""
    found = sorted(set(names), key=lambda name: (order.index(name) if name in order else len(order), name))
    if not found:
        raise ValueError("the table is empty: run the experiment with at least one rule, adversary and seed")
    return found


def curve(axis: Axes, table: pd.DataFrame, x: str, y: str, *, label: str, index: int) -> None:
    """Draw the median of `y` over seeds against `x` with its interval; a second round of colours is dashed."""
    rows = summarize(table, [x], y).sort_values(x)
    series(axis, rows[x], rows["median"], rows["low"], rows["high"], label=label, index=index)
    if index >= len(COLOURS):
        axis.lines[-1].set(linestyle="--", markerfacecolor="white")


def mark(index: int) -> dict[str, object]:
    """Return colour, marker and filling number `index`; the second round through the colours is hollow."""
    filling = "none" if index >= len(COLOURS) else "full"
    place = index % len(COLOURS)
    return {"color": COLOURS[place], "marker": MARKERS[place], "fillstyle": filling, "linestyle": "none"}


def dots(axis: Axes, table: pd.DataFrame, names: list[str], column: str, value: str, *, order: tuple[str, ...]) -> None:
    """Draw one horizontal median with its interval a name, from the top."""
    for row, name in enumerate(names):
        found = summarize(table[table[column] == name], [column], value)
        middle, low, high = (float(found[part].iloc[0]) for part in ("median", "low", "high"))
        index = order.index(name) if name in order else len(order)
        axis.errorbar([middle], [row], xerr=[[middle - low], [high - middle]], capsize=2, **mark(index))
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)


def listed(values: pd.Series, digits: int = 2) -> str:
    """Return ``"median 0.12, trimmed mean 0.30"`` of a series."""
    return ", ".join(f"{key} {value:.{digits}f}" for key, value in values.items())


def grid(table: pd.DataFrame, rows: str, columns: str, value: str, how: str = "median") -> pd.DataFrame:
    """Return `value`, aggregated over what is left, one row a `rows` and one column a `columns`."""
    return table.pivot_table(index=rows, columns=columns, values=value, aggfunc=how)
