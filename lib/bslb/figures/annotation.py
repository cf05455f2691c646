"""Figures of the annotation experiments: what labelling hard points does to the classifier, and at what regret."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.bslb.figures.policies import NAMES, curves, outside_legend
from lib.report.intervals import median_interval
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure

_INTERVALS = "Points are medians over seeds, bars 90 % intervals."


def annotation_accuracy(table: pd.DataFrame, *, balanced: bool = False) -> Figure:
    """Draw accuracy on hard and on easy validation points against T, one row of panels a task.

    `table` as from `annotation_digits`; `balanced` draws mean recall over the classes in place of accuracy.
    """
    suffix, name = ("_balanced", "balanced accuracy") if balanced else ("", "accuracy")
    tasks = _tasks(table)
    fig, axes = new_figure(len(tasks), 2, width=8.4, height=2.7 * len(tasks))
    for row, task in zip(axes, tasks, strict=True):
        part = table[table.task == task]
        for axis, third, title in zip(row, ("hard", "easy"), ("hardest", "easiest"), strict=True):
            curves(axis, part, f"{third}_accuracy{suffix}")
            axis.set_title(f"{task}: {title} third", fontsize=9)
            axis.set_ylabel(name)
            # A panel in which everything is equal must not blow up rounding to full height.
            low, high = axis.get_ylim()
            axis.set_ylim(min(low, 0.9), min(high, 1.01))
    outside_legend(fig, axes[0, 0])
    T = int(table["T"].max())
    alt = (
        f"{2 * len(tasks)} panels of {name} against the number of labels, hard validation points left, easy ones "
        f"right. {_ranking(table, tasks[0], T, f'hard_accuracy{suffix}')}"
    )
    caption = (
        f"With {T} labels BSLB changes the median {name} against random labels "
        f"{_accuracy_findings(table, tasks, T, suffix)} {_INTERVALS}"
    )
    return describe(fig, caption=caption, alt=alt)


def _accuracy_findings(table: pd.DataFrame, tasks: list[str], T: int, suffix: str) -> str:
    """Return what each policy changes against random labels on the hardest and the easiest third, task by task."""
    values = [f"hard_accuracy{suffix}", f"easy_accuracy{suffix}"]
    gain = table[table["T"] == T].pivot_table(index="policy", columns="task", values=values, aggfunc="median")
    gain = gain - gain.loc["random"]

    def listed(policy: str, third: str) -> str:
        return ", ".join(f"{gain.loc[policy, (f'{third}_accuracy{suffix}', task)]:+.3f}" for task in tasks)

    names = ", ".join(f"'{task}'" for task in tasks)
    text = f"on the hardest third by {listed('bslb', 'hard')} ({names}) and on the easiest by {listed('bslb', 'easy')}"
    references = ("margin", "all", "difficulty_oracle")
    others = [f"{NAMES[policy]} {listed(policy, 'hard')}" for policy in references if policy in gain.index]
    return text + (f"; on the hardest third, {'; '.join(others)}" if others else "") + "."


def annotation_counterexample(table: pd.DataFrame) -> Figure:
    """Draw hard and easy accuracy at the largest T where classes are balanced: difficulty-seeking hurts.

    `table` as from `annotation_counterexamples`.
    """
    tasks, T = _tasks(table), int(table["T"].max())
    part = table[table["T"] == T]
    policies = [policy for policy in dict.fromkeys(table.policy) if policy != "all"]
    fig, axes = new_figure(1, len(tasks), width=3.9 * len(tasks), height=3.0, sharey=True)
    for axis, task in zip(axes[0], tasks, strict=True):
        for index, third in enumerate(("hard", "easy")):
            column = f"{third}_accuracy"
            rows = [part[(part.task == task) & (part.policy == policy)][column] for policy in policies]
            mid, low, high = np.array([median_interval(values.to_numpy()) for values in rows]).T
            look = {"marker": MARKERS[index], "color": COLOURS[index], "capsize": 2, "linestyle": "none"}
            x = np.arange(len(policies)) + 0.2 * index - 0.1
            axis.errorbar(x, mid, [mid - low, high - mid], **look, label=("hardest", "easiest")[index] + " third")
            whole = part[(part.task == task) & (part.policy == "all")][column]
            axis.axhline(whole.median(), **GUIDE | {"color": COLOURS[index], "linewidth": 0.8})
        axis.set_xticks(range(len(policies)), [NAMES[policy] for policy in policies], rotation=30, ha="right")
        axis.set_title(f"{task}, $T = {T}$", fontsize=9)
    axes[0, 0].set_ylabel("accuracy")
    outside_legend(fig, axes[0, 0])
    findings, costs = [], []
    for task in tasks:
        hard = part[part.task == task].groupby("policy").hard_accuracy.median()
        costs.append(hard["difficulty_oracle"] < hard["random"])
        findings.append(
            f"{task}: random {hard['random']:.2f}, BSLB {hard['bslb']:.2f}, the {T} truly hardest points "
            f"{hard['difficulty_oracle']:.2f}"
        )
    verdict = "costs accuracy even on hard points" if all(costs) else "does not always cost accuracy on hard points"
    caption = (
        f"With balanced classes and {T} labels, training on the hardest points {verdict} ({'; '.join(findings)}). "
        f"Dashed: classifier trained on the whole pool. {_INTERVALS}"
    )
    alt = f"{len(tasks)} panels of accuracy by policy for hard and easy validation points. {'; '.join(findings)}."
    return describe(fig, caption=caption, alt=alt)


def difficulty_regret(table: pd.DataFrame) -> Figure:
    """Draw regret in difficulty against T by policy, left in full, right in per cent of what random labels cost.

    `table` as from `annotation_voc` (human scores) or `annotation_sst2` (standard deviations of the difficulty), one
    task. The expected regret of random labels, known exactly, is drawn as reference line.
    """
    data = table[~table.policy.isin(["all", "oracle", "difficulty_oracle"])]
    task = _tasks(data)[0]
    fig, axes = new_figure(1, 2, width=8.8, height=3.3)
    data = data[data.task == task].assign(share=lambda rows: 100 * rows.regret / rows.random_regret)
    unit = "score units" if "kendall_tau" in data else "s.d. of difficulty"
    curves(axes[0, 0], data, "regret")
    expected = data.groupby("T").random_regret.median()
    axes[0, 0].plot(expected.index, expected.to_numpy(), **GUIDE, label="random, expected")
    axes[0, 0].set_ylabel(f"regret against the $T$ hardest ({unit})")
    curves(axes[0, 1], data, "share")
    axes[0, 1].axhline(100, **GUIDE)
    axes[0, 1].set_ylabel("regret (% of random's expected)")
    outside_legend(fig, axes[0, 0])
    finding = _regret_finding(data, int(data["T"].max()))
    lines = ", ".join(f"{value:.1f} at $T = {T}$" for T, value in expected.items())
    caption = f"{finding} Dashed: the expected regret of random pulls, known exactly ({lines}). {_INTERVALS}"
    alt = f"Regret against the number of pulls, one curve a policy, with the random reference. {finding}"
    return describe(fig, caption=caption, alt=alt)


def _regret_finding(data: pd.DataFrame, T: int) -> str:
    at = data[data["T"] == T]
    share = at.groupby("policy", sort=False).share.median()
    text = f"At $T = {T}$ on {data.task.iloc[0]} BSLB's regret is {share['bslb']:.0f} % of random's"
    others = share.drop(labels=["random", "bslb", "full_data_linear"], errors="ignore")
    if len(others):
        text += f", the lowest of the others {others.min():.0f} % ({NAMES[others.idxmin()]})"
    if "full_data_linear" in share:
        text += f"; a linear model fitted on nearly all scores still leaves {share['full_data_linear']:.0f} %"
        if "kendall_tau" in at:
            tau = at[at.policy == "full_data_linear"].kendall_tau.median()
            text += f" (Kendall's tau {tau:.2f})"
    return text + "."


def _tasks(table: pd.DataFrame) -> list[str]:
    if table.empty:
        raise ValueError("the table is empty: run the experiment with at least one policy, budget and seed")
    return list(dict.fromkeys(table.task))


def _ranking(table: pd.DataFrame, task: str, T: int, column: str) -> str:
    part = table[(table.task == task) & (table["T"] == T)]
    ranked = part.groupby("policy")[column].median().sort_values(ascending=False)
    text = ", ".join(f"{NAMES[policy]} {value:.3f}" for policy, value in ranked.items())
    return f"At T = {T}, {task}, from best to worst: {text}."
