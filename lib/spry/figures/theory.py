"""Figures of what can be proved: error of the estimate, splitting against local steps, bias, floor."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.report.intervals import fitted_slope, summarize
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure, series
from lib.spry.experiments.splitting import best_rates

INTERVALS = "Points are medians, bars and bands intervals of the median (90 %, or the range below five seeds)."
METHOD_NAMES = {
    "split": "split (Spry)",
    "own directions": "unsplit, own directions",
    "shared directions": "unsplit, shared directions",
}


def estimator_error(cells: pd.DataFrame, rounds: pd.DataFrame) -> Figure:
    """Draw the error of split forward gradients against dimension, and of one round against the number of clients.

    `cells` is `experiments.estimator_error`'s table, `rounds` that of `experiments.one_step_error`.
    """
    fig, axes = new_figure(1, 2, width=8.4)
    left, right = axes[0]
    groups = cells.groupby(["perturbations", "clients"], sort=True)
    for index, ((k, m), rows) in enumerate(groups):
        found = summarize(rows, ["dimension"], "mse").sort_values("dimension")
        _points(left, found, "dimension", index, f"$K={k}$, {m} client{'s' * (m > 1)}")
        expected = rows.groupby("dimension")["mse_theory"].first()
        left.plot(expected.index, expected, color=COLOURS[index], linewidth=1)
    left.set(xscale="log", yscale="log", xlabel="perturbed numbers $d$", ylabel="relative squared error")
    left.set_ylim(top=30 * cells["mse"].max())  # room for the legend
    left.legend(fontsize=7, ncols=2, loc="upper left")
    for index, name in enumerate(METHOD_NAMES):
        rows = rounds[rounds["method"] == name]
        _points(right, summarize(rows, ["clients"], "mse").sort_values("clients"), "clients", index, METHOD_NAMES[name])
        expected = rows.groupby("clients")["mse_theory"].first()
        right.plot(expected.index, expected, color=COLOURS[index], linewidth=1)
    right.set(xscale="log", yscale="log", xlabel="clients $M$", ylabel="relative squared error of a round")
    right.legend(fontsize=7)
    middle = cells.groupby(["dimension", "perturbations", "clients"])[["mse", "mse_theory"]].median()
    off = (middle["mse"] / middle["mse_theory"] - 1).abs().max()
    one = middle.xs((1, 1), level=("perturbations", "clients"))["mse"]
    most = rounds[rounds["clients"] == rounds["clients"].max()].groupby("method")["mse"].median()
    caption = f"""The squared error of a forward gradient is $(d/M+1)/K$ times the squared gradient: over
        {len(middle)} cells the measured medians are within {off:.1%} of it (lines), with slope
        {fitted_slope(one.index.to_numpy(), one.to_numpy()):.2f} in $d$ at $K=M=1$. Splitting is no better than
        averaging for a single step: with {rounds["clients"].max()} clients the error is {most["split"]:.1f} split,
        {most["own directions"]:.1f} unsplit with own directions and {most["shared directions"]:.0f} with shared ones.
        {INTERVALS}"""
    alt = f"Error against dimension and against clients on log scales, on the theory's lines within {off:.1%}."
    return describe(fig, caption=caption, alt=alt)


def splitting_rounds(table: pd.DataFrame) -> Figure:
    """Draw rounds to the target against local steps, each method at its best step size, with the closed form."""
    best = best_rates(table)
    fig, axes = new_figure(width=5.6)
    axis, notes = axes[0, 0], []
    for index, name in enumerate(METHOD_NAMES):
        rows = best[best["method"] == name]
        found = summarize(rows, ["steps"], "rounds").sort_values("steps")
        _points(axis, found[found["median"].notna()], "steps", index, METHOD_NAMES[name])
        expected = rows.groupby("steps")["best_theory"].first()
        axis.plot(expected.index, expected, color=COLOURS[index], linewidth=1)
        notes.append(f"{METHOD_NAMES[name]} {', '.join(_count(value) for value in found['median'])}")
    axis.set(
        xscale="log", yscale="log", xlabel="local steps a round $T$", ylabel="rounds until $||w||^2$ is 100 times less"
    )
    steps = sorted(best["steps"].unique())
    axis.set_xticks(steps, [f"{t}" for t in steps])
    axis.minorticks_off()
    axis.legend(fontsize=8)
    middle = best.pivot_table(index="steps", columns="method", values="rounds", aggfunc="median")
    gain = middle["own directions"] / middle["split"]
    reached = best[best["rounds"].notna()].groupby(["method", "steps"])[["rounds", "best_theory"]].median()
    off = (reached["rounds"] / reached["best_theory"] - 1).abs().max()
    caption = f"""On a quadratic with equal clients splitting pays with local steps, not without: at $T={steps[0]}$ it
        needs {1 / gain.iloc[0]:.2f} times the rounds of unsplit clients with own directions, at $T={steps[-1]}$ the
        unsplit need {gain.iloc[-1]:.1f} times its rounds. Rounds for $T={", ".join(map(str, steps))}$:
        {"; ".join(notes)}. Lines are the closed form at its best step size, at most {off:.0%} from the measurement.
        Each method has the same number of step sizes. {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Rounds against local steps on log scales. {'; '.join(notes)}.")


def label_skew_bias(table: pd.DataFrame, sampled: pd.DataFrame) -> Figure:
    """Draw the squared bias against label skew, and what is left of it when the clients' blocks change.

    The caption says what `sampled` (`experiments.sampled_bias`) found, too.
    """
    table = table.sort_values("skew")
    fig, axes = new_figure(1, 2, width=8.4)
    left, right = axes[0]
    middle = table.groupby("alpha", sort=True).median().sort_values("skew")
    for index, alpha in enumerate(middle.index[::-1]):
        rows = table[table["alpha"] == alpha]
        look = {"color": COLOURS[index % 8], "marker": MARKERS[index % 8], "linestyle": "none", "markersize": 5}
        left.plot(rows["skew"], rows["bias2"], label=rf"$\alpha = {alpha:g}$", **look)
        right.plot(rows["bias2_theory"], rows["averaged2"], **look)
    left.plot(middle["skew"], middle["bias2_theory"], color=COLOURS[6], linewidth=1, label="expectation")
    left.plot(middle["skew"], middle["bias2_label"], **GUIDE, label="label skew alone")
    ends = np.array([table["bias2_theory"].min(), table["bias2_theory"].max()])
    right.plot(ends, ends * (table["averaged2_theory"] / table["bias2_theory"]).median(), color=COLOURS[6], linewidth=1)
    left.set(xlabel=r"label skew $\sum_c (\mathrm{share\ difference})^2$", ylabel=r"squared bias over $||\nabla f||^2$")
    right.set(
        xlabel="squared bias of one cohort",
        ylabel="squared bias of the average over cohorts",
        xscale="log",
        yscale="log",
    )
    right.xaxis.set_minor_formatter("")
    left.legend(fontsize=7)
    found = np.corrcoef(table["skew"], table["bias2"])[0, 1]
    ratio = (table["averaged2"] / table["averaged2_theory"]).mean()
    low, high = middle["bias2"].iloc[0], middle["bias2"].iloc[-1]
    off = (table["bias2"] / table["bias2_theory"] - 1).abs().max()
    over = (sampled["error2"] / sampled["chance2"]).groupby(sampled["alpha"]).median().sort_index()
    drawn = ", ".join(f"{v:.2f} with clients alike" if np.isinf(a) else f"{v:.0f} at {a:g}" for a, v in over.items())
    caption = f"""Who holds which block biases a split forward gradient, in proportion to label skew: the squared bias
        rises from {low:.1f} at $\\alpha={middle.index[0]:g}$ to {high:.0f} at $\\alpha={middle.index[-1]:g}$ times the
        squared gradient (correlation with the skew {found:.3f}; within {off:.0%} of its expectation, line). What is
        left without label skew comes from the clients' small samples. Right: averaged over the cohorts the
        bias goes away at the rate of chance; the mean ratio to the expected remainder (line) is {ratio:.2f}. One
        point a partition. With {sampled["draws"].iloc[0]} directions drawn, the average estimate's squared distance
        from the gradient in squared standard errors is, by $\\alpha$: {drawn}."""
    return describe(
        fig, caption=caption, alt=f"Squared bias against label skew, a straight line from {low:.1f} to {high:.0f}."
    )


def convergence_floor(table: pd.DataFrame) -> Figure:
    """Draw the squared gradient norm against rounds, blocks fixed and re-sampled, with the exact-gradient descent."""
    maps = list(dict.fromkeys(table["map"]))
    fig, axes = new_figure(1, len(maps), width=4.2 * len(maps), height=3.4, sharey=True)
    for axis, name in zip(axes[0], maps, strict=True):
        for index, alpha in enumerate(sorted(table["alpha"].unique(), reverse=True)):
            rows = table[(table["map"] == name) & (table["alpha"] == alpha)]
            found = summarize(rows, ["round"], "norm2").sort_values("round")
            args = (found["round"], found["median"], found["low"], found["high"])
            series(axis, *args, label=rf"$\alpha = {alpha:g}$", index=index)
            exact = rows.groupby("round")["norm2_theory"].median()
            axis.plot(exact.index, exact, color=COLOURS[index], linestyle="--", linewidth=1)
        late = table[table["round"] >= 50]["round"].unique()
        start = table[(table["alpha"] == table["alpha"].max()) & (table["round"] == late.min())]["norm2"].median()
        axis.plot(late, start * late.min() / late, **GUIDE | {"linestyle": ":"}, label="slope $-1$")
        axis.set(xscale="log", yscale="log", xlabel="round", title=f"{name} map")
    axes[0, 0].set_ylabel(r"$||\nabla f||^2$")
    axes[0, 0].legend(fontsize=7)
    last = table[table["round"] == table["round"].max()]
    end = last.pivot_table(index="alpha", columns="map", values="norm2", aggfunc="median")
    high, low = end.index.min(), end.index.max()
    mild = table[(table["alpha"] == low) & (table["round"] >= 50)].groupby(["map", "round"])["norm2"].median()
    slopes = {name: fitted_slope(rows.index.get_level_values("round"), rows) for name, rows in mild.groupby("map")}
    notes = [f"{end[name][high] / end[name][low]:.1f} times ({name} map)" for name in maps]
    caption = f"""With nearly identical clients ($\\alpha={low:g}$) the squared gradient falls at least like $1/r$
        (fitted slope after round 50: {slopes[maps[0]]:.2f}). Label skew sets a floor, the higher one while each client
        keeps its block: after {last["round"].iloc[0]} rounds $\\alpha={high:g}$ is left with {" and ".join(notes)}
        as much as $\\alpha={low:g}$. Dashed: the same descent with exact block gradients, the bias alone. Bands:
        intervals of the median (90 %, or the range below five seeds)."""
    return describe(
        fig, caption=caption, alt=f"Squared gradient norm against rounds by map and alpha; {'; '.join(notes)}."
    )


def _points(axis, found: pd.DataFrame, x: str, index: int, label: str) -> None:
    """Draw medians as points with their intervals."""
    bars = [found["median"] - found["low"], found["high"] - found["median"]]
    look = {
        "color": COLOURS[index % 8],
        "marker": MARKERS[index % 8],
        "linestyle": "none",
        "markersize": 5,
        "capsize": 2,
    }
    axis.errorbar(found[x], found["median"], yerr=bars, label=label, **look)


def _count(value: float) -> str:
    return "not reached" if np.isnan(value) else f"{value:.1f}"
