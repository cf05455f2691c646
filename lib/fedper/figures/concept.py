"""Figures of concept shift: a single model's ceiling, and who gets past it."""

import pandas as pd
from matplotlib.figure import Figure

from lib.fedper.experiments.rates import judging
from lib.fedper.figures.parts import (
    INTERVALS,
    curves,
    known_methods,
    length,
    listed,
    medians,
    place,
    whole_ticks,
)
from lib.report.intervals import last_round, summarize
from lib.report.style import COLOURS, GUIDE, describe, new_figure, series

CHANCE = 0.2


def aesthetics(table: pd.DataFrame) -> Figure:
    """Draw accuracy against rounds with chance and ceilings, one panel a share of individual taste."""
    shares = sorted(table["a"].unique(), reverse=True)
    fig, axes = new_figure(1, len(shares), width=3.6 * len(shares) + 0.8, sharey=True)
    notes = []
    for axis, a in zip(axes[0], shares, strict=True):
        part = table[table["a"] == a]
        curves(axis, part, "round", "accuracy", [name for name in known_methods(part) if not name.endswith("FT")])
        ceiling = part["single_ceiling"].median()
        axis.axhline(CHANCE, **GUIDE | {"linestyle": ":"})
        axis.axhline(ceiling, **GUIDE)
        axis.set(title=f"share of individual taste $a = {a:g}$", xlabel="round")
        final = last_round(part).groupby("method")["accuracy"].median()
        text = ", ".join(f"{name} {final[name]:.3f}" for name in known_methods(part))
        many = part["population_ceiling"].median()
        notes.append(f"$a={a:g}$: ceiling {ceiling:.3f} ({many:.3f} for many users), {text}")
    axes[0, 0].set_ylabel("accuracy on five levels")
    axes[0, 0].legend(fontsize=8)
    best = table["personal_ceiling"].median()
    caption = f"""Five-level scores by users of different taste (surrogate). Dotted: chance; dashed: the ceiling of any
        single model for these users, whatever its size and data. Final accuracy: {"; ".join(notes)}. A model that
        knew each user's taste would reach {best:.2f}, the rest is rating noise. {INTERVALS}"""
    alt = f"Accuracy against rounds with the single-model ceiling. {'; '.join(notes)}."
    return describe(fig, caption=caption, alt=alt)


def renamed_labels(table: pd.DataFrame) -> Figure:
    """Draw final accuracy against the number of classes that clients rename, with the single-model ceiling."""
    fig, axes = new_figure(width=5.2)
    curves(axes[0, 0], table, "renamed", "accuracy")
    whole_ticks(axes[0, 0])
    bound = summarize(table, ["renamed"], "single_ceiling").sort_values("renamed")
    axes[0, 0].plot(bound["renamed"], bound["median"], **GUIDE, label="ceiling of a single model")
    axes[0, 0].set(xlabel="classes that each client renames", ylabel="accuracy (mean over clients)", ylim=(0, 1.02))
    axes[0, 0].legend(fontsize=8)
    final = medians(table, "renamed")
    text = "; ".join(f"{name} {listed(final[name])}" for name in final)
    caption = f"""Clients see the same digits but name some classes differently. Final accuracy by number of renamed
        classes: {text}; ceiling of any single model {listed(bound.set_index("renamed")["median"])}. {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Accuracy against renamed classes: {text}.")


def base_ablation(table: pd.DataFrame) -> Figure:
    """Draw the final accuracy of FedPer with a linear and with a deep base, one panel a task.

    Where the table has "local only", the deep network without sharing stands beside them; rows for tuning are left out.
    """
    table = judging(table)
    kinds = {
        ("linear", "FedPer 1"): "linear",
        ("deep", "FedPer 1"): "deep",
        ("deep", "local only"): "deep,\nnot shared",
    }
    labels = table.assign(kind=[kinds[key] for key in zip(table["base"], table["method"], strict=True)])
    tasks = list(dict.fromkeys(table["task"]))
    fig, axes = new_figure(1, len(tasks), width=2.6 * len(tasks) + 0.8, height=2.8)
    notes = []
    for axis, task in zip(axes[0], tasks, strict=True):
        wide = labels[labels["task"] == task].pivot_table(index="seed", columns="kind", values="accuracy")
        wide = wide[[kind for kind in kinds.values() if kind in wide]]
        for values in wide.to_numpy():
            axis.plot(values, color=COLOURS[0], marker="o", markersize=4, linewidth=0.8)
        axis.set_xticks(range(len(wide.columns)), wide.columns)
        axis.set(title=task, xlabel="base", xlim=(-0.4, len(wide.columns) - 0.6))
        levels = ", ".join(f"{kind} {value:.3f}".replace("\n", " ") for kind, value in wide.median().items())
        notes.append(f"{task} {(wide['deep'] - wide['linear']).median():+.3f} ({levels})")
    axes[0, 0].set_ylabel("accuracy" if "use" in table else "accuracy of FedPer 1")
    tuned = ", each at its own learning rate, chosen on another partition of the same images" if "use" in table else ""
    caption = f"""What a deep shared base gains over a single linear layer{tuned} (median over seeds of the
        paired difference; {length(table)}):
        {"; ".join(notes)}. A line joins the runs of one seed."""
    return describe(fig, caption=caption, alt=f"Deep against linear base: {'; '.join(notes)}.")


# The colour of the method that a way begins with.
WAYS = {"FedPer base, new head": "FedPer 1", "FedAvg, fine-tuned": "FedAvg + FT", "from scratch": "local only"}


def newcomers(table: pd.DataFrame) -> Figure:
    """Draw the accuracy of clients that join after training against their number of labelled examples."""
    fig, axes = new_figure(width=5.6)
    axis = axes[0, 0]
    for way in dict.fromkeys(table["way"]):
        rows = summarize(table[table["way"] == way], ["examples"], "accuracy").sort_values("examples")
        series(
            axis,
            rows["examples"],
            rows["median"],
            rows["low"],
            rows["high"],
            label=way,
            index=place(WAYS.get(way, way)),
        )
    counts = sorted(table["examples"].unique())
    axis.set(
        xscale="log", xlabel="labelled examples of the new client", ylabel="accuracy on the client's own test data"
    )
    axis.set_xticks(counts, [f"{count}" for count in counts])
    axis.xaxis.minorticks_off()
    axis.legend(fontsize=8)
    wide = table.pivot_table(index="examples", columns="way", values="accuracy", aggfunc="median")
    few, many = wide.iloc[0], wide.iloc[-1]
    text = "; ".join(f"{way} {few[way]:.2f} and {many[way]:.2f}" for way in wide)
    caption = f"""A client that joins later has no personalization layers. With {wide.index[0]} and with
        {wide.index[-1]} examples: {text}. Best with fewest examples: {few.idxmax()}. {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Accuracy of new clients against examples: {text}.")
