"""The figure of accuracy over rounds, of all clients and of the largest and the smallest one."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.flow.figures.parts import INTERVALS, curves, known_methods, only, place
from lib.flow.rules import paired
from lib.report.intervals import summarize
from lib.report.style import COLOURS, describe, new_figure


def over_rounds(table: pd.DataFrame) -> Figure:
    """Draw accuracy against rounds: personalized models, Flow's global branch, and two clients of extreme sizes."""
    runs = table.groupby(["round", "method", "seed"], as_index=False)[["global", "personal"]].mean()
    fig, axes = new_figure(1, 3, width=10.4)
    names = known_methods(runs)
    curves(axes[0, 0], runs, "round", "personal", names)
    rows = summarize(only(runs, method="Flow"), ["round"], "global").sort_values("round")
    look = {"color": COLOURS[place("Flow")], "linestyle": ":", "linewidth": 1.8}
    axes[0, 0].plot(rows["round"], rows["median"], label="Flow, global branch", **look)
    axes[0, 0].set(title="all clients", xlabel="round", ylabel="accuracy, mean over clients")
    axes[0, 0].legend(fontsize=7)
    sizes = {"smallest": table["examples"].min(), "largest": table["examples"].max()}
    shown = [name for name in names if name in ("FedAvg", "FedAvg + FT", "Flow")]
    for axis, size in zip(axes[0, 1:], sizes.values(), strict=True):
        curves(axis, only(table, examples=size), "round", "personal", shown)
        axis.set(title=f"the client with {size} examples", xlabel="round", ylabel="its accuracy")
    low = min(axis.get_ylim()[0] for axis in axes[0, 1:])
    for axis in axes[0, 1:]:
        axis.set_ylim(low, max(one.get_ylim()[1] for one in axes[0, 1:]))
    last = table[table["round"] == table["round"].max()]
    final = last.groupby("method")[["personal", "global"]].mean()
    two = last.groupby(["examples", "method"])["personal"].median()
    ends = {end: two[size].reindex(shown) for end, size in sizes.items()}
    notes = ", ".join(f"{name} {final.loc[name, 'personal']:.3f}" for name in names)
    notes += f", Flow's global branch {final.loc['Flow', 'global']:.3f}"
    said = "; ".join(
        f"{end} client ({sizes[end]} examples) " + ", ".join(f"{name} {value:.3f}" for name, value in values.items())
        for end, values in ends.items()
    )
    paired_gain = {size: np.median(paired(last, "Flow", "FedAvg + FT", examples=size)) for size in sizes.values()}
    told = ", ".join(f"{gain:+.3f} ({size} examples)" for size, gain in paired_gain.items())
    caption = f"""Accuracy over rounds among clients with {sizes["smallest"]} to {sizes["largest"]} training examples.
        Left, mean over clients; after the last round, over seeds too: {notes}. Then the smallest client and the
        largest one; after the last round: {said}; Flow less FedAvg + FT, median of the pairs: {told}. {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Accuracy over rounds. {notes}. {said}.")
