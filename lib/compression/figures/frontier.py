"""Figures of the trade-off: the frontier with thresholds moved along it, and a teacher whose students are all known."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.compression.experiments.frontier import pareto
from lib.compression.figures.parts import over_seeds
from lib.report.intervals import summarize
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure, series

METHODS = ("DDC", "DDC, shared advantage", "random search", "greedy removal")


def frontier(history: pd.DataFrame, chosen: pd.DataFrame, *, label: str = "") -> Figure:
    """Draw all trained students by time and accuracy, the frontier, and the student that each threshold prefers."""
    trained = history[history["trained"] & history["a"].notna()]
    edge = pareto(history)
    fig, axes = new_figure(1, 2, width=9.0, height=3.4)
    for axis, value in zip(axes[0], ("a", "c"), strict=True):
        axis.plot(trained["t"], trained[value], ".", color="#B8B8B8", markersize=5, label="trained students")
        steps = chosen.groupby("thresholds", sort=False)[["t", value]].median()
        axis.plot(steps["t"], steps[value], "-", color=COLOURS[1], linewidth=1.0)
        for index, (name, row) in enumerate(steps.iterrows()):
            axis.plot(row["t"], row[value], MARKERS[index], color=COLOURS[1], markersize=7, label=name)
    axes[0, 0].plot(edge["t"], edge["a"], drawstyle="steps-post", color=COLOURS[0], linewidth=1.2, label="frontier")
    low = min(0.8, float(chosen["a"].min()) - 0.02)
    axes[0, 0].set(xlabel="time / teacher's", ylabel="accuracy / teacher's", ylim=(low, None))
    axes[0, 1].set(xlabel="time / teacher's", ylabel="parameters / teacher's")
    axes[0, 0].legend(fontsize=7, title="thresholds of accuracy, time, parameters", title_fontsize=7, loc="lower right")
    middle = chosen.groupby("thresholds", sort=False)[["a", "t", "c"]].median()
    first, last = middle.iloc[0], middle.iloc[-1]
    names = {"a": "accuracy", "t": "time", "c": "parameters"}
    note = ", ".join(f"{name} {first[key]:.2f} to {last[key]:.2f}" for key, name in names.items())
    falls = _falls(middle, names)
    caption = f"""{label}Thresholds moved from the paper's ({middle.index[0]}) to looser ones ({middle.index[-1]}):
        the preferred student goes from {note}. {falls} Grey: all {len(trained)} students that were trained; those below
        {low:.2f} are not shown. {over_seeds(chosen, points="Markers", marks="")}"""
    return describe(
        fig, caption=caption, alt=f"Accuracy and parameters against time of students. Preferred: {note}. {falls}"
    )


def _falls(middle: pd.DataFrame, names: dict[str, str]) -> str:
    """Return the sentence on where a median falls from one of the thresholds to the next."""
    found = [
        f"the median of {name} falls from {before[key]:.3f} to {after[key]:.3f} at ({at})"
        for key, name in names.items()
        for (_, before), (at, after) in zip(middle.iloc[:-1].iterrows(), middle.iloc[1:].iterrows(), strict=True)
        if after[key] < before[key]
    ]
    return f"On the way {'; '.join(found)}." if found else "None of these medians falls on the way."


def oracle(students: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Draw every student of the tiny teacher, and the best reward found against the number of trainings."""
    fig, axes = new_figure(1, 2, width=9.0, height=3.4)
    valid = students[students["valid"]]
    top = valid.loc[valid["reward"].idxmax()]
    least = valid.sort_values(["c", "t"]).iloc[0]
    axis = axes[0, 0]
    axis.plot(valid["t"], valid["a"], ".", color="#9A9A9A", markersize=6, label="a student")
    axis.plot(least["t"], least["a"], "s", color=COLOURS[1], label="fewest parameters")
    axis.plot(top["t"], top["a"], "*", color=COLOURS[0], markersize=12, label="best reward")
    axis.set(xlabel="time / teacher's", ylabel="accuracy / teacher's")
    axis.legend(fontsize=8)
    notes = []
    for index, name in enumerate(METHODS):
        part = curves[curves["method"] == name]
        rows = summarize(part, ["trainings"], "best").sort_values("trainings")
        rows = rows[rows["n"] >= part["seed"].nunique() / 2]
        ends = rows["trainings"], rows["median"], rows["low"], rows["high"]
        series(axes[0, 1], *ends, label=name, index=index)
        axes[0, 1].lines[-1].set(marker="", linestyle=("-", "--", "-.", ":")[index])
        last = part.sort_values("trainings").groupby("seed")["found"].last()
        notes.append(f"{name} {last.mean():.0%} ({part.groupby('seed')['trainings'].max().median():.0f} trainings)")
    axes[0, 1].axhline(1, **GUIDE)
    axes[0, 1].set(xlabel="students trained", ylabel="best reward / best of all", ylim=(-0.03, 1.06))
    axes[0, 1].legend(fontsize=8)
    ratio = least["reward"] / top["reward"] if top["reward"] else np.nan
    caption = f"""A teacher with {len(students)} students, all trained (left): the best one keeps {top["kept"]:.0%} of
        the free layers, and the minimal student has {ratio:.2f} of its reward. Right: the best reward so far. Found the
        best of all in the end: {"; ".join(notes)}; medians over seeds.
        {over_seeds(curves, points="Lines", marks="bands")}"""
    return describe(fig, caption=caption, alt=f"All students, and search curves. Found the best: {'; '.join(notes)}.")
