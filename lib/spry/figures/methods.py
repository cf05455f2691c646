"""Figures of the method comparison: accuracy against rounds and against work, protocols, sweeps."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.report.intervals import last_round, summarize
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure, series
from lib.spry.experiments.adapted import LORA
from lib.spry.experiments.methods import NAMES, PROTOCOLS, RELEASED

INTERVALS = "Curves are medians over seeds, bands intervals of the median (90 %, or the range below five seeds)."

# One look a method in all figures: a colour by its place, dashed beyond the palette.
ORDER = (*NAMES, *PROTOCOLS)


def methods(table: pd.DataFrame) -> Figure:
    """Draw accuracy against rounds and against operations, one row an alpha (comparison of `digits_tables`)."""
    alphas, names = list(dict.fromkeys(table["alpha"])), list(dict.fromkeys(table["method"]))
    fig, axes = new_figure(len(alphas), 2, width=9, height=3.2 * len(alphas), sharey=True)
    notes = []
    for row, alpha in zip(axes, alphas, strict=True):
        part = table[table["alpha"] == alpha]
        for axis, x in zip(row, ("round", "operations"), strict=True):
            for name in names:
                _curve(axis, part[part["method"] == name], x, name)
        row[0].set(xlabel="round", ylabel="accuracy", title=rf"$\alpha = {alpha:g}$")
        row[1].set(xlabel="operations of a client (forward passes)", xscale="log", title=rf"$\alpha = {alpha:g}$")
        row[1].xaxis.set_minor_formatter("")
        notes.append(_ends(part, rf"$\alpha={alpha:g}$"))
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", fontsize=7)
    caption = f"""Each method at its own learning rate. Final accuracy at {"; ".join(notes)}. In operations K tangents
        at once count 1 + K forward passes, a backward pass one. {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Accuracy against rounds and operations by method. {notes[0]}.")


def _ends(part: pd.DataFrame, where: str) -> str:
    """Return best, worst and Spry's final median accuracy."""
    ranked = last_round(part).groupby("method")["accuracy"].median().sort_values()
    shown = dict.fromkeys([ranked.index[-1], *(["Spry"] if "Spry" in ranked else []), ranked.index[0]])
    return f"{where}: " + ", ".join(f"{name} {ranked[name]:.2f}" for name in shown)


def texts(table: pd.DataFrame | None, data: str) -> Figure:
    """Draw `methods` for one data set of `experiments.real_tables`, with the share of the commonest label.

    None, where there is neither a run nor a recorded one, draws a picture that says so.
    """
    if table is None:
        return _absent()
    rows = table[table["data"] == data]
    fig = methods(rows.drop(columns="data"))
    floors = rows.groupby("alpha", sort=False)["majority"].median()
    for row, floor in zip(np.array(fig.axes[: 2 * len(floors)]).reshape(-1, 2), floors, strict=True):
        for axis in row:
            axis.axhline(floor, **GUIDE)
    counts = rows.groupby("method")["seed"].nunique()
    some = f"{counts.min()} to {counts.max()}" if counts.min() < counts.max() else f"{counts.max()}"
    size = f"{some} seed{'s' if counts.max() > 1 else ''}, {rows['round'].max()} rounds"
    caption = f"{_outcome(rows)} {fig.scarce_caption} Here: {size}. Dashed: share of the commonest label."
    return describe(fig, caption=caption, alt=fig.scarce_alt)


def _outcome(rows: pd.DataFrame) -> str:
    """Say which method is the most accurate in the end, and where Spry is, beside the commonest label's share."""
    parts = []
    for alpha, part in rows[rows["round"] == rows["round"].max()].groupby("alpha", sort=False):
        final, floor = part.groupby("method")["accuracy"].median(), part["majority"].median()
        parts.append(
            rf"$\alpha={alpha:g}$: best {final.idxmax()} {final.max():.2f}, Spry {final.get('Spry', np.nan):.2f}, "
            f"the commonest label's share {floor:.2f}"
        )
    return f"{rows['data'].iloc[0]}. {'; '.join(parts)}."


def with_lora(table: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the rows of the table lora of `experiments.real_tables` that train LoRA; None stays None."""
    return None if table is None else table[table["trained"] == LORA].drop(columns=["trained", "weights"])


def _curve(axis: Axes, rows: pd.DataFrame, x: str, name: str) -> None:
    """Draw one method's accuracy; beyond the palette's colours, dashed and with the markers in another order."""
    if x != "round":
        rows = rows[rows[x] > 0]  # the axis is logarithmic
    found = summarize(rows, ["round"], "accuracy").sort_values("round")
    place = rows.groupby("round")[x].median() if x != "round" else found["round"]
    index = ORDER.index(name)
    series(axis, place, found["median"], found["low"], found["high"], label=name, index=index)
    axis.lines[-1].set_markevery(max(1, len(found) // 8))
    if index >= len(COLOURS):
        axis.lines[-1].set(linestyle="--", marker=MARKERS[(index + 3) % len(MARKERS)])


def protocols(table: pd.DataFrame) -> Figure:
    """Draw accuracy against local epochs and against KiB sent, per epoch and per iteration."""
    names = list(dict.fromkeys(table["method"]))
    fig, axes = new_figure(1, 2, width=8.4, sharey=True)
    for axis, x in zip(axes[0], ("round", "kib_up"), strict=True):
        for name in names:
            _curve(axis, table[table["method"] == name], x, name)
    axes[0, 0].set(xlabel="local epochs", ylabel="accuracy")
    axes[0, 1].set(xlabel="KiB that a client sent", xscale="log")
    axes[0, 0].legend(fontsize=7)
    end = last_round(table).groupby("method", sort=False)[["accuracy", "kib_up"]].median()
    listed = ", ".join(f"{name} {row.accuracy:.3f} ({row.kib_up:.1f} KiB)" for name, row in end.iterrows())
    caption = f"""After the same number of iterations, with what a client sent until then, books included: {listed}.
        {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Accuracy against epochs and bytes by protocol: {listed}.")


def sweeps(table: pd.DataFrame) -> Figure:
    """Draw Spry's final accuracy against K and against M (sweeps of `digits_tables`)."""
    fig, axes = new_figure(1, 2, width=8.4, sharey=True)
    notes = []
    labels = {"K": "perturbations a minibatch $K$", "M": "clients a round $M$"}
    for index, (axis, (name, label)) in enumerate(zip(axes[0], labels.items(), strict=True)):
        rows = last_round(table)[lambda t, name=name: t["sweep"] == name]
        found = summarize(rows, ["value"], "accuracy").sort_values("value")
        series(axis, found["value"], found["median"], found["low"], found["high"], label=name, index=index)
        axis.set(xlabel=label, xscale="log")
        axis.set_xticks(found["value"], [f"{value}" for value in found["value"]])
        axis.minorticks_off()
        ends = zip(found["value"], found["median"], strict=True)
        notes.append(f"${name}$ " + ", ".join(f"{value}: {accuracy:.2f}" for value, accuracy in ends))
    axes[0, 0].set_ylabel("final accuracy")
    caption = f"""Final accuracy, after {table["round"].max()} rounds, by perturbations and by clients:
        {"; ".join(notes)}. Each setting at its own learning rate; the work of a client grows with $K$, not with
        $M$. {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Final accuracy by K and M. {'; '.join(notes)}.")


def with_epochs(comparison: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return Spry's and FedAvg's rows of the table comparison with those of protocols, for the latter's alphas."""
    both = comparison[comparison["method"].isin(("Spry", "FedAvg")) & comparison["alpha"].isin(table["alpha"])]
    return pd.concat([both, table], ignore_index=True)


def _absent() -> Figure:
    fig, axes = new_figure(width=5.6, height=1.2)
    axes[0, 0].text(0.5, 0.5, "no recorded run", ha="center", va="center")
    axes[0, 0].set_axis_off()
    caption = "No run of these tables is at hand; `scarce run spry --preset real --record` computes and keeps them."
    return describe(fig, caption=caption, alt="A picture that says that there is no recorded run.")


def released_runs(table: pd.DataFrame) -> Figure:
    """Draw the final accuracy of methods with and without their defect (released of `digits_tables`)."""
    rows = last_round(table)
    names = [name for name in dict.fromkeys(rows["method"]) if not name.endswith(RELEASED)]
    fig, axes = new_figure(width=5.6)
    axis, notes = axes[0, 0], []
    for index, (ending, label) in enumerate({"": "as written", RELEASED: "as released"}.items()):
        found = summarize(rows[rows["method"].isin([n + ending for n in names])], ["method"], "accuracy")
        found = found.set_index("method").loc[[name + ending for name in names]]
        bars = [found["median"] - found["low"], found["high"] - found["median"]]
        places = np.arange(len(names)) + 0.35 * index - 0.175
        axis.bar(places, found["median"], width=0.33, yerr=bars, capsize=2, color=COLOURS[index], label=label)
        notes.append(f"{label} " + ", ".join(f"{n} {v:.2f}" for n, v in zip(names, found["median"], strict=True)))
    axis.set_xticks(range(len(names)), names)
    axis.set(ylabel="final accuracy", ylim=(0, 1))
    axis.legend(fontsize=8)
    caption = f"""What the defects cost in accuracy after {rows["round"].max()} rounds: {"; ".join(notes)}.
        Each at its own learning rate. {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Bars of accuracy with and without the defects: {'; '.join(notes)}.")
