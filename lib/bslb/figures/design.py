"""Figures of subset design: value of the chosen subset, and sparse eigenvalue of what is explored."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.report.intervals import summarize
from lib.report.style import COLOURS, GUIDE, describe, new_figure, series

LOWEST = 1e-8  # where the logarithmic axis ends; values below are drawn on it


def design_value(table: pd.DataFrame) -> Figure:
    """Draw lambda_min against subset size u for each pool kind of `subset_quality`'s table: optimum, subsets, bound."""
    kinds = list(dict.fromkeys(table["kind"]))
    fig, axes = new_figure(1, len(kinds), width=3.8 * len(kinds), height=3.4, sharey=True)
    for axis, kind in zip(axes[0], kinds, strict=True):
        part = table[table["kind"] == kind]
        fixed = part.groupby("u", sort=True).first()
        axis.fill_between(
            fixed.index, fixed["lambda_star"], fixed["certificate"], color=COLOURS[6], alpha=0.4, linewidth=0
        )
        axis.plot(fixed.index, fixed["lambda_star"], **GUIDE, label=r"relaxation $\lambda^*$ (band: certified gap)")
        if fixed["lambda_sdp"].notna().any():
            axis.plot(
                fixed.index, fixed["lambda_sdp"], "x", color=COLOURS[7], markersize=5, label="exact optimum (SDP)"
            )
        for index, (column, label) in enumerate(
            [("lambda_poisson", "Poisson subset"), ("lambda_uniform", "uniform subset")]
        ):
            band = summarize(part, ["u"], column).sort_values("u")
            low, mid, high = (band[name].clip(lower=LOWEST) for name in ("low", "median", "high"))
            series(axis, band["u"], mid, low, high, label=label, index=index)
        if fixed["lambda_greedy"].notna().any():
            axis.plot(fixed.index, fixed["lambda_greedy"], color=COLOURS[2], marker="^", markersize=4, label="greedy")
        useful = fixed["chernoff"].where(fixed["chernoff"] > 0)
        if useful.notna().any():
            axis.plot(fixed.index, useful, color=COLOURS[7], ls=":", marker=".", label="Chernoff bound")
        axis.set(title=f"{kind} arms", xlabel=r"subset size $u$ (arms)", xscale="log", yscale="log")
        axis.set_xticks(fixed.index, [f"{u}" for u in fixed.index], fontsize=7)
        axis.minorticks_off()
    axes[0, 0].set_ylabel(r"$\lambda_{\min}$ of $\frac{1}{u}\sum a a^\top$")
    axes[0, -1].legend(fontsize=7)
    caption = " ".join(_design_finding(table, kind) for kind in kinds)
    return describe(
        fig,
        caption="**Smallest eigenvalue of a subset of u arms "
        f"(d = {table['d'].iloc[0]}, M = {table['arms'].iloc[0]}).** {caption} "
        f"Lines: median over {table['draw'].nunique()} draws with a 90 % interval; a value at the bottom of "
        "the axis is zero there. The Chernoff bound is drawn where it is not vacuous.",
        alt="Smallest eigenvalue against subset size, one panel a kind of pool, with the relaxation's optimum above, "
        "then the designed subsets, the uniform subset, and the Chernoff bound where it is positive.",
    )


def _design_finding(table: pd.DataFrame, kind: str) -> str:
    part = table[table["kind"] == kind]
    middle = part.groupby("u")[["lambda_poisson", "lambda_uniform"]].median()
    sound = middle[middle.index >= 2 * part["d"].iloc[0]]
    sound = middle if sound.empty else sound
    ratio = sound["lambda_poisson"] / sound["lambda_uniform"].clip(lower=1e-300)
    gap = (part["certificate"] / part["lambda_star"] - 1).max()
    greedy = part.groupby("u")["lambda_greedy"].first() / middle["lambda_poisson"].clip(lower=1e-300)
    greedy = greedy[sound.index].dropna()
    peer = "" if greedy.empty else f" the greedy subset has {_span(greedy)} times the Poisson one's;"
    needed, useful = part["u_required"].min(), part.loc[part["chernoff"] > 0, "u"]
    bound = "is vacuous at every size shown" if useful.empty else f"says something from u = {useful.min()}"
    return (
        f"On {kind} arms the Poisson subset has {_span(ratio)} times the eigenvalue of a uniform subset at sizes u of "
        f"at least {sound.index.min()}, and is best at u = {middle['lambda_poisson'].idxmax()} of the sizes shown;"
        f"{peer} the relaxation is solved to a certified {100 * gap:.1f} % or better, and the Chernoff bound {bound} "
        f"(half of the optimum is guaranteed from u = {needed:.0f})."
    )


def sparse_eigenvalue(table: pd.DataFrame) -> Figure:
    """Draw lambda_min and estimated phi_min(2k) of the explored rows of `sparse_eigenvalues` against their number."""
    fig, axes = new_figure(width=6.4, height=3.4)
    axis, d, k = axes[0, 0], int(table["d"].iloc[0]), int(table["k"].iloc[0])
    index = 0
    for explore, name in (("subset", "good subset"), ("uniform", "uniform rows")):
        part = table[table["explore"] == explore]
        for column, symbol in (("phi_min", rf"$\phi_{{\min}}({2 * k})$"), ("lambda_min", r"$\lambda_{\min}$")):
            band = summarize(part, ["explored"], column).sort_values("explored")
            low, mid, high = (band[end].clip(lower=LOWEST) for end in ("low", "median", "high"))
            series(axis, band["explored"], mid, low, high, label=f"{symbol}, {name}", index=index)
            index += 1
    axis.axvline(d, **GUIDE)
    axis.annotate(r"$T_e=d$", (d, 1), xycoords=("data", "axes fraction"), xytext=(3, -10), textcoords="offset points")
    axis.set(xlabel=r"explored rows $T_e$", ylabel="eigenvalue of the explored Gram matrix", yscale="log", xscale="log")
    axis.legend(fontsize=7)
    middle = table.groupby(["explore", "explored"])[["lambda_min", "phi_min"]].median()
    short = table[table["explored"] < d]
    rounding = f"zero by rank (computed: at most {short['lambda_min'].max():.0e})"
    phi = middle.loc["subset", "phi_min"]
    grows = "grows with every added block of rows" if (np.diff(phi) > 0).all() else "does not grow monotonically"
    gain = phi.iloc[-1] / middle.loc["uniform", "phi_min"].iloc[-1]
    return describe(
        fig,
        caption=f"**Smallest and sparse eigenvalue of the explored rows (d = {d}).** With fewer explored "
        f"rows than dimensions $\\lambda_{{\\min}}$ is {rounding}, while the sparse eigenvalue at {2 * k} columns is "
        f"positive and {grows} from the good subset, to {gain:.1f} times its value for uniform rows at "
        f"$T_e = {phi.index[-1]}$. The sparse eigenvalue is a local search's upper bound on the true minimum. Medians "
        f"over {table['seed'].nunique()} pools with 90 % intervals; the bottom of the axis means zero.",
        alt="Smallest eigenvalue and sparse eigenvalue of the explored rows against their number, for rows from the "
        "good subset and for uniform rows, with a vertical line where rows equal dimensions.",
    )


def _span(values: pd.Series) -> str:
    low, high = float(values.min()), float(values.max())
    low, high = (f"{value:.0f}" if value >= 10 else f"{value:.1f}" for value in (low, high))
    return low if low == high else f"{low} to {high}"
