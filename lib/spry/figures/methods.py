"""Figures of the method comparison: accuracy against rounds and against work, protocols, sweeps."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.report.grids import ends_of
from lib.report.intervals import last_round, summarize
from lib.report.style import COLOURS, GUIDE, describe, new_figure, series
from lib.spry.experiments.adapted import LORA
from lib.spry.experiments.arms import MORE
from lib.spry.experiments.methods import RELEASED
from lib.spry.experiments.real import TITLES

LABELS = {"round": "round", "operations": "operations (forward passes)"}
HOW_TO_READ = (
    "A column a family of methods; grey are those of the other families, dotted Spry. In a client's operations K "
    "tangents at once count 1 + K forward passes, a backward pass one."
)
INTERVALS = "Curves are medians over seeds, bands intervals of the median (90 %, or the range below five seeds)."

# Families of methods, each with a panel of its own, and one look a method in all figures: its colour and marker.
FAMILIES = {
    "backpropagation": {"FedAvg": 7, "FedYogi": 1, "FedAvgSplit": 2, "FedYogiSplit": 4, "FedSGD": 5},
    "forward mode": {"Spry": 0, "Spry + Yogi": 4, MORE: 1, "FedFGD": 2, "FedFGD shared": 7, "Spry per iteration": 3},
    "finite differences": {"FedMeZO": 2, "Baffle+": 1, "FwdLLM+": 5},
}
LOOKS = {name: index for family in FAMILIES.values() for name, index in family.items()}
BEHIND = {"color": "#C9C9C9", "linewidth": 1.0, "zorder": 1}  # the other families' curves
ABOVE = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.02), "ncols": 2, "fontsize": 8, "frameon": False}
ABOVE |= {"handlelength": 1.5, "columnspacing": 0.8}  # a legend above a panel
REFERENCE = {"color": COLOURS[LOOKS["Spry"]], "linewidth": 1.2, "linestyle": ":", "zorder": 2}


def methods(table: pd.DataFrame) -> Figure:
    """Draw accuracy against rounds and against operations by family (comparison of `digits_tables`)."""
    notes = [_ends(part, rf"$\alpha={alpha:g}$") for alpha, part in table.groupby("alpha", sort=False)]
    caption = f"Each method at its own learning rate. Final accuracy at {'; '.join(notes)}. {HOW_TO_READ} {INTERVALS}"
    alt = f"Accuracy against rounds and operations, a panel a family of methods. {notes[0]}."
    return describe(_panels(table), caption=caption, alt=alt)


def families_in(table: pd.DataFrame) -> dict[str, list[str]]:
    """Return the names of the methods in `table` by family, without families that have none."""
    present = set(table["method"])
    families = {title: [n for n in names if n in present] for title, names in FAMILIES.items()}
    return {title: names for title, names in families.items() if names}


def _panels(table: pd.DataFrame) -> Figure:
    """Return one column a family and two rows an alpha, over rounds and over operations; the dashed line is `majority`.

    The dashed line, the share of the commonest label, is drawn where the table is of one data set of texts.
    """
    families = families_in(table)
    alphas = list(dict.fromkeys(table["alpha"]))
    rows = [(alpha, x) for alpha in alphas for x in LABELS]
    fig, axes = new_figure(len(rows), len(families), width=9, height=2.1 * len(rows) + 0.9, sharey=True)
    for line, (alpha, x) in zip(axes, rows, strict=True):
        part = table[table["alpha"] == alpha]
        for axis, names in zip(line, families.values(), strict=True):
            _family(axis, part, x, names)
            if "data" in part:
                axis.axhline(part["majority"].median(), **GUIDE)
        line[0].set_ylabel(rf"accuracy, $\alpha = {alpha:g}$")
    for axis, title in zip(axes[0], families, strict=True):
        axis.legend(title=title, **ABOVE)
    return fig


def _family(axis: Axes, part: pd.DataFrame, x: str, names: Sequence[str]) -> None:
    """Draw the methods `names` in colour before all others in grey, among which Spry is dotted."""
    for name in dict.fromkeys(part["method"]):
        if name not in names:
            middle = _positive(part[part["method"] == name], x).groupby("round")[[x, "accuracy"]].median()
            axis.plot(middle[x], middle["accuracy"], **REFERENCE if name == "Spry" else BEHIND)
    for name in names:
        _curve(axis, part[part["method"] == name], x, name)
    axis.set_xlabel(LABELS[x])
    if x != "round":
        axis.set_xscale("log")
        axis.xaxis.set_minor_formatter("")


def _ends(part: pd.DataFrame, where: str) -> str:
    """Return best, worst and Spry's final median accuracy."""
    ranked = last_round(part).groupby("method")["accuracy"].median().sort_values()
    shown = dict.fromkeys([ranked.index[-1], *(["Spry"] if "Spry" in ranked else []), ranked.index[0]])
    return f"{where}: " + ", ".join(f"{name} {ranked[name]:.2f}" for name in shown)


def texts(table: pd.DataFrame | None, data: str, *, rates: Sequence[float] = (), name: str = "") -> Figure:
    """Draw as `methods` one data set of `experiments.real_tables`, with the share of the commonest label.

    None, where there is neither a run nor a recorded one, draws a picture that says so, for a longer table by its
    `name`. `rates` are the learning rates to choose from: the caption says which methods have the lowest or the
    highest.
    """
    if table is None:
        return absent(name)
    rows = table[table["data"] == data]
    counts = rows.groupby("method")["seed"].nunique()
    some = f"{counts.min()} to {counts.max()}" if counts.min() < counts.max() else f"{counts.max()}"
    size = f"{some} seed{'s' if counts.max() > 1 else ''}, {rows['round'].max()} rounds"
    caption = f"""{_outcome(rows)} Here: {size}, each method at its own learning rate. {_at_ends(rows, rates)}
        {HOW_TO_READ} Dashed: share of the commonest label. {INTERVALS}"""
    alt = f"Accuracy against rounds and operations, a panel a family of methods. {_outcome(rows)}"
    return describe(_panels(rows), caption=caption, alt=alt)


def _at_ends(rows: pd.DataFrame, rates: Sequence[float]) -> str:
    """Say which methods have the lowest or the highest of the `rates` to choose from."""
    parts = []
    for rate, word in ends_of(rates).items():
        chosen = rows[rows["lr"] == rate].groupby("alpha", sort=False)["method"].unique()
        where = [rf"$\alpha={alpha:g}$ {', '.join(map(_quoted, names))}" for alpha, names in chosen.items()]
        parts += [f"The {word} learning rate tried ({rate:g}) was chosen for {'; '.join(where)}."] if where else []
    return " ".join([*parts, "These might do better beyond."] if parts else [])


def _quoted(name: str) -> str:
    return f'"{name}"' if "," in name else name


def _outcome(rows: pd.DataFrame) -> str:
    """Say which method is the most accurate in the end, and where Spry is, beside the commonest label's share."""
    parts = []
    for alpha, part in rows[rows["round"] == rows["round"].max()].groupby("alpha", sort=False):
        final, floor = part.groupby("method")["accuracy"].median(), part["majority"].median()
        parts.append(
            rf"$\alpha={alpha:g}$: best {final.idxmax()} {final.max():.2f}, Spry {final.get('Spry', np.nan):.2f}, "
            f"the commonest label's share {floor:.2f}"
        )
    return f"{TITLES[rows['data'].iloc[0]]}. {'; '.join(parts)}."


def with_lora(table: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the rows of the table lora of `experiments.real_tables` that train LoRA; None stays None."""
    return None if table is None else table[table["trained"] == LORA].drop(columns=["trained", "weights"])


def _curve(axis: Axes, rows: pd.DataFrame, x: str, name: str) -> None:
    """Draw one method's accuracy with its interval."""
    rows = _positive(rows, x)
    found = summarize(rows, ["round"], "accuracy").sort_values("round")
    place = rows.groupby("round")[x].median() if x != "round" else found["round"]
    series(axis, place, found["median"], found["low"], found["high"], label=name, index=LOOKS[name])
    axis.lines[-1].set_markevery(max(1, len(found) // 8))


def _positive(rows: pd.DataFrame, x: str) -> pd.DataFrame:
    """Return the rows that a logarithmic axis can show; that of rounds is not one."""
    return rows if x == "round" else rows[rows[x] > 0]


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


def command(name: str = "") -> str:
    """Return the command that computes the longer table `name`, or that records those of the real preset.

    What the former writes becomes the record when it is moved (`kept`).
    """
    longer = f"python -m lib.tables spry --preset real --only {name} --out spry-longer"
    return longer if name else "scarce run spry --preset real --record"


def kept(name: str) -> str:
    """Return the command that computes the longer table `name`, and where its folder is moved to."""
    return f"`{command(name)}`, then move `spry-longer` to `results/spry/longer`"


def absent(name: str = "") -> Figure:
    """Draw that there is no record of the longer table `name`, or of those of the real preset."""
    fig, axes = new_figure(width=5.6, height=1.2)
    axes[0, 0].text(0.5, 0.5, "no recorded run", ha="center", va="center")
    axes[0, 0].set_axis_off()
    how = kept(name) if name else f"`{command()}`"
    caption = f"Not recorded yet. What computes and keeps what belongs here: {how}."
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
        Each at its own learning rate. Bars are medians over seeds, whiskers intervals as in the curves above."""
    return describe(fig, caption=caption, alt=f"Bars of accuracy with and without the defects: {'; '.join(notes)}.")
