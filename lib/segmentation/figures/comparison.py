"""Figures of the comparison of methods on the generator."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.report.intervals import median_interval, summarize
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure, series
from lib.segmentation.figures.parts import INTERVALS, listed, only, others, ours, seeds_of
from lib.segmentation.rules import DISCOVERY, change, equal_auc

EXPOSED, AUC = "exposed users per 1,000", "AUC of conversion"


def trade_off(table: pd.DataFrame) -> Figure:
    """Draw exposures against AUC: our method by its weight as a curve, every other method as a point (F4)."""
    fig, axes = new_figure(width=7.2, height=4.4)
    axis = axes[0, 0]
    names, rest = ours(table), others(table)
    points = {
        name: [median_interval(only(table, method=name)[c].to_numpy()) for c in ("auc", "exposed")]
        for name in table["method"].unique()
    }
    axis.plot([points[n][0][0] for n in names], [points[n][1][0] for n in names], color=COLOURS[0], linewidth=1.5)
    for index, name in enumerate([*names, *rest]):
        (x, *xs), (y, *ys) = points[name]
        mine = name in names
        colour = COLOURS[0] if mine else COLOURS[1 + rest.index(name) % 7]
        marker = "o" if mine else MARKERS[1 + rest.index(name) % 7]
        error = [[x - xs[0]], [xs[1] - x]], [[y - ys[0]], [ys[1] - y]]
        label = None if mine and index else "ours, by weight" if mine else name
        axis.errorbar(
            x,
            y,
            xerr=error[0],
            yerr=error[1],
            color=colour,
            marker=marker,
            markersize=5,
            elinewidth=0.6,
            linestyle="none",
            label=label,
            markerfacecolor="white" if "oracle" in name else colour,
        )
        if mine:
            axis.annotate(
                f"{table.loc[table['method'] == name, 'lam'].iloc[0]:g}",
                (x, y),
                (4, 4) if index % 2 else (-10, -12),
                textcoords="offset points",
                fontsize=8,
            )
    axis.set(xlabel=AUC, ylabel=EXPOSED)
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    best = equal_auc(table)
    gain, auc = change(table, best, DISCOVERY, "exposed", relative=True), change(table, best, DISCOVERY, "auc")
    medians = table.groupby("method")["exposed"].median()
    caption = f"""{best.capitalize()} exposes {np.median(gain):+.1%} under the same budget as discovery that knows
        nothing of delivery, at an AUC that changes by {np.median(auc):+.3f} (medians of paired differences over
        {seeds_of(table)}). Exposures against how well segments predict conversion; numbers are delivery weights.
        Medians of exposures: {listed(medians[[*names, *rest]], ".1f")}. {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Scatter of exposures against AUC. Exposures: {listed(medians, '.1f')}.")


def budgets(curves: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """Draw exposures and spend against the budget, and the dual price, for several methods (F3)."""
    best = equal_auc(table)
    names = [
        n
        for n in (DISCOVERY, best, "post-hoc split", "static cells", "oracle: level x side")
        if n in set(curves["method"])
    ]
    fig, axes = new_figure(1, 3, width=9.6, height=3.4)
    sides = (("exposed", EXPOSED), ("spent", "spend (share of targeting all)"), ("price", "dual price of the budget"))
    for axis, (column, label) in zip(axes[0], sides, strict=True):
        for index, name in enumerate(names):
            rows = summarize(curves[curves["method"] == name], ["fraction"], column).sort_values("fraction")
            series(axis, rows["fraction"], rows["median"], rows["low"], rows["high"], label=name, index=index)
        axis.set(xlabel="budget (share of targeting all)", ylabel=label)
    limit = curves["fraction"].max()
    axes[0, 1].plot([0, limit], [0, limit], **GUIDE)
    fig.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(names), fontsize=8, frameon=False
    )
    spent = curves[curves["fraction"] == limit].groupby("method")["spent"].median() / limit
    needed = only(table, method=best)["needed"].median()
    caption = f"""What a budget buys. Exposures are concave in the budget, and its price falls to zero where nobody is
        left to target: at a budget of {limit:g} only {spent[DISCOVERY]:.0%} is spent with the segments of discovery
        only. The exposures that discovery only reaches at the budget of the comparison take {needed:.0%} of it with
        {best} (median). {INTERVALS}"""
    return describe(fig, caption=caption, alt="Exposures, spend and dual price against the budget, by method.")


def segments(table: pd.DataFrame, methods: pd.DataFrame) -> Figure:
    """Draw size and conversion of every segment, without and with the delivery term (F7)."""
    names, count = [DISCOVERY, equal_auc(methods)], int(table["segment"].max()) + 1
    fig, axes = new_figure(1, 2, width=8.4, sharey=True)
    for axis, name in zip(axes[0], names, strict=True):
        rows = only(table, method=name)
        for index, (seed, part) in enumerate(rows.groupby("seed")):
            axis.plot(
                part["size"],
                part["conversion"],
                MARKERS[index % 8],
                color=COLOURS[index % 8],
                markersize=5,
                label=f"seed {seed}",
                alpha=0.8,
            )
        axis.axvline(1 / count, **GUIDE)
        axis.set(title=name, xlabel="share of users in the segment")
    axes[0, 0].set_ylabel("conversion of the segment")
    axes[0, 1].legend(fontsize=7)
    said = []
    for name in names:
        rows = only(table, method=name)
        least = (rows["size"] >= 0.01).groupby(rows["seed"]).sum().min()
        said.append(
            f"{name}: at least {least} of {count}, conversions from {rows['conversion'].min():.0%} to "
            f"{rows['conversion'].max():.0%}"
        )
    caption = f"""Segments in use: {"; ".join(said)}. The dashed line marks segments of equal size. A binary outcome
        needs few levels, so segments with one conversion level are free to differ in what delivery wants."""
    return describe(fig, caption=caption, alt=f"Size against conversion of segments. {'; '.join(said)}.")


def audiences(cells: pd.DataFrame, methods: pd.DataFrame) -> Figure:
    """Draw P(static cell | segment) of the first seed, without and with the delivery term (F6)."""
    names, seed = [DISCOVERY, equal_auc(methods)], cells["seed"].min()
    fig, axes = new_figure(1, 2, width=8.4, height=3.4, sharey=True)
    shares, top = [], cells.loc[(cells["seed"] == seed) & cells["method"].isin(names), "share"].max()
    for axis, name in zip(axes[0], names, strict=True):
        rows = only(cells, method=name, seed=seed)
        grid = rows.pivot_table(index="segment", columns="cell", values="share")
        first = grid.iloc[:, : grid.shape[1] // 2].sum(axis=1).sort_values()
        image = axis.imshow(grid.loc[first.index], cmap="viridis", vmin=0, vmax=top, aspect="auto")
        axis.grid(False)
        axis.set(title=name, xlabel="static cell (first half: side 0)")
        axis.set_yticks(range(len(grid)), [str(k) for k in first.index])
        shares.append((first.max(), first.min()))
    axes[0, 0].set_ylabel("segment, ordered by side")
    fig.colorbar(image, ax=axes[0, 1], label="share of the segment")
    text = "; ".join(f"{n}: {low:.0%} to {high:.0%}" for n, (high, low) in zip(names, shares, strict=True))
    caption = f"""What media could be told about each segment: the share of its users in each static cell (seed
        {seed}). Users of side 0, in the first half of the cells, make up between these shares of a segment: {text}."""
    return describe(fig, caption=caption, alt=f"Two heat maps of cells by segment. Share of side 0 {text}.")


def fairness(cells: pd.DataFrame, methods: pd.DataFrame) -> Figure:
    """Draw the chance to be exposed by static cell, in each cell's order within its seed."""
    names = [DISCOVERY, equal_auc(methods), *(n for n in ("static cells", "random") if n in set(cells["method"]))]
    total = cells.groupby(["method", "seed", "cell"], as_index=False)[["users", "exposed"]].sum()
    total["chance"] = total["exposed"] / total["users"]
    total["rank"] = total.groupby(["method", "seed"])["chance"].rank(method="first", ascending=False).astype(int)
    fig, axes = new_figure(width=6.0)
    for index, name in enumerate(names):
        rows = summarize(only(total, method=name), ["rank"], "chance").sort_values("rank")
        series(axes[0, 0], rows["rank"], rows["median"], rows["low"], rows["high"], label=name, index=index)
    axes[0, 0].set(xlabel="static cell, most exposed first", ylabel="chance that a user sees the message")
    axes[0, 0].legend(fontsize=8)
    middle = total.pivot_table(index="method", columns="rank", values="chance", aggfunc="median")
    last = middle.columns.max()
    text = "; ".join(f"{n} {middle.loc[n, 1]:.1%} and {middle.loc[n, last]:.1%}" for n in names)
    caption = f"""Who is reached. Chance to be exposed in the most and in the least exposed static cell, medians:
        {text}. A budget that buys exposures drops who is hard to reach. {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Chance of exposure by cell; most and least exposed: {text}.")
