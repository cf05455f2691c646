"""Figures of C-BSLB: its regret between those of its bases, and the weights that it learns."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.bslb.figures.looks import design_note
from lib.report.intervals import median_interval, summarize
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure, series


def corral_regret(table: pd.DataFrame) -> Figure:
    """Draw regret of C-BSLB against its learning rate, one panel a true sparsity, with its bases as guides.

    `table` comes from `experiments.corral.corral_regret`.
    """
    ks = list(dict.fromkeys(table["true_k"]))
    fig, axes = new_figure(1, len(ks), width=3.1 * len(ks) + 0.6, height=3.4, sharey=True)
    notes = []
    for axis, k in zip(axes[0], ks, strict=True):
        rows = table[table["true_k"] == k]
        bases = rows[rows["method"] == "BSLB base"].groupby("base_k")["regret"].median()
        random = rows.loc[rows["method"] == "random", "regret"].median()
        etas = np.sort(rows["eta"].dropna().unique())
        guides = [(random, "random"), *((v, f"base $k={b:.0f}$") for b, v in bases.items())]
        for index, (value, text) in enumerate(guides):
            axis.axhline(value, **GUIDE)
            # Spread the labels over the width, so that bases of nearly equal regret stay readable.
            place = 0.02 + 0.8 * index / len(guides)
            axis.annotate(text, (place, value), xycoords=("axes fraction", "data"), fontsize=7, va="bottom")
        summary = summarize(rows[rows["method"] == "C-BSLB"], ["share", "reward_range", "eta"], "regret")
        several = len(set(summary["reward_range"])) > 1
        for index, ((share, span), line) in enumerate(summary.groupby(["share", "reward_range"], sort=False)):
            line = line.sort_values("eta")
            label = "every base learns" if share == "all" else "chosen base learns"
            label += f", range {span}" if several else ""
            series(axis, line["eta"], line["median"], line["low"], line["high"], label=label, index=index)
        axis.set(xscale="log", xlabel=r"learning rate $\eta$", title=f"true sparsity $k={k}$")
        axis.set_xticks(etas, [f"{eta:g}" for eta in etas])
        axis.xaxis.minorticks_off()
        notes.append(_note(k, bases, random, summary))
    axes[0, 0].set_ylabel("regret after $T$ pulls (reward units)")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=7)
    spans = [span for span in dict.fromkeys(table["reward_range"]) if span]
    caption = f"""C-BSLB does not know the sparsity; it scales losses by the rewards' range ({"; ".join(spans)}).
        Median regret: {" ".join(notes)} Each base alone and random pulls are dashed; bands are 90 %
        intervals of the median over replicates. Grid, learning rate and sharing are the companion's
        reconstruction.{design_note(table)}"""
    return describe(fig, caption=caption, alt="Regret against learning rate in one panel for each true sparsity.")


def _note(k: int, bases: pd.Series, random: float, summary: pd.DataFrame) -> str:
    text = f"At $k={k}$ the best base has {bases.min():.0f}, the worst {bases.max():.0f}, random {random:.0f};"
    for share, words in (("all", "shared"), ("private", "private")):
        rows = summary[summary["share"] == share]
        if len(rows):
            best = rows.loc[rows["median"].idxmin()]
            over = best["median"] / bases.min() - 1
            text += f" {words} observations reach {best['median']:.0f} ({over:+.0%}, $\\eta={best['eta']:g}$),"
    return text[:-1] + "."


def corral_weights(table: pd.DataFrame) -> Figure:
    """Draw the probability of each base against the pulls, one panel a sharing rule.

    `table` comes from `experiments.corral.corral_weights`; the first true sparsity and learning rate in it are drawn.
    """
    k, eta = table["true_k"].iloc[0], table["eta"].iloc[0]
    table = table[(table["true_k"] == k) & (table["eta"] == eta)]
    shares = list(dict.fromkeys(table["share"]))
    fig, axes = new_figure(1, len(shares), width=3.8 * len(shares), sharey=True)
    notes = []
    for axis, share in zip(axes[0], shares, strict=True):
        rows = table[table["share"] == share]
        for index, (base, line) in enumerate(rows.groupby("base_k")):
            summary = summarize(line, ["pull"], "weight")
            colour = COLOURS[index % len(COLOURS)]
            axis.plot(summary["pull"], summary["median"], color=colour, label=f"base $k={base}$")
            axis.fill_between(summary["pull"], summary["low"], summary["high"], color=colour, alpha=0.15, linewidth=0)
            if share == "all":
                at = line["explored_pulls"].iloc[0]
                axis.plot([at], [0.0], color=colour, marker=MARKERS[index], clip_on=False)
        axis.axhline(1 / rows["base_k"].nunique(), **GUIDE)
        title = "every base learns from each pull" if share == "all" else "only the chosen base learns"
        axis.set(xlabel="pull $t$", ylim=(0, 1), title=title)
        last = rows[rows["pull"] == rows["pull"].max()].groupby("base_k")["weight"].agg(lambda w: median_interval(w)[0])
        words = "shared" if share == "all" else "private"
        notes.append(f"with {words} observations base $k={last.idxmax()}$ ends at {last.max():.2f}")
    axes[0, 0].set_ylabel("probability of the base")
    axes[0, 0].legend(fontsize=8, loc="upper left")
    caption = f"""Weights of C-BSLB at true sparsity $k={k}$ and learning rate $\\eta={eta:g}$, medians with 90 %
        intervals over replicates: {"; ".join(notes)} (uniform weight dashed). Markers on the axis show when a base has
        finished its exploration; from then on it proposes its best arms.{design_note(table)}"""
    return describe(fig, caption=caption, alt="Probability of each base against the pulls.")
