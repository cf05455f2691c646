"""Figures of class subsets: what each policy finds, how transfer learns, and what the classifier's head is worth."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.compression.figures.parts import last, over_seeds, sparse
from lib.report.intervals import median_interval, summarize
from lib.report.style import COLOURS, MARKERS, describe, new_figure, series

ARMS = ("full policy", "subset policy", "transfer", "scratch")
HEADS = ("full", "masked", "sliced")


def subset_policies(final: pd.DataFrame, *, label: str = "", noise: str = "") -> Figure:
    """Draw test accuracy, time and compression of what each policy found, subset by subset.

    With a remark on the `noise` of times the caption has accuracy and size first, and the time with it at the end.
    """
    panels = (("test", "test accuracy"), ("t", "time / teacher's"), ("compression", "compression"))
    arms = [arm for arm in ARMS if (final["arm"] == arm).any()]
    subsets = list(dict.fromkeys(final["subset"]))
    rows = [(subset, arm) for subset in subsets for arm in arms]
    fig, axes = new_figure(1, len(panels), width=9.6, height=0.27 * len(rows) + 1.1, sharey=True)
    for axis, (value, title) in zip(axes[0], panels, strict=True):
        for row, (subset, arm) in enumerate(rows):
            part = final[(final["subset"] == subset) & (final["arm"] == arm)]
            mid, low, high = median_interval(part[value].to_numpy())
            index = ARMS.index(arm)
            style = {"fmt": MARKERS[index], "color": COLOURS[index], "capsize": 2}
            axis.errorbar([mid], [row], xerr=[[mid - low], [high - mid]], **style)
        axis.set(xlabel=title)
        axis.set_yticks(range(len(rows)), [f"{subset}: {arm}" for subset, arm in rows])
        axis.set_ylim(len(rows) - 0.5, -0.5)
    found = final.groupby(["subset", "arm"])[["test", "compression", "t"]].median()
    accuracy, size, time = (
        "; ".join(
            f"{subset}: "
            + ", ".join(
                f"{arm} {found.loc[(subset, arm), value]:.{n}f}" for arm in arms if (subset, arm) in found.index
            )
            for subset in subsets
        )
        for value, n in (("test", 3), ("compression", 1), ("t", 2))
    )
    notes = f"Test accuracy: {accuracy}. Compression: {size}" if noise else f"Time relative to the teacher: {time}"
    own = '; the "subset policy" is that search after all its iterations' if "subset policy" in arms else ""
    lead = f"{label}{_against_scratch(found, subsets, bool(noise))}"
    caption = f"""{lead}Students for class subsets, trained anew on the subset. {notes}.
        The "full policy" is the student found on all classes; "transfer" continues the policy of all classes
        and "scratch" starts anew with as many iterations{_count(final)}{own}.
        {over_seeds(final)}{last(noise, f"Last, time relative to the teacher: {time}.")}"""
    return describe(fig, caption=caption, alt=f"Accuracy, time and compression by subset and policy. {notes}.")


def _against_scratch(found: pd.DataFrame, subsets: list[str], noise: bool) -> str:
    """Return in how many of the subsets the transferred policy's student beats that from scratch, for a caption."""
    both = [name for name in subsets if {(name, "transfer"), (name, "scratch")} <= set(found.index)]
    if not both:
        return ""
    ahead = {
        words: sum(
            bool(sign * (found.loc[(name, "transfer"), value] - found.loc[(name, "scratch"), value]) > 0)
            for name in both
        )
        for words, value, sign in (("faster", "t", -1), ("smaller", "compression", 1), ("more accurate", "test", 1))
        if not (noise and value == "t")
    }
    told = ", ".join(f"{words} in {count}" for words, count in ahead.items())
    return f"Transfer's student against that from scratch, of {len(both)} subsets: {told}. "


def _count(final: pd.DataFrame) -> str:
    """Return the number of iterations of a transferred policy in brackets, where the table has it."""
    rows = final[final["arm"] == "transfer"]
    known = "iterations" in final and rows["iterations"].notna().any()
    return f" ({rows['iterations'].median():.0f} in the median)" if known else ""


def transfer_learning(history: pd.DataFrame, *, label: str = "", noise: str = "") -> Figure:
    """Draw reward and share of minimal students against the iteration, transfer beside scratch, subset by subset.

    A remark on the `noise` of times, and so of rewards, ends the caption.
    """
    rows = history[history["valid"]]
    by = ["subset", "arm", "seed", "iteration"]
    means = rows.groupby(by, sort=False)[["reward", "minimal"]].mean().reset_index()
    subsets = list(dict.fromkeys(means["subset"]))
    fig, axes = new_figure(2, len(subsets), width=3.4 * len(subsets) + 0.6, height=4.2)
    notes = []
    for column, subset in enumerate(subsets):
        some = means[means["subset"] == subset]
        for arm in ("transfer", "scratch"):
            part = some[some["arm"] == arm]
            for row, value in enumerate(("reward", "minimal")):
                curve = summarize(part, ["iteration"], value)
                ends = curve["iteration"], curve["median"], curve["low"], curve["high"]
                series(axes[row, column], *ends, label=arm, index=ARMS.index(arm))
                sparse(axes[row, column].lines[-1], len(curve))
            start = part[part["iteration"] == part["iteration"].min()]["reward"].median()
            notes.append(f"{subset}, {arm}: {start:.3f}")
        axes[0, column].set(title=f"classes {subset}", ylabel="reward")
        axes[1, column].set(xlabel="iteration", ylabel="share of minimal students", ylim=(-0.04, 1.04))
    axes[0, 0].legend()
    shares = means.groupby(["subset", "arm"])[["reward", "minimal"]].mean()
    told = "; ".join(f"{subset} {_pair(shares, subset, 'minimal' if noise else 'reward')}" for subset in subsets)
    what = "Share of minimal students" if noise else "Mean reward of the students drawn"
    caption = f"""{label}{what} over all iterations, with transfer and from scratch: {told}.
        Mean reward of the students drawn (top) and the share of them that are minimal (bottom).
        Reward in the first iteration: {"; ".join(notes)}. {over_seeds(rows, points="Lines", marks="bands")}
        {noise}"""
    return describe(fig, caption=caption, alt=f"Reward against iteration. First iteration: {'; '.join(notes)}.")


def _pair(shares: pd.DataFrame, subset: str, value: str) -> str:
    """Return the means of `value` with transfer and from scratch as text."""
    one, other = (shares[value].get((subset, arm), np.nan) for arm in ("transfer", "scratch"))
    return f"{one:.0%} and {other:.0%}" if value == "minimal" else f"{one:.3f} and {other:.3f}"


def heads(table: pd.DataFrame) -> Figure:
    """Draw test accuracy of full, masked and sliced classifiers, by network and subset."""
    groups = list(dict.fromkeys(zip(table["subset"], table["network"], strict=True)))
    fig, axes = new_figure(1, 1, width=6.4, height=0.5 * len(groups) + 1.2)
    axis, gains = axes[0, 0], []
    for row, (subset, network) in enumerate(groups):
        part = table[(table["subset"] == subset) & (table["network"] == network)]
        for index, head in enumerate(HEADS):
            mid, low, high = median_interval(part[part["head"] == head]["test"].to_numpy())
            style = {"fmt": MARKERS[index], "color": COLOURS[index], "capsize": 2}
            name = head if row == 0 else None
            axis.errorbar([mid], [row + 0.2 * (index - 1)], xerr=[[mid - low], [high - mid]], label=name, **style)
        wide = part.pivot_table(index="seed", columns="head", values="test")
        gains.append(f"{subset}, {network}: {np.median(wide['masked'] - wide['full']):+.3f}")
    axis.set_yticks(range(len(groups)), [f"classes {subset}, {network}" for subset, network in groups])
    axis.set(xlabel="test accuracy on the subset", ylim=(len(groups) - 0.5, -0.5))
    axis.legend(title="classifier", loc="best")
    caption = f"""Class subsets with the classifier of all classes ("full", as in the paper), the same network with
        absent classes masked in the test, and one whose classifier and teacher are sliced to the subset. A mask costs
        nothing and adds, in the median, {"; ".join(gains)}. {over_seeds(table, what="training")}"""
    return describe(fig, caption=caption, alt=f"Accuracy by classifier. Gain of a mask: {'; '.join(gains)}.")
