"""Figures of the companion's propositions, the two leaks, and the diagram of the method."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from lib.report.intervals import summarize
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure, series
from lib.segmentation.rules_theory import precision


def leaks(table: pd.DataFrame) -> Figure:
    """Draw what is left of each segment at each stage of delivery, one panel a medium (F1)."""
    media, stages = sorted(table["medium"].unique()), list(table["stage"].unique())
    fig, axes = new_figure(1, len(media), width=9.0, height=3.4, sharey=True)
    share = table.copy()
    share["left"] = share["users"] / share.groupby(["segment", "medium"])["users"].transform("max")
    for axis, medium in zip(axes[0], media, strict=True):
        for segment, rows in share[share["medium"] == medium].groupby("segment"):
            side, level = segment % 2, segment // 2
            axis.plot(
                stages,
                rows["left"],
                color=COLOURS[side],
                marker=MARKERS[level],
                markersize=4,
                linewidth=1,
                label=f"side {side}, level {level}",
            )
        axis.set(title=f"medium {medium}", yscale="log")
        axis.tick_params(axis="x", rotation=30)
    axes[0, 0].set(ylabel="share of the segment left")
    for axis in axes[0]:
        axis.set_xlabel("stage")
    axes[0, -1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    seen = share[share["stage"] == "exposed"].groupby("medium")["left"].agg(["min", "max"])
    text = "; ".join(f"medium {m} {row['min']:.0%} to {row['max']:.0%}" for m, row in seen.iterrows())
    caption = f"""Two leaks between a segment and its message: only some users are matched in a medium, and only some
        of those see the message. How much is left depends on the static side (colour), not on the outcome level
        (marker), which decides the last step alone. Share of a segment exposed, by segment: {text}."""
    return describe(fig, caption=caption, alt=f"Funnels by medium and segment. Share exposed: {text}.")


BOXES = {  # text, x, y, whether it belongs to delivery
    "pages, sessions": (0.0, 1.0, False),
    "encoder": (1.6, 1.0, False),
    "selector": (3.2, 1.6, False),
    "segments": (4.8, 1.6, False),
    "predictor": (6.4, 1.6, False),
    "map to static cells": (3.2, 0.2, True),
    "match, exposure, price": (4.8, 0.2, True),
    "allocation": (6.4, 0.2, True),
}
ARROWS = (
    ("pages, sessions", "encoder"),
    ("encoder", "selector"),
    ("selector", "segments"),
    ("segments", "predictor"),
    ("encoder", "map to static cells"),
    ("map to static cells", "match, exposure, price"),
    ("match, exposure, price", "allocation"),
    ("segments", "allocation"),
    ("allocation", "selector"),
)


def diagram() -> Figure:
    """Draw which part feeds which: discovery above, delivery below, and the way back (F2)."""
    fig, axes = new_figure(width=8.4, height=2.6)
    axis = axes[0, 0]
    axis.axis("off")
    for text, (x, y, late) in BOXES.items():
        colour = COLOURS[1] if late else COLOURS[2]
        axis.add_patch(
            FancyBboxPatch(
                (x - 0.65, y - 0.25), 1.3, 0.5, boxstyle="round,pad=0.02", facecolor="white", edgecolor=colour
            )
        )
        axis.text(x, y, text, ha="center", va="center", fontsize=7)
    for start, end in ARROWS:
        (x0, y0, _), (x1, y1, _) = BOXES[start], BOXES[end]
        level = y0 == y1
        first = (x0 + 0.67, y0) if level else (x0, y0 + np.sign(y1 - y0) * 0.28)
        last = (x1 - 0.67, y1) if level else (x1, y1 - np.sign(y1 - y0) * 0.28)
        back = (start, end) == ("allocation", "selector")
        style = {"arrowstyle": "->", "color": COLOURS[1] if back else "#333333", "linestyle": "--" if back else "-"}
        axis.annotate("", last, first, arrowprops=style)
    axis.set(xlim=(-0.8, 7.2), ylim=(-0.2, 2.0))
    caption = """Parts of the reconstruction: discovery above, delivery below. The dashed arrow is what the delivery
        weight adds: the allocation tells the selector what each user would bring in each segment."""
    return describe(fig, caption=caption, alt="Boxes of discovery and delivery with arrows, one leading back.")


def program(table: pd.DataFrame) -> Figure:
    """Draw the linear program's gain and dual price on the exact curve (S1)."""
    fig, axes = new_figure(1, 2, width=8.4)
    for index, (seed, rows) in enumerate(table.groupby("seed")):
        colour, marker = COLOURS[index % 8], MARKERS[index % 8]
        for axis, exact, found in ((axes[0, 0], "curve", "gain"), (axes[0, 1], "slope_right", "price")):
            steps = "steps-post" if found == "price" else "default"
            axis.plot(rows["fraction"], rows[exact], color=colour, linewidth=1, drawstyle=steps)
            axis.plot(rows["fraction"], rows[found], marker, color=colour, markersize=4, label=f"seed {seed}")
    axes[0, 0].set(xlabel="budget (share of targeting all)", ylabel="exposed users")
    axes[0, 1].set(xlabel="budget (share of targeting all)", ylabel="price (exposures per money)")
    axes[0, 1].legend(fontsize=7)
    far = (table["gain"] / table["curve"] - 1).abs().max()
    spent = (table["spend"] / table["full"]).groupby(table["fraction"]).median().iloc[-1]
    caption = f"""Lines: the exact curve, found by sorting slopes of upper hulls; points: the linear program. They
        agree within {far:.0e}; the price is the slope and falls to zero; at most {table["nonzero"].max()} of
        {int(table["segments"].max()) * 3} shares are above zero and {table["split"].max()} segment is split. At the
        largest budget, {table["fraction"].max():g}, plans spend {spent:.2f} in the median."""
    return describe(fig, caption=caption, alt="Gain and price of the linear program on exact curves, against budget.")


def refinement(table: pd.DataFrame) -> Figure:
    """Draw exposures against the number of segments, split along the outcome or along the static side first (S2)."""
    fig, axes = new_figure(width=5.4)
    for index, (name, rows) in enumerate(table.groupby("by", sort=False)):
        part = summarize(rows, ["segments"], "gain").sort_values("segments")
        series(
            axes[0, 0], part["segments"], part["median"], part["low"], part["high"], label=f"{name} first", index=index
        )
    axes[0, 0].set_xscale("log", base=2)
    axes[0, 0].set_xticks(sorted(table["segments"].unique()), sorted(table["segments"].unique()))
    axes[0, 0].set(xlabel="number of segments", ylabel="exposed users per 1,000")
    axes[0, 0].legend(fontsize=8)
    middle = table.pivot_table(index="by", columns="segments", values="gain", aggfunc="median")
    caption = f"""Splitting never lowers what a budget buys, and gains only where it separates static profiles: four
        segments by outcome buy {middle.loc["outcome", 4]:.1f} exposures per 1,000 users, two by side
        {middle.loc["side", 2]:.1f}, all eight {middle.loc["side", 8]:.1f} (medians over seeds, with intervals)."""
    return describe(fig, caption=caption, alt="Exposures rise with segments, at the split that tells sides apart.")


def information(table: pd.DataFrame) -> Figure:
    """Draw what knowing the static side adds to exposures, against the dependence of behaviour and cells (S3, F5)."""
    fig, axes = new_figure(width=5.4)
    for _, rows in table.groupby("draw"):
        axes[0, 0].plot(rows["rho"], rows["gain"] * 100, color=COLOURS[6], linewidth=0.5, alpha=0.6)
    part = summarize(table.assign(gain=table["gain"] * 100), ["rho"], "gain")
    series(axes[0, 0], part["rho"], part["median"], part["low"], part["high"], label="median", index=0)
    axes[0, 0].set(xlabel=r"dependence $\rho$ of static cell and behaviour", ylabel="exposures gained (%)")
    middle = table.groupby("rho")["gain"].median()
    top = table[table["rho"] == middle.index[-1]]["gain"]
    caption = f"""The limit for any segmentation of behaviour that knows the side exactly: nothing at
        $\\rho=0$, {middle.iloc[-1]:.0%} in the median at $\\rho={middle.index[-1]:g}$. Thin lines are
        {table["draw"].nunique()} draws of the media, whose gains range from {top.min():.0%} to {top.max():.0%}: what
        is to be gained depends on media that nobody has measured here."""
    return describe(fig, caption=caption, alt="Gain in exposures rises from zero with dependence, widely by media.")


def regrouping(table: pd.DataFrame) -> Figure:
    """Draw what users that move gain and lose by the weight of delivery (S4)."""
    fig, axes = new_figure(width=5.4)
    axis = axes[0, 0]
    positive = table[table["weight"] > 0]
    axis.plot(positive["weight"], positive["gained"], marker="o", color=COLOURS[0], label="exposures gained")
    axis.plot(positive["weight"], positive["lost"], marker="s", color=COLOURS[1], label="loss of prediction")
    axis.set(xscale="log", xlabel="weight of delivery", ylabel="mean over users")
    axis.legend(fontsize=8)
    first, last = positive.iloc[0], positive.iloc[-1]
    caption = f"""Users whose conversion two segments predict alike can be regrouped for nothing: at the smallest weight
        {first["gained"] / last["gained"]:.0%} of the exposures that the largest weight gains come at
        {first["lost"] / last["lost"]:.1%} of its loss."""
    return describe(fig, caption=caption, alt="Exposures gained rise at once with the weight, the loss later.")


def ascent(table: pd.DataFrame) -> Figure:
    """Draw distance of the price and regret of stochastic dual ascent against steps (S5)."""
    fig, axes = new_figure(1, 2, width=8.4)
    table = table.assign(far=(table["price"] / table["best_price"] - 1).abs())
    for index, (name, rows) in enumerate(table.groupby("response", sort=False)):
        for axis, column in zip(axes[0], ("far", "regret"), strict=True):
            part = summarize(rows, ["steps"], column).sort_values("steps")
            series(
                axis, part["steps"], part["median"], part["low"], part["high"], label=f"response: {name}", index=index
            )
    for axis, label in zip(axes[0], ("relative distance of the price", "share of the best gain missed"), strict=True):
        axis.set(xscale="log", yscale="log", xlabel="steps", ylabel=label)
    axes[0, 0].legend(fontsize=8)
    last = table[table["steps"] == table["steps"].max()].groupby("response", sort=False)["far"].median()
    text = ", ".join(f"{name} {value:.1%}" for name, value in last.items())
    caption = f"""Stochastic dual ascent approaches the exact program's price where the response uses what was seen so
        far, or all users. A response to each batch alone keeps a bias: distance of the price after
        {table["steps"].max():,} steps, medians: {text}."""
    return describe(fig, caption=caption, alt=f"Distance of price and regret against steps. At the end: {text}.")


def estimator(table: pd.DataFrame) -> Figure:
    """Draw the sampled gradient on the exact one, and the spread of one sample, without and with baseline (S6)."""
    fig, axes = new_figure(1, 2, width=8.4)
    for index, (name, rows) in enumerate(table.groupby("estimator", sort=False)):
        style = {"color": COLOURS[index], "marker": MARKERS[index], "linestyle": "none", "markersize": 3}
        axes[0, 0].errorbar(
            rows["exact"], rows["mean"], yerr=rows["error"], label=name, elinewidth=0.5, alpha=0.7, **style
        )
        axes[0, 1].plot(np.abs(rows["exact"]), np.sqrt(rows["variance"]), label=name, alpha=0.7, **style)
    ends = [table["exact"].min(), table["exact"].max()]
    axes[0, 0].plot(ends, ends, **GUIDE)
    axes[0, 0].set(xlabel="exact gradient, by coordinate", ylabel="mean of the samples")
    axes[0, 1].set(xlabel="size of the exact gradient", ylabel="standard deviation of one sample", yscale="log")
    axes[0, 1].legend(fontsize=8)
    distance, variance = precision(table)
    ratio = variance["baseline"] / variance["plain"]
    text = ", ".join(f"{name} {value:.2f}" for name, value in distance.items())
    caption = f"""The sampled actor is right in the mean: points on the dashed line agree, bars are standard errors of
        the mean. Root mean square distance in standard errors: {text} (1 is expected of an exact estimator). With the
        baseline the variance of one sample is {ratio:.2f} times that without."""
    return describe(fig, caption=caption, alt=f"Sampled against exact gradients lie on a line. Distances: {text}.")


def charging(table: pd.DataFrame) -> Figure:
    """Draw exposures per money of each segment by charging basis, and their change when matches are halved (F8, S7)."""
    fig, axes = new_figure(1, 2, width=8.4)
    bases = list(table["charge"].unique())
    for index, name in enumerate(bases):
        rows = table[table["charge"] == name]
        axes[0, 0].plot(rows["segment"], rows["before"], MARKERS[index], color=COLOURS[index], label=name)
        axes[0, 1].plot(rows["segment"], rows["change"], MARKERS[index], color=COLOURS[index], label=name)
        axes[0, 1].axhline(rows["predicted"].iloc[0], **GUIDE)
    axes[0, 0].set(xlabel="segment", ylabel="exposures per money", yscale="log")
    axes[0, 1].set(xlabel="segment", ylabel="change by the rescaling", ylim=(0, 1.15))
    axes[0, 1].legend(fontsize=8, title="charged for", loc="lower center", ncols=3)
    spread = table.groupby("charge", sort=False)["before"].agg(lambda ratio: ratio.max() / ratio.min())
    text = ", ".join(f"{name} {value:.2f}" for name, value in spread.items())
    caption = f"""What a medium charges for decides what delivery can gain. Left: best over worst segment in exposures
        per money: {text}. Right: all match rates of the medium halved; dashed lines are the predictions."""
    return describe(fig, caption=caption, alt=f"Exposures per money by charging basis, best over worst {text}.")
