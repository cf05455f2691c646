"""Figures of the longer tables: what the weight of delivery changes, setting by setting."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.report.intervals import median_interval
from lib.report.style import COLOURS, GUIDE, describe, new_figure
from lib.segmentation.figures.parts import INTERVALS, ours
from lib.segmentation.rules import DISCOVERY, change, equal_auc, spread
from lib.segmentation.rules_longer import available, beyond_best_start

TITLES = {
    "variant": "One change of the method at a time.",
    "rho": "By the dependence of static cell and behaviour.",
    "charge": "By what media charge for, each learned under its own basis.",
}


def changes(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return paired changes from discovery only to the largest weight: columns `by`, exposed (relative) and auc."""
    last, rows = ours(table)[-1], []
    for value, part in table.groupby(by, sort=False):
        exposed = change(part, last, DISCOVERY, "exposed", relative=True)
        auc = change(part, last, DISCOVERY, "auc")
        rows += [{by: value, "exposed": a, "auc": b} for a, b in zip(exposed, auc, strict=True)]
    return pd.DataFrame(rows)


def gains(table: pd.DataFrame, by: str) -> Figure:
    """Draw what the largest weight adds in exposures and in AUC, one row a value of the column `by`."""
    found, values = changes(table, by), list(table[by].unique())
    fig, axes = new_figure(1, 2, width=8.4, height=1.2 + 0.32 * len(values), sharey=True)
    middle = {}
    for axis, column, scale in ((axes[0, 0], "exposed", 100), (axes[0, 1], "auc", 1)):
        for place, value in enumerate(values):
            numbers = found.loc[found[by] == value, column].to_numpy() * scale
            mid, low, high = median_interval(numbers)
            middle[value, column] = mid
            axis.plot([low, high], [place, place], color=COLOURS[0], linewidth=1)
            axis.plot(mid, place, "o", color=COLOURS[0], markersize=5)
            axis.plot(numbers, np.full(len(numbers), place), ".", color=COLOURS[6], markersize=3)
        axis.axvline(0, **GUIDE)
        axis.set_yticks(range(len(values)), [f"{value}" for value in values])
    axes[0, 0].invert_yaxis()
    axes[0, 0].set(xlabel="exposures gained (%)", ylabel={"rho": r"$\rho$", "charge": "charged for"}.get(by, ""))
    axes[0, 1].set(xlabel="change of AUC")
    text = ", ".join(f"{v} {middle[v, 'exposed']:+.1f} % ({middle[v, 'auc']:+.3f})" for v in values)
    big = [v for v in values if middle[v, "exposed"] >= 5]
    caption = f"""{TITLES[by]} It is at least 5 % of the exposures in {len(big)} of {len(values)} rows.
        {ours(table)[-1].capitalize()} against discovery only with the same choices: median
        change of exposures, and of AUC in brackets: {text}. Dots are single seeds. {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Changes of exposures and AUC. {text}.")


def media_band(table: pd.DataFrame) -> Figure:
    """Draw the change of exposures and of AUC for every draw of the media, in order."""
    found = changes(table.assign(all="all"), "all").sort_values("exposed").reset_index(drop=True)
    fig, axes = new_figure(1, 2, width=8.4)
    for axis, column, scale, label in (
        (axes[0, 0], "exposed", 100, "exposures gained (%)"),
        (axes[0, 1], "auc", 1, "change of AUC"),
    ):
        axis.plot(found.index + 1, found[column] * scale, "o", color=COLOURS[0], markersize=4)
        axis.axhline(0, **GUIDE)
        axis.set(xlabel="draw of the media, by exposures gained", ylabel=label)
    low, mid, high = found["exposed"].quantile([0.05, 0.5, 0.95])
    up = (found["exposed"] > 0).mean()
    caption = f"""The same users with {len(found)} draws of the media. Exposures gained: {mid:+.1%} in the median, nine
        draws of ten between {low:+.1%} and {high:+.1%}; positive in {up:.0%} of the draws. Change of AUC in the median
        {found["auc"].median():+.3f}. What joint discovery is worth hangs on numbers that nobody has measured here."""
    return describe(fig, caption=caption, alt=f"Sorted gains by draw of the media, from {low:+.1%} to {high:+.1%}.")


def steadiness(table: pd.DataFrame) -> Figure:
    """Draw the change of exposures of every seed against what its media leave to gain."""
    name, there = equal_auc(table), available(table)
    once = change(table, name, DISCOVERY, "exposed", relative=True)
    found = {"discovery only": once, "the best of its starts": beyond_best_start(table)}
    fig, axes = new_figure(width=6.4, height=3.8)
    axis = axes[0, 0]
    for index, (rival, gain) in enumerate(found.items()):
        look = {"markersize": 5} if index == 0 else {"markersize": 9, "markerfacecolor": "none"}
        axis.plot(there * 100, gain * 100, "o", color=COLOURS[index], label=f"against {rival}", **look)
    axis.axhline(0, **GUIDE)
    axis.set(xlabel="what an oracle gains by knowing the side (%)", ylabel="exposures gained (%)")
    axis.legend(fontsize=8)
    told = "; ".join(f"against {rival} {spread(gain)}" for rival, gain in found.items())
    caption = f"""The gain of {len(once)} seeds against what their media leave to gain. {name.capitalize()}, the weight
        at equal AUC on validation users: {told}. Starts differ in their initial weights, and the best is chosen on
        validation users too; there are as many as weights above 0. What there is to gain comes from two oracles:
        both know the level, one knows the side as well."""
    return describe(fig, caption=caption, alt=f"Scatter of gains by seed. Exposures {told}.")
