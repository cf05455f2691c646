"""Pieces that several figures share."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lib.report.intervals import last_round, summarize
from lib.report.style import COLOURS, series

# One colour and marker a method, in every figure.
ORDER = (
    "FedAvg", "FedPer 1", "FedPer 2", "local only", "FedPer 3", "FedRep", "FedAvg + FT", "FedPer 1 + FT", "LG-FedAvg",
    "Ditto", "FedProx", "FedBABU", "FedRep, 5 head steps",
)  # fmt: skip
INTERVALS = "Curves are medians over seeds, bands intervals of the median (90 %, or the range below five seeds)."


def place(method: str) -> int:
    """Return the colour index of `method`; FedPer without a number of units is drawn as FedPer 1."""
    method = "FedPer 1" if method == "FedPer" else method
    return ORDER.index(method) if method in ORDER else len(ORDER)


def known_methods(table: pd.DataFrame) -> list[str]:
    """Return the methods of `table` in the order of `ORDER`; refuses an empty table."""
    if table.empty:
        raise ValueError("the table is empty: run the experiment with at least one method and seed")
    return sorted(table["method"].unique(), key=place)


def curves(axis: Axes, table: pd.DataFrame, x: str, y: str, methods: Sequence[str] | None = None) -> None:
    """Draw `y` against `x`, one curve with its interval a method."""
    for name in methods or known_methods(table):
        rows = summarize(table[table["method"] == name], [x], y).sort_values(x)
        series(axis, rows[x], rows["median"], rows["low"], rows["high"], label=name, index=place(name))
        if place(name) >= len(COLOURS):  # a second round through the colours
            axis.lines[-1].set(linestyle="--", markerfacecolor="white")
    if x == "round":
        whole_ticks(axis)


def whole_ticks(axis: Axes) -> None:
    """Put the ticks of the horizontal axis at whole numbers: half a round or a third of a class does not exist."""
    axis.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=2))


def legend_above(fig: Figure, axis: Axes, *, columns: int = 4) -> None:
    """Put the legend of `axis` above all panels, where it covers no curve."""
    handles, labels = axis.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=min(columns, len(labels)), fontsize=8, frameon=False)


def length(table: pd.DataFrame) -> str:
    """Return how often, how long and on how much the runs of `table` trained: ``"3 seeds, 80 rounds, 800 images"``."""
    images = sorted(table["examples"].dropna().unique()) if "examples" in table else []
    most = f"{images[0]:,.0f} to " if len(images) > 1 else ""
    on = f", {most}{images[-1]:,.0f} training examples in all" if images else ""
    return f"{table['seed'].nunique()} seeds, {table['round'].max()} rounds{on}"


def medians(table: pd.DataFrame, by: str, value: str = "accuracy") -> pd.DataFrame:
    """Return the median over seeds of `value`, one row a `by` and one column a method."""
    return table.pivot_table(index=by, columns="method", values=value, aggfunc="median")


def gains(table: pd.DataFrame, by: str, method: str, reference: str = "FedAvg") -> pd.DataFrame:
    """Return the paired difference in final accuracy of `method` and `reference`: columns `by`, seed, gain.

    A seed that lacks one of the two has a gain of NaN.
    """
    final = last_round(table).set_index([by, "seed"])
    ours, theirs = (final.loc[final["method"] == name, "accuracy"] for name in (method, reference))
    return (ours - theirs).rename("gain").reset_index()


def listed(values: pd.Series, digits: int = 2) -> str:
    """Return ``"2: 0.98, 4: 0.95"`` of a series."""
    return ", ".join(f"{key:g}: {value:.{digits}f}" for key, value in values.items())
