"""Figures of regret against horizon, exploration length, tail and time."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.bslb.experiments.methods import ADAPTIVE
from lib.bslb.experiments.slopes import regret_slopes
from lib.bslb.figures.looks import curve, design_note, look, shared_legend
from lib.report.intervals import summarize
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure, series

TITLES = ("labels asked for at most twice", "adaptive")


def regret_by_horizon(table: pd.DataFrame, *, k: int | None = None) -> Figure:
    """Draw regret against the horizon for policies that ask twice and for adaptive ones, and all fitted slopes.

    `table` comes from `experiments.regret.regret_by_horizon`; the curves show sparsity `k` (default the smallest).
    """
    k = int(table["k"].min()) if k is None else k
    shown = table[table["k"] == k]
    if shown.empty:
        raise ValueError(f"the table has no rows with k = {k}; choose one of {sorted(table['k'].unique())}")
    methods = list(dict.fromkeys(shown["method"]))
    few = [m for m in methods if m not in ADAPTIVE]
    many = [m for m in methods if m in ADAPTIVE]
    if many and "BSLB (v1, c=1)" in few:
        many = ["BSLB (v1, c=1)", *many]
    slopes = regret_slopes(table)
    fig = Figure(figsize=(7.2, 5.2 + 0.15 * len(methods)), layout="constrained")
    grid = fig.add_gridspec(2, 2)
    axes = [_plain_axis(fig.add_subplot(place)) for place in (grid[0, 0], grid[0, 1], grid[1, :])]
    for axis, group, title in zip(axes[:2], (few, many), TITLES, strict=True):
        _horizon_panel(axis, shown, group, title)
    _slope_panel(axes[2], slopes)
    shared_legend(fig)
    at = slopes[slopes["k"] == k].set_index("method")
    final = shown[shown["horizon"] == shown["horizon"].max()].groupby("method")["regret"].median()
    parts = [f"{m}: {_slope_text(at.loc[m])}" for m in (*few, *many) if m in at.index]
    best = final.idxmin()
    beaten = [m for m in few if m.startswith("BSLB") and at.loc[m, "high"] < 2 / 3]
    note = f" The rate is an upper bound; below it with the whole interval: {', '.join(beaten)}." if beaten else ""
    caption = f"""Regret after $T$ pulls with $k={k}$, in log-log scale, with 90 % intervals over replicates. Fitted
        exponents over the last horizons, for guides of 2/3 (the rate in $T$ of both versions in our reading) and 1:
        {"; ".join(dict.fromkeys(parts))}.{note}
        Lowest at the largest horizon: {best} ({final[best]:.0f}).{design_note(table)}"""
    alt = (
        f"""Two log-log panels of regret against the number of pulls and a panel of fitted slopes; random grows with
        slope {at.loc["random", "slope"]:.2f}"""
        if "random" in at.index
        else "Regret against the number of pulls."
    )
    return describe(fig, caption=caption, alt=alt)


def _plain_axis(axis: Axes) -> Axes:
    """Return `axis` in the look of `new_figure`, for panels that span columns."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(True, color="#E3E3E3", linewidth=0.6)
    axis.set_axisbelow(True)
    return axis


def _slope_text(row: pd.Series) -> str:
    return f"{row['slope']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def _horizon_panel(axis: Axes, table: pd.DataFrame, methods: list[str], title: str) -> None:
    horizons = np.sort(table["horizon"].unique()).astype(float)
    summary = summarize(table, ["method", "horizon"], "regret")
    for name in methods:
        rows = summary[summary["method"] == name]
        curve(axis, rows["horizon"], rows, name)
    anchor = summary[summary["horizon"] == horizons[-1]]["median"].max()
    for exponent, text in ((1.0, "1"), (2 / 3, "2/3")):
        guide = anchor * 1.25 * (horizons / horizons[-1]) ** exponent
        axis.plot(horizons, guide, **GUIDE)
        axis.annotate(f"slope {text}", (horizons[0], guide[0]), fontsize=7, va="bottom")
    axis.set(xscale="log", yscale="log", xlabel="number of pulls $T$ ($M$ grows with $T$)", title=title)
    axis.set_ylabel("regret after $T$ pulls (reward units)")
    axis.set_xticks(horizons, [f"{h:.0f}" for h in horizons])
    axis.xaxis.minorticks_off()


def _slope_panel(axis: Axes, slopes: pd.DataFrame) -> None:
    methods = list(dict.fromkeys(slopes["method"]))[::-1]
    ks = sorted(slopes["k"].unique())
    for row in slopes.itertuples():
        index = ks.index(row.k)
        place = methods.index(row.method) + 0.22 * (index - (len(ks) - 1) / 2)
        error = [[abs(row.slope - row.low)], [abs(row.high - row.slope)]]
        fill = {"markerfacecolor": "white"} if index else {}
        axis.errorbar(
            [row.slope], [place], xerr=error, fmt=MARKERS[index], color=look(row.method)["color"], markersize=4, **fill
        )
    for index, k in enumerate(ks):
        fill = {"markerfacecolor": "white"} if index else {}
        axis.plot([], [], MARKERS[index], color="black", markersize=4, label=f"$k={k}$", **fill)
    for exponent in (2 / 3, 1.0):
        axis.axvline(exponent, **GUIDE)
    axis.set_yticks(range(len(methods)), methods, fontsize=7)
    axis.set(xlabel="fitted exponent of $T$", title="growth of regret")


def fixed_pool_trap(table: pd.DataFrame) -> Figure:
    """Draw regret against the horizon with a fixed pool beside a pool that grows with it."""
    fig, axes = new_figure(1, 2, width=7.6, sharey=True)
    slopes = regret_slopes(table, by=("scaling", "method")).set_index(["scaling", "method"])["slope"]
    for axis, scaling in zip(axes[0], ("pool grows with T", "fixed pool"), strict=True):
        _horizon_panel(axis, table[table["scaling"] == scaling], ["random", "BSLB (v1, c=2)"], scaling)
        axis.set_xlabel("number of pulls $T$")
    shared_legend(fig)
    grown, same = slopes["pool grows with T", "random"], slopes["fixed pool", "random"]
    caption = f"""A trap: with a pool of fixed size even random pulls seem sublinear, with exponent {same:.2f} against
        {grown:.2f} when the pool grows with $T$, because a longer horizon reaches deeper into the same pool and the
        benchmark falls. BSLB goes from {slopes["pool grows with T", "BSLB (v1, c=2)"]:.2f} to
        {slopes["fixed pool", "BSLB (v1, c=2)"]:.2f} without being any better.{design_note(table)}"""
    return describe(fig, caption=caption, alt="Two log-log panels of regret; both curves bend down with a fixed pool.")


def regret_by_exploration(table: pd.DataFrame) -> Figure:
    """Draw the U of regret against exploration length, with the minimum that our reading of each version predicts."""
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
    near = 1 if abs(np.log(best / v1)) < abs(np.log(best / v2)) else 2
    caption = f"""Too little exploration ranks the arms badly, too much wastes the pulls: regret has its minimum
        ({medians.min():.0f}) at $T_e={best}$ of the lengths tried, against {medians.iloc[0]:.0f} at
        $T_e={medians.index[0]}$ and {medians.iloc[-1]:.0f} at $T_e={medians.index[-1]}$. Dashed:
        $k^{{1/3}}T^{{2/3}}={v1}$ (our reading of version 1) and $k^{{2/3}}T^{{2/3}}={v2}$ (our reading of version 2);
        the minimum is nearer to that of version {near}.{design_note(table)}"""
    return describe(fig, caption=caption, alt=f"A U-shaped curve with its minimum at {best} exploration pulls.")


def regret_by_tail(table: pd.DataFrame) -> Figure:
    """Draw regret against the relative tail, below the envelope (1 + beta)^2 of our reading of version 2's bound."""
    fig, axes = new_figure(width=5.4)
    axis = axes[0, 0]
    summary = summarize(table, ["method", "beta"], "regret")
    for name, rows in summary.groupby("method", sort=False):
        curve(axis, rows["beta"], rows, name)
    medians = table[table["method"] == "BSLB"].groupby("beta")["regret"].median()
    grid = np.linspace(medians.index.min(), medians.index.max(), 60)
    start = (1 + medians.index.min()) ** 2
    ceiling = 1.25 * summary["high"].max()
    axis.plot(grid, medians.iloc[0] * (1 + grid) ** 2 / start, **GUIDE)
    axis.set_ylim(0, ceiling)
    axis.annotate(r"$\propto(1+\beta_k)^2$", (grid[-1] * 0.3, ceiling * 0.92), fontsize=9)
    axis.set(xlabel=r"relative tail $\beta_k$", ylabel="regret after $T$ pulls (reward units)")
    shared_legend(fig)
    lengths = sorted(table.loc[table["method"] == "BSLB", "explored_pulls"].unique())
    tails = table.groupby("beta")["absolute_tail"].first()
    growth, bound = medians.iloc[-1] / medians.iloc[0], (1 + medians.index[-1]) ** 2 / start
    caption = f"""Regret against the tail: from $\\beta_k={medians.index[0]:g}$ to {medians.index[-1]:g} the regret of
        BSLB grows by a factor of {growth:.2f}, the factor $(1+\\beta_k)^2$ of the bound in our reading of version 2
        (dashed) by {bound:.1f}. In absolute terms, the tail of our reading of version 1, the l1 norm outside the $k$
        largest coordinates goes from {tails.iloc[0]:.1f} to {tails.iloc[-1]:.1f}, while that inside stays at
        {np.sqrt(table["k"].iloc[0]):.1f}. BSLB explores {lengths[0]} pulls.{design_note(table)}"""
    return describe(
        fig, caption=caption, alt="Regret of BSLB rises slowly with the tail, far below the dashed envelope."
    )


def regret_curves(table: pd.DataFrame) -> Figure:
    """Draw cumulative regret against the pulls, policies that ask twice on the left and adaptive ones on the right."""
    fig, axes = new_figure(1, 2, width=7.6, height=4.4, sharey=True)
    methods = list(dict.fromkeys(table["method"]))
    groups = [m for m in methods if m not in ADAPTIVE], [m for m in methods if m in ADAPTIVE]
    flat, rising = [], []
    for axis, group, title in zip(axes[0], groups, TITLES, strict=True):
        for name in group:
            part = table[table["method"] == name]
            rows = summarize(part, ["pull"], "regret")
            curve(axis, rows["pull"], rows, name, markers=False)
            explored = int(part["explored_pulls"].iloc[0])
            if name not in ADAPTIVE and 0 < explored < part["pull"].max():
                axis.axvline(explored, color=look(name)["color"], linewidth=0.8, linestyle=":")
                (flat if _growth_ratio(rows, explored) < 0.1 else rising).append(name)
        axis.set(xlabel="pull $t$", title=title)
    shared_legend(fig)
    axes[0, 0].set_ylabel("cumulative regret (reward units)")
    last = table[table["pull"] == table["pull"].max()].groupby("method")["regret"].median().sort_values()
    ranking = ", ".join(f"{name} {value:.0f}" for name, value in last.items())
    caption = f"""Cumulative regret against the best arms so far. After the end of exploration (dotted) the growth per
        pull falls below a tenth of that during exploration for {", ".join(flat) or "no policy"}; it does not for
        {", ".join(rising) or "no policy"}. Final regret, median over replicates: {ranking}. Policies on the right ask
        for labels again and again, those on the left at most twice.{design_note(table)}"""
    return describe(
        fig, caption=caption, alt=f"Regret curves of {len(methods)} policies; lowest at the end: {last.index[0]}."
    )


def _growth_ratio(rows: pd.DataFrame, explored: int) -> float:
    """Return the regret per pull after `explored` pulls over that until then, from the medians in `rows`."""
    pulls, medians = rows["pull"].to_numpy(), rows["median"].to_numpy()
    at = float(np.interp(explored, pulls, medians))
    after = (medians[-1] - at) / (pulls[-1] - explored)
    return after / (at / explored) if at > 0 else np.inf


def version_comparison(table: pd.DataFrame) -> Figure:
    """Draw exploration length and regret in our reading of both versions against the sparsity, at the largest T."""
    fig, axes = new_figure(1, 2, width=8.4)
    T = int(table["horizon"].max())
    shown = table[table["horizon"] == T]
    for index, (version, rows) in enumerate(shown.groupby("version")):
        name = f"our reading of version {version[1:]}"
        lengths = rows.groupby("k")[["explored_pulls", "unclipped_pulls"]].first()
        axes[0, 0].plot(lengths.index, lengths["unclipped_pulls"], **GUIDE)
        axes[0, 0].plot(
            lengths.index, lengths["explored_pulls"], color=COLOURS[index], marker=MARKERS[index], label=name
        )
        summary = summarize(rows, ["k"], "regret")
        series(axes[0, 1], summary["k"], summary["median"], summary["low"], summary["high"], label=name, index=index)
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
    caption = f"""The two versions of the paper differ in the exploration that we reconstruct from their rates:
        $k^{{1/3}}T^{{2/3}}$ pulls in our reading of version 1, $k^{{2/3}}T^{{2/3}}$ in our reading of version 2 (dashed
        before clipping to $0.9T$). At $T={T}$ the shorter length has the lower regret at {wins} of {len(medians)}
        sparsities; at $k={top}$ it is {medians.loc[top, "v1"]:.0f} against
        {medians.loc[top, "v2"]:.0f}.{design_note(table)}"""
    return describe(fig, caption=caption, alt="Exploration length and regret against sparsity, one curve a version.")
