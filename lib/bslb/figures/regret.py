"""Figures of regret against horizon, exploration length, tail and time."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.bslb.experiments.slopes import regret_slopes
from lib.report.intervals import summarize
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure, series

EXPLORERS = (
    "random",
    "BSLB (v1, c=1)",
    "BSLB (v1, c=2)",
    "BSLB (v2, c=1)",
    "ridge ETC",
    "uniform ETC",
    "PopArt ETC",
    "ESTC",
)


def regret_by_horizon(table: pd.DataFrame, *, k: int | None = None) -> Figure:
    """Draw regret against the horizon for policies that ask twice and for adaptive ones, and all fitted slopes.

    `table` comes from `experiments.regret.regret_by_horizon`; the curves show sparsity `k` (default the smallest).
    """
    k = int(table["k"].min()) if k is None else k
    shown = table[table["k"] == k]
    if shown.empty:
        raise ValueError(f"the table has no rows with k = {k}; choose one of {sorted(table['k'].unique())}")
    methods = list(dict.fromkeys(shown["method"]))
    few = [m for m in methods if m in EXPLORERS]
    many = [m for m in methods if m not in EXPLORERS]
    if many and "BSLB (v1, c=1)" in few:
        many = ["BSLB (v1, c=1)", *many]
    fig, axes = new_figure(2, 2, width=7.2, height=6.6)
    axes[1, 1].set_axis_off()
    places = ("upper left", "lower left")
    small = {"fontsize": 6.5, "title_fontsize": 7, "labelspacing": 0.2}
    for axis, group, title, place in zip(
        axes[0], (few, many), ("two batches of labels", "adaptive"), places, strict=True
    ):
        _horizon_panel(axis, shown, group, title)
        axis.get_legend().remove()
        axes[1, 1].add_artist(axes[1, 1].legend(*axis.get_legend_handles_labels(), loc=place, title=title, **small))
    slopes = regret_slopes(table)
    _slope_panel(axes[1, 0], slopes)
    at = slopes[slopes["k"] == k].set_index("method")
    final = shown[shown["horizon"] == shown["horizon"].max()].groupby("method")["regret"].median()
    parts = [f"{m}: {_slope_text(at.loc[m])}" for m in ("random", *few[1:], *many) if m in at.index]
    best = final.idxmin()
    beaten = [m for m in few if m.startswith("BSLB") and at.loc[m, "high"] < 2 / 3]
    note = f" The rate is an upper bound; clearly below it: {', '.join(beaten)}." if beaten else ""
    caption = f"""Regret after $T$ pulls with $k={k}$, in log-log scale, with 90 % intervals over replicates. Fitted
        exponents over the last horizons, for guides of 2/3 (the rate of both versions in $T$) and 1:
        {"; ".join(dict.fromkeys(parts))}.{note}
        Lowest at the largest horizon: {best} ({final[best]:.0f})."""
    alt = (
        f"""Two log-log panels of regret against the number of pulls and a panel of fitted slopes; random grows with
        slope {at.loc["random", "slope"]:.2f}"""
        if "random" in at.index
        else "Regret against the number of pulls."
    )
    return describe(fig, caption=caption, alt=alt)


def _slope_text(row: pd.Series) -> str:
    return f"{row['slope']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def _horizon_panel(axis: Axes, table: pd.DataFrame, methods: list[str], title: str) -> None:
    horizons = np.sort(table["horizon"].unique()).astype(float)
    summary = summarize(table, ["method", "horizon"], "regret")
    for index, name in enumerate(methods):
        rows = summary[summary["method"] == name]
        series(axis, rows["horizon"], rows["median"], rows["low"], rows["high"], label=name, index=index)
    anchor = summary[summary["horizon"] == horizons[-1]]["median"].max()
    for exponent, text in ((1.0, "1"), (2 / 3, "2/3")):
        guide = anchor * 1.25 * (horizons / horizons[-1]) ** exponent
        axis.plot(horizons, guide, **GUIDE)
        axis.annotate(f"slope {text}", (horizons[0], guide[0]), fontsize=7, va="bottom")
    axis.set(xscale="log", yscale="log", xlabel="number of pulls $T$ ($M$ grows with $T$)", title=title)
    axis.set_ylabel("regret after $T$ pulls (reward units)")
    axis.set_xticks(horizons, [f"{h:.0f}" for h in horizons])
    axis.xaxis.minorticks_off()
    axis.legend(fontsize=7)


def _slope_panel(axis: Axes, slopes: pd.DataFrame) -> None:
    methods = list(dict.fromkeys(slopes["method"]))[::-1]
    for index, (k, rows) in enumerate(slopes.groupby("k")):
        place = np.array([methods.index(m) for m in rows["method"]]) + 0.15 * index
        error = np.abs(rows[["low", "high"]].to_numpy().T - rows["slope"].to_numpy())
        axis.errorbar(
            rows["slope"], place, xerr=error, fmt=MARKERS[index], color=COLOURS[index], markersize=4, label=f"$k={k}$"
        )
    for exponent in (2 / 3, 1.0):
        axis.axvline(exponent, **GUIDE)
    axis.set_yticks(range(len(methods)), methods, fontsize=7)
    axis.set(xlabel="fitted exponent of $T$", title="growth of regret")
    axis.legend(fontsize=7)


def fixed_pool_trap(table: pd.DataFrame) -> Figure:
    """Draw regret against the horizon with a fixed pool beside a pool that grows with it."""
    fig, axes = new_figure(1, 2, width=7.6, sharey=True)
    slopes = regret_slopes(table, by=("scaling", "method")).set_index(["scaling", "method"])["slope"]
    for axis, scaling in zip(axes[0], ("pool grows with T", "fixed pool"), strict=True):
        _horizon_panel(axis, table[table["scaling"] == scaling], ["random", "BSLB (v1, c=2)"], scaling)
        axis.set_xlabel("number of pulls $T$")
    grown, same = slopes["pool grows with T", "random"], slopes["fixed pool", "random"]
    caption = f"""A trap: with a pool of fixed size even random pulls seem sublinear, with exponent {same:.2f} against
        {grown:.2f} when the pool grows with $T$, because a longer horizon reaches deeper into the same pool and the
        benchmark falls. BSLB goes from {slopes["pool grows with T", "BSLB (v1, c=2)"]:.2f} to
        {slopes["fixed pool", "BSLB (v1, c=2)"]:.2f} without being any better."""
    return describe(fig, caption=caption, alt="Two log-log panels of regret; both curves bend down with a fixed pool.")


def regret_by_exploration(table: pd.DataFrame) -> Figure:
    """Draw the U of regret against exploration length, with the minimum that each version's theory predicts."""
    fig, axes = new_figure()
    axis = axes[0, 0]
    summary = summarize(table, ["beta", "exploration"], "regret")
    for index, (beta, rows) in enumerate(summary.groupby("beta")):
        label = rf"relative tail $\beta_k={beta:g}$"
        series(axis, rows["exploration"], rows["median"], rows["low"], rows["high"], label=label, index=index)
    v1, v2 = int(table["predicted_v1"].iloc[0]), int(table["predicted_v2"].iloc[0])
    for place, text in ((v1, r"$k^{1/3}T^{2/3}$"), (v2, r"$k^{2/3}T^{2/3}$")):
        axis.axvline(place, **GUIDE)
        axis.annotate(
            text, (place, 0.93), xycoords=("data", "axes fraction"), fontsize=8, ha="right", rotation=90, va="top"
        )
    axis.set(xlabel="exploration pulls $T_e$", ylabel="regret after $T$ pulls (reward units)")
    axis.legend(fontsize=8, loc="lower right")
    medians = table[table["beta"] == table["beta"].min()].groupby("exploration")["regret"].median()
    best = int(medians.idxmin())
    near = "first" if abs(np.log(best / v1)) < abs(np.log(best / v2)) else "second"
    caption = f"""Too little exploration ranks the arms badly, too much wastes the pulls: regret has its minimum
        ({medians.min():.0f}) at $T_e={best}$ of the lengths tried, against {medians.iloc[0]:.0f} at
        $T_e={medians.index[0]}$ and {medians.iloc[-1]:.0f} at $T_e={medians.index[-1]}$. Dashed:
        $k^{{1/3}}T^{{2/3}}={v1}$ (first version) and $k^{{2/3}}T^{{2/3}}={v2}$ (second); the minimum is nearer to
        the {near}."""
    return describe(fig, caption=caption, alt=f"A U-shaped curve with its minimum at {best} exploration pulls.")


def regret_by_tail(table: pd.DataFrame) -> Figure:
    """Draw regret against the relative tail, below the envelope (1 + beta)^2 of the second version's bound."""
    fig, axes = new_figure(width=5.4)
    axis = axes[0, 0]
    summary = summarize(table, ["method", "beta"], "regret")
    for index, (name, rows) in enumerate(summary.groupby("method", sort=False)):
        series(axis, rows["beta"], rows["median"], rows["low"], rows["high"], label=name, index=index)
    medians = table[table["method"] == "BSLB"].groupby("beta")["regret"].median()
    grid = np.linspace(medians.index.min(), medians.index.max(), 60)
    start = (1 + medians.index.min()) ** 2
    ceiling = 1.25 * summary["high"].max()
    axis.plot(grid, medians.iloc[0] * (1 + grid) ** 2 / start, **GUIDE)
    axis.set_ylim(0, ceiling)
    axis.annotate(r"$\propto(1+\beta_k)^2$", (grid[-1] * 0.3, ceiling * 0.92), fontsize=9)
    axis.set(xlabel=r"relative tail $\beta_k$", ylabel="regret after $T$ pulls (reward units)")
    axis.legend(fontsize=8, loc="lower right")
    growth, bound = medians.iloc[-1] / medians.iloc[0], (1 + medians.index[-1]) ** 2 / start
    caption = f"""Regret against the tail: from $\\beta_k={medians.index[0]:g}$ to {medians.index[-1]:g} the regret of
        BSLB grows by a factor of {growth:.2f}, the factor $(1+\\beta_k)^2$ of the second version's bound (dashed) by
        {bound:.1f}."""
    return describe(
        fig, caption=caption, alt="Regret of BSLB rises slowly with the tail, far below the dashed envelope."
    )


def regret_curves(table: pd.DataFrame) -> Figure:
    """Draw cumulative regret against the pulls, policies that ask twice on the left and adaptive ones on the right."""
    fig, axes = new_figure(1, 2, width=9.6, height=3.9, sharey=True)
    methods = list(dict.fromkeys(table["method"]))
    groups = [m for m in methods if m in EXPLORERS], [m for m in methods if m not in EXPLORERS]
    for axis, group in zip(axes[0], groups, strict=True):
        for index, name in enumerate(group):
            rows = summarize(table[table["method"] == name], ["pull"], "regret")
            colour = COLOURS[index % len(COLOURS)]
            axis.plot(rows["pull"], rows["median"], color=colour, label=name)
            axis.fill_between(rows["pull"], rows["low"], rows["high"], color=colour, alpha=0.15, linewidth=0)
            explored = int(table.loc[table["method"] == name, "explored_pulls"].iloc[0])
            if name not in ("random", "oracle") and explored:
                axis.axvline(explored, color=colour, linewidth=0.8, linestyle=":")
        axis.set(xlabel="pull $t$")
        axis.legend(fontsize=7)
    axes[0, 0].set_ylabel("cumulative regret (reward units)")
    last = table[table["pull"] == table["pull"].max()].groupby("method")["regret"].median().sort_values()
    ranking = ", ".join(f"{name} {value:.0f}" for name, value in last.items())
    caption = f"""Cumulative regret against the best arms so far. Explore-then-commit curves rise during exploration
        (its end is dotted) and then flatten; a curve may even fall when good arms come late. Final regret, median over
        replicates: {ranking}. Policies on the right ask for labels again and again, those on the left at most
        twice."""
    return describe(
        fig, caption=caption, alt=f"Regret curves of {len(methods)} policies; lowest at the end: {last.index[0]}."
    )


def version_comparison(table: pd.DataFrame) -> Figure:
    """Draw exploration length and regret of both versions against the sparsity, at the largest horizon."""
    fig, axes = new_figure(1, 2, width=8.4)
    T = int(table["horizon"].max())
    shown = table[table["horizon"] == T]
    for index, (version, rows) in enumerate(shown.groupby("version")):
        lengths = rows.groupby("k")[["explored_pulls", "unclipped_pulls"]].first()
        axes[0, 0].plot(lengths.index, lengths["unclipped_pulls"], **GUIDE)
        axes[0, 0].plot(
            lengths.index, lengths["explored_pulls"], color=COLOURS[index], marker=MARKERS[index], label=version
        )
        summary = summarize(rows, ["k"], "regret")
        series(axes[0, 1], summary["k"], summary["median"], summary["low"], summary["high"], label=version, index=index)
    ks = np.sort(shown["k"].unique())
    for axis in axes[0]:
        axis.set(xscale="log", yscale="log", xlabel="sparsity $k$")
        axis.set_xticks(ks, [str(k) for k in ks])
        axis.xaxis.minorticks_off()
        axis.legend(fontsize=8)
    axes[0, 0].set_ylabel("exploration pulls $T_e$")
    axes[0, 1].set_ylabel(f"regret after $T={T}$ pulls (reward units)")
    medians = shown.pivot_table(index="k", columns="version", values="regret", aggfunc="median")
    wins = int((medians["v1"] < medians["v2"]).sum())
    top = medians.index.max()
    caption = f"""The two versions of the paper ask for different exploration: $k^{{1/3}}T^{{2/3}}$ and
        $k^{{2/3}}T^{{2/3}}$ pulls (dashed before clipping to $0.9T$). At $T={T}$ the first version's shorter length has
        the lower regret at {wins} of {len(medians)} sparsities; at $k={top}$ it is {medians.loc[top, "v1"]:.0f} against
        {medians.loc[top, "v2"]:.0f}. The lengths are the companion's reconstruction from the published rates."""
    return describe(fig, caption=caption, alt="Exploration length and regret against sparsity, one curve a version.")
