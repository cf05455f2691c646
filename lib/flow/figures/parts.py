"""Pieces that several figures share."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from lib.flow.outcomes import by_run
from lib.report.intervals import summarize
from lib.report.style import COLOURS, MARKERS, series

# One colour and marker a method, in every figure; from the ninth on, colours come again with a dashed line.
ORDER = (
    "FedAvg", "FedAvg + FT", "Flow", "Flow by client", "ensemble", "kNN-Per", "ensemble, own weight", "local only",
    "Ditto", "FedAvg + FT, untuned", "APFL", "FedRep", "LG-FedAvg", "HypCluster", "PartialFed",
)  # fmt: skip
INTERVALS = (
    "Points are medians over seeds, bands or bars intervals of the median (90 %, or the range below five seeds)."
)


def place(method: str) -> int:
    """Return the colour index of `method`."""
    return ORDER.index(method) if method in ORDER else len(ORDER)


def known_methods(table: pd.DataFrame) -> list[str]:
    """Return the methods of `table` in the order of `ORDER`; refuses an empty table."""
    if table.empty:
        raise ValueError("the table is empty: run the experiment with at least one method and seed")
    return sorted(table["method"].unique(), key=place)


def curves(axis: Axes, runs: pd.DataFrame, x: str, y: str, methods: Sequence[str] | None = None) -> None:
    """Draw `y` against `x`, one curve with its interval a method."""
    for name in methods or known_methods(runs):
        rows = summarize(runs[runs["method"] == name], [x], y).sort_values(x)
        series(axis, rows[x], rows["median"], rows["low"], rows["high"], label=name, index=place(name))
        if place(name) >= len(COLOURS):
            axis.lines[-1].set(linestyle="--", markerfacecolor="white")


def dodged(axis: Axes, runs: pd.DataFrame, x: str, y: str, methods: Sequence[str] | None = None) -> None:
    """Draw `y` at few values of `x`: medians joined by lines, their intervals side by side in the order of methods."""
    names, values = list(methods or known_methods(runs)), sorted(runs[x].unique())
    step = 0.02 * ((values[-1] - values[0]) or 1.0)
    for number, name in enumerate(names):
        rows = summarize(runs[runs["method"] == name], [x], y).sort_values(x)
        again = place(name) >= len(COLOURS)
        axis.errorbar(
            rows[x] + step * (number - (len(names) - 1) / 2),
            rows["median"],
            yerr=[rows["median"] - rows["low"], rows["high"] - rows["median"]],
            color=COLOURS[place(name) % len(COLOURS)],
            marker=MARKERS[place(name) % len(MARKERS)],
            linestyle="--" if again else "-",
            markerfacecolor="white" if again else None,
            markersize=4.5,
            linewidth=0.9,
            elinewidth=1.3,
            capsize=2,
            label=name,
        )
    axis.set_xticks(values)


def only(table: pd.DataFrame, **where: object) -> pd.DataFrame:
    """Return the rows in which every column has the value given; refuses if there are none."""
    for column, value in where.items():
        table = table[table[column] == value]
    if table.empty:
        raise ValueError(f"the table has no rows with {where}")
    return table


def runs_of(clients: pd.DataFrame, *by: str) -> pd.DataFrame:
    """Return one row a run, means over clients; `by` are the columns that tell runs of one method and seed apart."""
    return by_run(clients, [*by, "method", "seed"])


def medians(runs: pd.DataFrame, value: str) -> pd.Series:
    """Return the median over seeds of `value` by method, in the order of `ORDER`."""
    return runs.groupby("method")[value].median().reindex(known_methods(runs))


def listed(values: pd.Series, digits: int = 3) -> str:
    """Return ``"FedAvg 0.749, Flow 0.780"`` of a series."""
    return ", ".join(f"{key} {value:.{digits}f}" for key, value in values.items())


def seeds_text(table: pd.DataFrame) -> str:
    """Return ``"5 seeds"``."""
    count = table["seed"].nunique()
    return "one seed" if count == 1 else f"{count} seeds"
