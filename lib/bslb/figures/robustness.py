"""Figures of where BSLB gains and where it does not."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.bslb.experiments.methods import ADAPTIVE
from lib.bslb.figures.looks import curve, design_note, look, shared_legend
from lib.report.intervals import median_interval, summarize
from lib.report.style import GUIDE, describe, new_figure


def subset_gain(table: pd.DataFrame) -> Figure:
    """Draw regret with subset and uniform exploration against the minority fraction, and both smallest eigenvalues."""
    fig, axes = new_figure(1, 2, width=8.4)
    summary = summarize(table, ["method", "rare"], "regret")
    for name in ("subset", "uniform", "random"):
        rows = summary[summary["method"] == name].sort_values("rare")
        curve(axes[0, 0], rows["rare"], rows, name)
        spread = table[(table["method"] == name) & table["lambda_min"].notna()].groupby("rare")["lambda_min"].mean()
        if len(spread):
            axes[0, 1].plot(spread.index, spread, label=name, **look(name))
    rares = np.sort(table["rare"].unique())
    for axis in axes[0]:
        axis.set(xscale="log", xlabel="fraction of arms with full support")
        axis.set_xticks(rares, [f"{rare:g}" for rare in rares])
        axis.xaxis.minorticks_off()
    shared_legend(fig)
    axes[0, 0].set(ylabel="regret after $T$ pulls (reward units)", ylim=(0, None))
    axes[0, 1].set(yscale="log", ylabel=r"$\lambda_{\min}$ of the explored pool")
    medians = table.pivot_table(index="rare", columns="method", values="regret", aggfunc="median")
    parts = "; ".join(f"{r:g}: {m['subset']:.0f} and {m['uniform']:.0f}" for r, m in medians.iterrows())
    gain = (medians["uniform"] / medians["subset"]).idxmax()
    caption = f"""What a well-covered subset gives depends on the pool: median regret with subset and with uniform
        exploration is, at minority fractions {parts}. The gain is largest at {gain:g}, where uniform exploration has
        {medians.loc[gain, "uniform"] / medians.loc[gain, "subset"]:.2f} times the regret. Medians over
        {table["pool"].nunique()} pools with {table["replicate"].nunique()} parameters each. The rarer the minority,
        the fewer of its arms are left to exploit once it has been explored.{design_note(table)}"""
    return describe(fig, caption=caption, alt=f"Regret and smallest eigenvalue; the gain peaks at fraction {gain:g}.")


def estimator_by_noise(table: pd.DataFrame) -> Figure:
    """Draw regret relative to random pulls against the noise, one panel a reward model."""
    rewards = list(dict.fromkeys(table["reward"]))
    fig, axes = new_figure(1, len(rewards), width=3.0 * len(rewards) + 0.8, height=3.4, sharey=True)
    summary = summarize(table, ["reward", "method", "sigma"], "regret_over_random")
    methods = [m for m in dict.fromkeys(table["method"]) if m != "random"]
    sigmas = np.sort(table["sigma"].unique())
    for axis, reward in zip(axes[0], rewards, strict=True):
        for name in methods:
            rows = summary[(summary["reward"] == reward) & (summary["method"] == name)]
            curve(axis, rows["sigma"], rows, name)
        axis.axhline(1.0, **GUIDE)
        axis.set(xscale="log", xlabel=r"noise s.d. $\sigma$", title=f"{reward} reward", ylim=(0, None))
        axis.set_xticks(sigmas, [f"{sigma:g}" for sigma in sigmas])
        axis.xaxis.minorticks_off()
    axes[0, 0].set_ylabel("regret / regret of random pulls")
    shared_legend(fig)
    cell = table.groupby(["reward", "sigma", "method"])["regret_over_random"].apply(_middle)
    method = next((m for m in methods if m.startswith("BSLB")), methods[0])
    parts = "; ".join(f"{r}: {cell[r, sigmas[0], method]:.2f} to {cell[r, sigmas[-1], method]:.2f}" for r in rewards)
    ends = []
    for reward in rewards:
        last = cell[reward, sigmas[-1]][methods]
        ends.append(f"{reward}: {last.idxmin()} {last.min():.2f}, {last.idxmax()} {last.max():.2f}")
    caption = f"""How {method} degrades with noise and with a wrong reward model: its regret as a fraction of that of
        random pulls (dashed) goes, from $\\sigma={sigmas[0]:g}$ to {sigmas[-1]:g}, {parts}. Lowest and highest
        fraction at the largest noise, {"; ".join(ends)}.{design_note(table)}"""
    return describe(
        fig, caption=caption, alt="Relative regret rises with the noise in one panel for each reward model."
    )


def _middle(values: pd.Series) -> float:
    return median_interval(values.to_numpy())[0]


def sparsity_edge(table: pd.DataFrame) -> Figure:
    """Draw regret against the number of times labels are asked for, one panel a sparsity."""
    settings = list(dict.fromkeys(zip(table["k"], table["beta"], strict=True)))
    fig, axes = new_figure(1, len(settings), width=3.0 * len(settings) + 0.8, height=3.4, sharey=True)
    methods = list(dict.fromkeys(table["method"]))
    notes, winners = [], []
    for axis, (k, beta) in zip(axes[0], settings, strict=True):
        rows = table[(table["k"] == k) & (table["beta"] == beta)]
        summary = summarize(rows, ["method", "feedback_batches"], "regret")
        for row in summary.itertuples():
            error = [[row.median - row.low], [row.high - row.median]]
            at = row.feedback_batches * 1.12 ** (methods.index(row.method) - len(methods) / 2)  # keep markers apart
            style = look(row.method) | {"linestyle": ""}
            axis.errorbar([at], [row.median], yerr=error, label=row.method, **style)
        axis.set(xscale="log", xlabel="batches of labels", title=rf"$k={k}$, $\beta_k={beta:g}$", ylim=(0, None))
        medians = rows.groupby("method")["regret"].median().sort_values()
        winners.append(medians.index[0])
        notes.append(f"$k={k}$: " + ", ".join(f"{name} {value:.0f}" for name, value in medians.items()))
    axes[0, 0].set_ylabel("regret after $T$ pulls (reward units)")
    shared_legend(fig)
    adaptive = sum(name in ADAPTIVE for name in winners)
    caption = f"""On pools of independent arms exploration is free. A policy that refits all the time, and so asks for
        many more batches of labels, has the lowest regret in {adaptive} of {len(settings)} panels. Median regret:
        {"; ".join(notes)}.{design_note(table)}"""
    return describe(fig, caption=caption, alt="Regret against the number of label batches, one marker a policy.")
