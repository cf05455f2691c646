"""Figures of the reward: its three parts, its surface over time and size, and what each variant prefers."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.compression.experiments.variants import BEST, END
from lib.compression.reward import exchange_rate
from lib.report.intervals import median_interval
from lib.report.style import COLOURS, GUIDE, describe, new_figure


def reward_curves(table: pd.DataFrame) -> Figure:
    """Draw the three parts of the reward against their ratio (the paper's figure 1)."""
    fig, axes = new_figure(1, 1, width=5.4, height=3.0)
    axis, notes = axes[0, 0], []
    for index, (name, part) in enumerate(table.groupby("part", sort=False)):
        axis.plot(part["ratio"], part["reward"], color=COLOURS[index], linestyle=("-", "--", "-.")[index], label=name)
        threshold = part["threshold"].iloc[0]
        axis.plot([threshold], [0.5], "o", color=COLOURS[index], markersize=5)
        notes.append(f"{name} {threshold:g}")
    axis.axhline(0.5, **GUIDE)
    axis.set(xlabel="student / teacher", ylabel="part of the reward", ylim=(-0.02, 1.02))
    axis.legend(title="ratio of")
    caption = f"""The three parts of the reward, exact: each passes one half at its threshold ({", ".join(notes)}). The
        reward is their product, so a student has to satisfy all three."""
    return describe(fig, caption=caption, alt=f"Three logistic curves through one half at {', '.join(notes)}.")


def reward_surface(table: pd.DataFrame) -> Figure:
    """Draw the reward over relative time and parameters."""
    fig, axes = new_figure(1, 1, width=5.4, height=3.4)
    axis = axes[0, 0]
    grid = table.pivot_table(index="c", columns="t", values="reward")
    levels = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.3, 0.5]
    drawn = axis.contour(grid.columns, grid.index, grid.to_numpy(), levels=levels, cmap="viridis")
    axis.clabel(drawn, fmt="%g", fontsize=8)
    axis.plot([1], [1], "*", color=COLOURS[1], markersize=12, clip_on=False)
    axis.set(xlabel="time, student / teacher", ylabel="parameters, student / teacher")
    a = float(table["a"].iloc[0])
    near, teacher = exchange_rate(a, 0.3), exchange_rate(1.0, 1.0)
    best, least = table["reward"].max(), table["reward"].min()
    caption = f"""The reward over time and parameters at a relative accuracy of {a:g}; the star is the teacher's
        place. From the worst to the best corner it spans {np.log10(best / least):.1f} orders of magnitude. One unit
        of relative time is worth {teacher:.1f} units of relative accuracy at the teacher and {near:.1f} at a time of
        0.3: large networks are pushed to be fast first."""
    return describe(fig, caption=caption, alt="Contours of the reward, rising towards small time and few parameters.")


def preferences(table: pd.DataFrame) -> Figure:
    """Draw by reward the best student of the surrogate and what a search ends at (table of `preferences`)."""
    names = list(dict.fromkeys(table["reward_name"]))
    panels = (("a", "accuracy / teacher's"), ("t", "time / teacher's"), ("c", "parameters / teacher's"))
    fig, axes = new_figure(1, len(panels), width=9.6, height=0.3 * len(names) + 1.2, sharey=True)
    by = table.groupby(["reward_name", "what"])
    for axis, (value, title) in zip(axes[0], panels, strict=True):
        for row, name in enumerate(names):
            best = by.get_group((name, BEST))[value].iloc[0]
            mid, low, high = median_interval(by.get_group((name, END))[value].to_numpy())
            one, two = (BEST, END) if row == 0 else (None, None)
            axis.plot([best], [row - 0.12], "*", color=COLOURS[1], markersize=9, label=one)
            style = {"fmt": "o", "color": COLOURS[0], "capsize": 2, "label": two}
            axis.errorbar([mid], [row + 0.12], xerr=[[mid - low], [high - mid]], **style)
        axis.set(xlabel=title)
    axes[0, 0].set_yticks(range(len(names)), names)
    axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
    axes[0, -1].legend(fontsize=7)
    middle = by[["minimal", "t", "c"]].median()
    times = ", ".join(f"{name} {middle.loc[(name, BEST), 't']:.2f}" for name in names)
    drawn = ", ".join(f"{name} {middle.loc[(name, END), 't']:.2f}" for name in names)
    least = ", ".join(f"{name} {middle.loc[(name, END), 'minimal']:.0%}" for name in names)
    caption = f"""Which students each reward prefers (surrogate). Relative time of the best student: {times}; of those
        that are drawn in the last tenth of a search: {drawn}, where the share of minimal students is: {least}. Bars
        are over {table["seed"].nunique()} searches."""
    return describe(fig, caption=caption, alt=f"Best and drawn students by reward. Relative time of the best: {times}.")
