"""Figures of the propositions on gradient noise and thresholds."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.report.intervals import fitted_slope
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure


def gradient_variance(table: pd.DataFrame) -> Figure:
    """Draw the variance of the gradient estimate against the number of students, exact and simulated (new figure D)."""
    fig, axes = new_figure(1, 2, width=8.4)
    slopes = []
    for index, (name, rows) in enumerate(table.groupby("advantage", sort=False)):
        axes[0, 0].plot(rows["rollouts"], rows["variance"], color=COLOURS[index], label=f"{name}, exact")
        axes[0, 0].plot(rows["rollouts"], rows["simulated"], MARKERS[index], color=COLOURS[index], markersize=5)
        slopes.append(f"{name} {fitted_slope(rows['rollouts'], rows['variance']):.2f}")
    axes[0, 0].set(xscale="log", yscale="log", xlabel="students an iteration, $N$", ylabel="variance of the gradient")
    axes[0, 0].legend(fontsize=8, title="advantage")
    wide = table.pivot_table(index="rollouts", columns="advantage", values=["variance", "simulated"])
    ratio, seen = (wide[name]["shared"] / wide[name]["own"] for name in ("variance", "simulated"))
    axes[0, 1].plot(ratio.index, ratio.index, **GUIDE, label="$N$")
    axes[0, 1].plot(ratio.index, ratio, color=COLOURS[2], label="exact")
    axes[0, 1].plot(seen.index, seen, MARKERS[2], color=COLOURS[2], markersize=5, label="simulated")
    axes[0, 1].set(xscale="log", yscale="log", xlabel="students an iteration, $N$", ylabel="shared / own variance")
    axes[0, 1].legend(fontsize=8)
    for axis in axes[0]:
        axis.set_xticks(ratio.index, [f"{n}" for n in ratio.index])
        axis.xaxis.minorticks_off()
    at = 5 if 5 in ratio.index else ratio.index[-1]
    caption = f"""With the advantage of their own trajectory, students average the noise away; with the mean advantage
        shared by all they do not (slopes: {", ".join(slopes)}). At N = {at} sharing multiplies the variance by
        {ratio[at]:.2f} (simulated {seen[at]:.2f}), with the same mean. Lines are exact sums over all students."""
    return describe(fig, caption=caption, alt=f"Variances against N, log-log; slopes {', '.join(slopes)}.")


def threshold_frontier(path: pd.DataFrame) -> Figure:
    """Draw the best student of the surrogate for each setting of the thresholds (P8)."""
    fig, axes = new_figure(1, 2, width=8.4)
    for axis, (value, title) in zip(axes[0], (("t", "time / teacher's"), ("c", "parameters / teacher's")), strict=True):
        axis.plot(path[value], path["a"], color=COLOURS[0], linewidth=1)
        for index, row in enumerate(path.itertuples()):
            axis.plot(
                [getattr(row, value)], [row.a], MARKERS[index % len(MARKERS)], color=COLOURS[0], label=row.thresholds
            )
        axis.set(xlabel=title, ylabel="accuracy / teacher's")
        axis.locator_params(axis="x", nbins=5)
    axes[0, 0].legend(fontsize=7, title="thresholds of a, t, c")
    steps = path[["a", "t", "c"]].diff().dropna()
    rising = int((np.asarray(steps) >= 0).all(axis=1).sum())
    first, last = path.iloc[0], path.iloc[-1]
    caption = f"""The best student of the surrogate as the thresholds move, from ({first.thresholds}): accuracy
        {first.a:.2f}, time {first.t:.2f}, parameters {first.c:.2f}, to ({last.thresholds}): {last.a:.2f}, {last.t:.2f},
        {last.c:.2f}; {rising} of {len(steps)} steps lead to a larger, slower, more accurate student."""
    return describe(fig, caption=caption, alt=f"Best students along {len(path)} settings of the thresholds.")
