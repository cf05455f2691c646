"""Pieces that several figures share."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.report.intervals import summarize
from lib.report.style import COLOURS, MARKERS, series

# One colour and marker a rule, and one an adversary, in every figure.
RULE_ORDER = (
    "mean", "median", "trimmed mean", "norm bound", "Multi-Krum", "geometric median", "Krum", "DnC", "Bulyan",
    "NNM + trimmed mean", "NNM + Krum", "Multi-Krum, iterative", "centred clipping", "bucketing + trimmed mean", "AFA",
    "FoolsGold", "trimmed mean, one too few",
)  # fmt: skip
ADVERSARY_ORDER = (
    "none", "MPAF", "MPAF 1", "noise", "compromised 5", "hybrid 1", "hybrid 5", "hybrid 10", "DCGAN 1", "DCGAN 5",
    "DCGAN 10", "bootstrap 1", "bootstrap 5", "bootstrap 10", "compromised 20 %", "omniscient",
)  # fmt: skip


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
    """Draw one horizontal median with its interval a name, from the top.

    The place in `order` of a name, or of what stands behind its last comma, decides colour and marker.
    """
    for row, name in enumerate(names):
        found = summarize(table[table[column] == name], [column], value)
        middle, low, high = (float(found[part].iloc[0]) for part in ("median", "low", "high"))
        last = name if name in order else name.rsplit(", ", 1)[-1]
        index = order.index(last) if last in order else len(order)
        axis.errorbar([middle], [row], xerr=[[middle - low], [high - middle]], capsize=2, **mark(index))
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)


def matrix(fig: Figure, axis: Axes, values: pd.DataFrame, *, label: str, reverse: bool = False) -> None:
    """Draw `values` as coloured cells with their numbers; dark is much, or little with `reverse`."""
    axis.grid(False)
    top = max(float(values.max().max()), 0.01)
    image = axis.imshow(values, cmap="cividis" if reverse else "cividis_r", vmin=0, vmax=top, aspect="auto")
    for row, cells in enumerate(values.to_numpy()):
        for column, value in enumerate(cells):
            dark = value < 0.45 * top if reverse else value > 0.55 * top
            colour = "white" if dark else "black"
            axis.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
    axis.set_xticks(range(values.shape[1]), values.columns, rotation=20, ha="right")
    axis.set_yticks(range(len(values)), values.index)
    fig.colorbar(image, ax=axis, label=label)


def unattacked(found: pd.DataFrame) -> str:
    """Return the median best accuracy without attack by rule, from a table of `impact`, as text."""
    best = found[found["adversary"] == "none"].groupby("rule")["best"].median()
    return listed(best.loc[ordered(best.index, RULE_ORDER)])


def listed(values: pd.Series, digits: int = 2) -> str:
    """Return ``"median 0.12, trimmed mean 0.30"`` of a series."""
    return ", ".join(f"{key} {value:.{digits}f}" for key, value in values.items())


def grid(table: pd.DataFrame, rows: str, columns: str, value: str, how: str = "median") -> pd.DataFrame:
    """Return `value`, aggregated over what is left, one row a `rows` and one column a `columns`."""
    return table.pivot_table(index=rows, columns=columns, values=value, aggfunc=how)
