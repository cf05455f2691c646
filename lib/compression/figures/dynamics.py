"""Figures of how policies move on a surrogate."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.compression.dynamics import iterations_to
from lib.compression.figures.parts import over_seeds
from lib.report.intervals import median_interval, summarize
from lib.report.style import GUIDE, describe, new_figure, series

LEVEL = 0.9


def policy_curves(history: pd.DataFrame) -> Figure:
    """Draw the mean reward against iterations, one panel a reward (table of `dynamics`)."""
    rewards = list(dict.fromkeys(history["reward_name"]))
    fig, axes = new_figure(1, len(rewards), width=3.4 * len(rewards) + 0.6, sharey=True)
    notes = []
    for axis, reward in zip(axes[0], rewards, strict=True):
        rows = history[history["reward_name"] == reward]
        for index, (update, part) in enumerate(rows.groupby("update", sort=False)):
            _curve(axis, part, "share", update, index)
            notes.append(f"{reward}, {update}: {_reached(part)}")
        axis.set(title=f"reward: {reward}", xlabel="iteration")
        axis.axhline(1, **GUIDE)
    axes[0, 0].set_ylabel("mean reward / smallest network's")
    axes[0, 0].legend(fontsize=8)
    shown = over_seeds(history, points="Lines", marks="bands")
    caption = f"""Searches on the surrogate. Iterations until students are worth {LEVEL:.0%} of the smallest network's
        reward: {"; ".join(notes)}. {shown}"""
    return describe(fig, caption=caption, alt=f"Learning curves by reward and update. {'; '.join(notes)}.")


def transfer_curves(history: pd.DataFrame) -> Figure:
    """Draw reward and smallest networks on the subset, by origin of the policy (table of `transfer_dynamics`)."""
    fig, axes = new_figure(1, 2, width=8.4)
    notes = []
    for index, (arm, part) in enumerate(history.groupby("arm", sort=False)):
        _curve(axes[0, 0], part, "share", arm, index)
        _curve(axes[0, 1], part, "minimal", arm, index)
        notes.append(f"{arm} {_reached(part)}")
    axes[0, 0].axhline(LEVEL, **GUIDE)
    axes[0, 0].set(xlabel="iteration on the subset", ylabel="mean reward / smallest network's")
    axes[0, 1].set(xlabel="iteration on the subset", ylabel="share of smallest networks")
    axes[0, 0].legend(fontsize=8)
    first = history[history["iteration"] < 5].groupby("arm")["minimal"].mean()
    shown = over_seeds(history, points="Lines", marks="bands")
    caption = f"""A policy learned on all classes begins the search on a subset with {first["transfer"]:.0%} smallest
        networks in its first five iterations, a fresh one with {first["scratch"]:.0%} (surrogate). Iterations to
        {LEVEL:.0%} of the smallest network's reward: {"; ".join(notes)}. {shown}"""
    return describe(fig, caption=caption, alt=f"Reward with and without transfer: {'; '.join(notes)}.")


def exact_curves(table: pd.DataFrame) -> Figure:
    """Draw learning curves along the exact gradient (table of `exact_learning`)."""
    fig, axes = new_figure(width=5.4)
    axis, notes = axes[0, 0], []
    for index, (name, rows) in enumerate(table.groupby("reward_name", sort=False)):
        series(axis, rows["step"], rows["share"], rows["share"], rows["share"], label=name, index=index)
        notes.append(f"{name} {rows['plateau'].iloc[0]:.2f}")
    for line in axis.lines:
        line.set(marker="")
    axis.set(xlabel="gradient step", ylabel="mean reward / best reward", ylim=(0, 1.02))
    axis.legend(fontsize=8, title="reward")
    caption = f"""Learning curves along the exact policy gradient on a network small enough to enumerate, no sampling.
        First rise over steepest rise (small: a slow start, 1: steepest at once): {", ".join(notes)}."""
    return describe(
        fig, caption=caption, alt=f"Noise-free learning curves; first over steepest rise {', '.join(notes)}."
    )


def _curve(axis: Axes, rows: pd.DataFrame, value: str, label: str, index: int) -> None:
    part = summarize(rows, ["iteration"], value)
    series(axis, part["iteration"], part["median"], part["low"], part["high"], label=label, index=index)
    axis.lines[-1].set(markevery=10)


def _reached(rows: pd.DataFrame) -> str:
    """Return the median number of iterations to the level with its interval, in words where it is never reached."""
    found = iterations_to(rows, LEVEL, column="share").to_numpy()
    if np.isfinite(found).all():
        middle, low, high = median_interval(found)
        return f"{middle:.0f} [{low:.0f}, {high:.0f}]" if len(found) > 1 else f"{middle:.0f}"
    return f"reached by {np.isfinite(found).sum()} of {len(found)} seeds"
