"""What figures of policies share: their names, their looks and their curves against the budget."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.report.intervals import median_interval
from lib.report.style import COLOURS, GUIDE, MARKERS

NAMES = {
    "random": "random",
    "bslb": "BSLB",
    "uniform_etc": "uniform exploration",
    "ridge_etc": "BSLB with ridge",
    "linucb": "LinUCB",
    "greedy_lasso": "greedy Lasso",
    "margin": "margin sampling",
    "entropy": "entropy sampling",
    "k_center": "k-center",
    "typicality": "typicality",
    "full_data_linear": "linear, all scores",
    "difficulty_oracle": "hardest points",
    "oracle": "best items",
    "popularity": "popularity",
    "all": "all labelled",
}
# One look for a policy in all figures: colour and marker; policies that share a colour never share a figure.
_COLOUR = {
    "random": 6, "bslb": 0, "uniform_etc": 4, "ridge_etc": 3, "linucb": 1, "greedy_lasso": 2, "margin": 1, "entropy": 5,
    "k_center": 2, "typicality": 5, "full_data_linear": 7, "difficulty_oracle": 3, "oracle": 7, "popularity": 5,
}  # fmt: skip
_REFERENCES = ("full_data_linear", "difficulty_oracle", "popularity")


def curves(axis: Axes, table: pd.DataFrame, value: str) -> None:
    """Draw median and 90 % interval of column `value` over seeds against T, one curve a policy, references as lines."""
    policies = list(dict.fromkeys(table.policy))
    for place, policy in enumerate(policies):
        part = table[table.policy == policy]
        if policy == "all":
            axis.axhline(part[value].median(), **GUIDE | {"linestyle": "-"}, label=NAMES[policy])
            continue
        budgets = np.array(sorted(part["T"].unique()))
        mid, low, high = np.array([median_interval(part[part["T"] == T][value].to_numpy()) for T in budgets]).T
        colour, marker = COLOURS[_COLOUR[policy]], MARKERS[_COLOUR[policy]]
        # Curves are moved apart by up to 2 % of T, so that intervals do not hide one another.
        x = budgets * (1 + 0.02 * (place / max(len(policies) - 1, 1) * 2 - 1))
        style = {"color": colour, "marker": marker, "markersize": 4, "linewidth": 1.2, "capsize": 2}
        dotted = ":" if policy in _REFERENCES else "-"
        axis.errorbar(x, mid, [mid - low, high - mid], **style, linestyle=dotted, label=NAMES[policy])
    axis.set_xscale("log")
    ticks = sorted(table["T"].unique())
    axis.set_xticks(ticks, [str(T) for T in ticks])
    axis.minorticks_off()
    axis.set_xlabel("labels bought $T$" if "hard_accuracy" in table else "pulls $T$")


def outside_legend(fig: Figure, axis: Axes) -> None:
    """Put one legend for all panels to the right of the figure."""
    handles, labels = axis.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8)
