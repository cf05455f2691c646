"""Figures of searches: how they learn, and what the methods find."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.compression.figures.parts import last, over_seeds, sparse
from lib.report.intervals import median_interval, summarize
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure, series

ORDER = ("DDC", "random search", "remove all", "remove all units", "N2N", "DDC, hard targets", "transfer", "scratch")
LEARNING = (
    ("reward", "reward"), ("c", "parameters / teacher's"), ("a", "accuracy / teacher's"),
    ("t", "time / teacher's"), ("minimal", "share of minimal students"),
)  # fmt: skip


def place(method: str) -> int:
    """Return the colour index of `method`."""
    return ORDER.index(method) if method in ORDER else len(ORDER)


def learning(history: pd.DataFrame, *, methods: tuple[str, ...] = ("DDC",), label: str = "", noise: str = "") -> Figure:
    """Draw reward, parameters, accuracy, time and the share of minimal students against the iteration.

    With a remark on the `noise` of times the caption has accuracy and size first, and the reward with it at the end.
    """
    rows = history[history["method"].isin(methods) & history["valid"]]
    if rows.empty:
        raise ValueError(f"the table has no rows of {', '.join(methods)}: run these searches first")
    means = (
        rows.groupby(["method", "seed", "iteration"], sort=False)[[name for name, _ in LEARNING]].mean().reset_index()
    )
    fig, axes = new_figure(1, len(LEARNING), width=10.4, height=2.6)
    for axis, (value, title) in zip(axes[0], LEARNING, strict=True):
        for method in methods:
            part = summarize(means[means["method"] == method], ["iteration"], value)
            ends = part["iteration"], part["median"], part["low"], part["high"]
            series(axis, *ends, label=method, index=place(method))
            sparse(axis.lines[-1], len(part))
        axis.set(xlabel="iteration", ylabel=title)
    axes[0, 0].legend(fontsize=8)
    notes, rewarded, count = [], [], means["iteration"].max() + 1
    long = count >= 5  # then the caption has the minimal ones of a whole fifth of the iterations
    for method in methods:
        some = means[means["method"] == method]
        ends = [some[some["iteration"] == edge(some["iteration"])] for edge in (min, max)][: 1 if count == 1 else 2]
        reward, accuracy, size = (
            f"{words} {' to '.join(f'{end[value].median():#.3g}' for end in ends)}"
            for value, words in (("reward", "reward"), ("a", "accuracy / teacher's"), ("c", "parameters / teacher's"))
        )
        minimal = ", minimal students " + " to ".join(f"{end['minimal'].median():.0%}" for end in ends)
        notes.append(f"{method}: {f'{accuracy}, {size}' if noise else reward}{'' if long else minimal}")
        rewarded.append(f"{method}: {reward}")
    drawn = (
        "the one iteration that there was, which shows nothing of learning"
        if count == 1
        else f"each of {count} iterations, from the first to the last"
    )
    grown = "".join(_grown(means[means["method"] == method], bool(noise)) for method in methods) if long else ""
    caption = f"""{label}{grown}Means of the students drawn in {drawn}: {"; ".join(notes)}.
        {over_seeds(means, points="Points" if count == 1 else "Lines", marks="bands")}
        {last(noise, f"Last, {'; '.join(rewarded)}.")}"""
    what = "Five points of one iteration" if count == 1 else "Five curves against the iteration"
    return describe(fig, caption=caption, alt=f"{what}. {grown}{'; '.join(notes)}.")


def _grown(means: pd.DataFrame, noise: bool) -> str:
    """Return how the students of the last fifth of the iterations differ from those of the first, for a caption."""
    long = means["iteration"].max() + 1
    first, last_ = (means[part] for part in (means["iteration"] < long / 5, means["iteration"] >= long - long / 5))
    minimal = f"{last_['minimal'].mean():.0%} of the students drawn in the last fifth of the iterations are minimal"
    before, after = first["reward"].mean(), last_["reward"].mean()
    worth = "" if noise or not before > 0 else f", and they are worth {after / before:.1f} times those of the first"
    return f"{means['method'].iloc[0]}: {minimal}{worth}. "


def comparison(
    final: pd.DataFrame,
    *,
    label: str = "",
    noise: str = "",
    record: pd.DataFrame | None = None,
    apart: tuple[str, ...] = (),
) -> Figure:
    """Draw test accuracy, time, compression and reward of what each method found, with intervals over seeds.

    With a remark on the `noise` of times the caption has accuracy and size first, and the reward with it at the end.
    A `record` of more seeds is drawn in grey below each method, and leads the caption. Methods `apart`, timed with
    other searches, are drawn but not ranked.
    """
    panels = (
        ("test", "test accuracy"), ("t", "time / teacher's"), ("compression", "compression"), ("reward", "reward"),
    )  # fmt: skip
    names = sorted(final["method"].unique(), key=place)
    fig, axes = new_figure(1, len(panels), width=10.4, height=0.34 * len(names) + 1.1, sharey=True)
    for axis, (value, title) in zip(axes[0], panels, strict=True):
        for row, name in enumerate(names):
            style = {"fmt": MARKERS[place(name) % len(MARKERS)], "color": COLOURS[place(name) % len(COLOURS)]}
            _bar(axis, final[final["method"] == name][value], row, style)
            if record is not None:
                _bar(axis, record[record["method"] == name][value], row + 0.28, {"fmt": "|", "color": "#8A8A8A"})
        axis.set(xlabel=title)
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.5, -0.5)
    axes[0, 0].axvline(final["test_teacher"].median(), **GUIDE)
    rewards = _by_method(final, "reward", names, 3)
    sizes = f"Compression: {_by_method(final, 'compression', names, 1)}"
    notes = f"Test accuracy: {_by_method(final, 'test', names, 3)}. {sizes}" if noise else f"Reward: {rewards}"
    ranked = final if record is None else record[record["method"].isin(names)]
    lead = _finding(ranked[~ranked["method"].isin(apart)], bool(noise))
    lead = lead if record is None else _lead(record, names, lead)
    notes = notes if record is None else f"In this run, {notes[0].lower()}{notes[1:]}"
    caption = f"""{label}{lead}The student that each method chose on validation images, trained anew and judged on test
        images (dashed: the teacher's accuracy). {notes}.
        {_effort(final)}{over_seeds(final)}{last(noise, f"Last, the reward: {rewards}.")}"""
    return describe(fig, caption=caption, alt=f"Accuracy, time, compression and reward by method. {lead}{notes}.")


def beside_search(final: pd.DataFrame, method: str, *, search: str = "DDC") -> str:
    """Return how `method` compares with the `search`, seed by seed, as a sentence for the beginning of a caption."""
    if not {method, search} <= set(final["method"]):
        return ""
    wide = final[final["method"].isin((method, search))].pivot_table(
        index="seed", columns="method", values=["test", "t", "parameters"]
    )
    gain = float((wide["test"][method] - wide["test"][search]).median())
    time, size = (float((wide[name][method] / wide[name][search]).median()) for name in ("t", "parameters"))
    ahead = int((wide["test"][method] > wide["test"][search]).sum())
    return (
        f"{method} at {size:.2f} times the parameters of the student that the search finds: test accuracy {gain:+.3f} "
        f"against it, higher in {ahead} of {len(wide)} seeds, at {time:.2f} times its time (medians of pairs). "
    )


def beside_greedy(table: pd.DataFrame | None, *, method: str = "greedy removal", search: str = "DDC") -> str:
    """Return how `method` compares with the `search` of the same record, as a sentence for the beginning of a caption.

    Empty without a `table`, or where it lacks one of the two.
    """
    if table is None or not {method, search} <= set(table["method"]):
        return ""
    wide = table.pivot_table(index="seed", columns="method", values=["reward", "trainings"])
    ahead = int((wide["reward"][method] > wide["reward"][search]).sum())
    return (
        f"{method.capitalize()} beside the {search} of its own record, timed in turns: reward "
        f"{wide['reward'][method].median():.3f} against {wide['reward'][search].median():.3f}, higher in {ahead} of "
        f"{len(wide)} seeds, after {wide['trainings'][method].median():.0f} trainings against "
        f"{wide['trainings'][search].median():.0f} (medians). "
    )


def _bar(axis: Axes, values: pd.Series, height: float, style: dict[str, str]) -> None:
    """Draw the median of `values` at `height` with its interval, or nothing where there are none."""
    mid, low, high = median_interval(values.to_numpy())
    if np.isfinite(mid):
        axis.errorbar([mid], [height], xerr=[[mid - low], [high - mid]], capsize=2, **style)


def _lead(record: pd.DataFrame, names: list[str], finding: str) -> str:
    """Return the `finding` of a recorded table of more seeds and its rewards, for the beginning of a caption."""
    some = record[record["method"].isin(names)]
    if some.empty:
        return ""
    told, rewards = f"{finding[:1].lower()}{finding[1:]}", _by_method(some, "reward", names, 3)
    return f"Over {some['seed'].nunique()} recorded seeds (grey) {told}Rewards: {rewards}. "


def _finding(final: pd.DataFrame, noise: bool) -> str:
    """Return which method's student is worth most and where the search stands, for the beginning of a caption.

    Where times, and so rewards, are noisy: which is the most accurate and which the smallest.
    """
    middle = final.groupby("method", sort=False)[["test", "compression", "reward"]].median().dropna()
    if len(middle) < 2:
        return ""
    if noise:
        best, small = middle["test"].idxmax(), middle["compression"].idxmax()
        return (
            f"Most accurate is the student of {best} ({middle.loc[best, 'test']:.3f}, the teacher "
            f"{final['test_teacher'].median():.3f}), smallest that of {small} "
            f"({middle.loc[small, 'compression']:.1f} times smaller than the teacher). "
        )
    ranked = middle["reward"].sort_values(ascending=False)
    best = ranked.index[0]
    if "DDC" not in ranked or best == "DDC":
        return f"The student of {best} is worth most, that of {ranked.index[1]} is next. "
    others, behind = len(ranked) - 2, int((ranked < ranked["DDC"]).sum())
    than = {0: "less than all others", others: "more than all others"}.get(behind, f"more than {behind} of the others")
    share = f"The student of {best} is worth most; that of DDC has {ranked['DDC'] / ranked.iloc[0]:.2g} of its reward"
    return f"{share}, {than}. " if others else f"{share}. "


def _by_method(final: pd.DataFrame, value: str, names: list[str], digits: int) -> str:
    """Return the medians of `value` by method, of those that have one."""
    middle = final.groupby("method")[value].median().reindex(names)
    return ", ".join(f"{name} {one:.{digits}f}" for name, one in middle.items() if np.isfinite(one))


def _effort(final: pd.DataFrame) -> str:
    """Return how many students the searches trained, without which nothing can be said about them."""
    if "trainings" not in final:
        return ""
    count = final[final["trainings"] > 0].groupby("method", sort=False)["trainings"].median()
    told = ", ".join(f"{name} {trained:.0f}" for name, trained in count.items())
    return f"Students trained by a search: {told}. " if told else ""
