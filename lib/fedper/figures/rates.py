"""Figure of tuning: accuracy against learning rate, and the order of the methods at their own best rates."""

import pandas as pd
from matplotlib.figure import Figure

from lib.fedper.experiments.rates import judging, tuned
from lib.fedper.figures.parts import INTERVALS, curves, known_methods, medians, place
from lib.report.style import COLOURS, describe, new_figure


def learning_rates(table: pd.DataFrame) -> Figure:
    """Draw final accuracy against learning rate, one panel a number of classes a client; rings mark the tuned rates."""
    ks = sorted(table["classes_per_client"].unique())
    judged, chosen = judging(table), tuned(table)
    fig, axes = new_figure(1, len(ks), width=4.2 * len(ks), sharey=True)
    notes = []
    for axis, k in zip(axes[0], ks, strict=True):
        curves(axis, judged[judged["classes_per_client"] == k], "lr", "accuracy", known_methods(table))
        best = chosen[chosen["classes_per_client"] == k].groupby("method")[["lr", "accuracy"]].median()
        for name, row in best.iterrows():
            ring = COLOURS[place(name) % len(COLOURS)]
            axis.plot([row["lr"]], [row["accuracy"]], "o", markersize=11, fillstyle="none", color=ring)
        ranked = medians(chosen, "classes_per_client").loc[k].sort_values(ascending=False)
        notes.append(f"$k={k}$: " + ", ".join(f"{name} {value:.3f}" for name, value in ranked.items()))
        rates = sorted(table["lr"].unique())
        axis.set(title=f"$k = {k}$", xlabel=r"learning rate $\eta$", xscale="log")
        axis.set_xticks(rates, [f"{rate:g}" for rate in rates])
        axis.minorticks_off()
    axes[0, 0].set_ylabel("final accuracy (mean over clients)")
    axes[0, -1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.02, 0.5))
    caption = f"""Every method at its own learning rate (rings), chosen on other partitions of the same images from the
        same {table["lr"].nunique()} rates: {"; ".join(notes)}. A round of FedRep has 1.5 times, one of Ditto twice the
        local steps of the others. {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Final accuracy against learning rate by method. {notes[0]}.")
