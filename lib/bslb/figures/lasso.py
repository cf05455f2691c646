"""Figures of the Lasso under soft sparsity: rate in n, exponent in k, and the tail term."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.report.intervals import fitted_slope, summarize
from lib.report.style import COLOURS, GUIDE, describe, new_figure, series

ASYMPTOTIC_N = 250  # observations from which slopes are fitted


def lasso_rate(table: pd.DataFrame, *, c: float | None = None) -> Figure:
    """Draw l1 and l2 error against n for each tail of `lasso_error`'s table, at penalty factor `c` (the first if None).

    Dashed guides have slope -1/2; the dotted lines of the l1 panel are the tail's l1 mass.
    """
    part = _one_c(table, c)
    fig, axes = new_figure(1, 2, width=7.6, height=3.4)
    slopes = {}
    for axis, column, name in zip(axes[0], ("l1_error", "l2_error"), (r"\ell_1", r"\ell_2"), strict=True):
        for index, (beta, group) in enumerate(part.groupby("beta")):
            band = summarize(group, ["observations"], column).sort_values("observations")
            series(
                axis,
                band["observations"],
                band["median"],
                band["low"],
                band["high"],
                label=rf"$\beta={beta:g}$",
                index=index,
            )
            late = band[band["observations"] >= min(ASYMPTOTIC_N, band["observations"].iloc[-2])]
            slopes[column, beta] = fitted_slope(late["observations"], late["median"])
            if column == "l1_error" and beta > 0:
                axis.axhline(group["tail_l1"].median(), color=COLOURS[index], linestyle=":", linewidth=0.9)
            if beta == part["beta"].min():
                _guide(axis, band["observations"].to_numpy(), band["median"].iloc[-1], -0.5, r"slope $-1/2$")
        axis.set(xscale="log", yscale="log", xlabel=r"observations $n$", ylabel=rf"${name}$ error of the Lasso")
    axes[0, 0].legend(fontsize=7, title="relative tail", title_fontsize=7)
    hard, soft = part["beta"].min(), part[part["beta"] > 0]
    text = (
        f"At relative tail {hard:g} the errors fall as $n^{{{slopes['l1_error', hard]:.2f}}}$ (l1) and "
        f"$n^{{{slopes['l2_error', hard]:.2f}}}$ (l2), against the predicted $n^{{-0.5}}$."
    )
    for beta, group in soft.groupby("beta"):
        last = group[group["observations"] == group["observations"].max()]
        ratio = last["l1_error"].median() / last["tail_l1"].median()
        text += (
            f" At {beta:g} the l1 slope is {slopes['l1_error', beta]:.2f} and the error ends at {ratio:.2f} times the "
            "tail's mass (dotted)."
        )
    return describe(
        fig,
        caption=f"**The Lasso's error under hard and soft sparsity.** {text} Slopes over the larger sample sizes (up "
        f"to n = {part['observations'].max()}); penalty factor c = {part['c'].iloc[0]:g}; medians of "
        f"{part['seed'].nunique()} replicates with 90 % intervals.",
        alt="Two log-log panels of Lasso error against sample size, one curve a tail, with guides of slope minus one "
        "half and the tail's l1 mass as a floor.",
    )


def lasso_in_k(table: pd.DataFrame) -> Figure:
    """Draw l1 and l2 error against the sparsity k from `lasso_in_k`'s table, with guides of exponent 1 and 1/2."""
    fig, axes = new_figure(1, 2, width=7.6, height=3.2)
    found = {}
    panels = (("l1_error", r"\ell_1", 1.0, "slope 1"), ("l2_error", r"\ell_2", 0.5, r"slope $1/2$"))
    for axis, (column, name, power, guide) in zip(axes[0], panels, strict=True):
        for index, (c, group) in enumerate(table.groupby("c")):
            band = summarize(group, ["k"], column).sort_values("k")
            series(axis, band["k"], band["median"], band["low"], band["high"], label=rf"$c={c:g}$", index=index)
            found.setdefault(column, []).append(fitted_slope(band["k"], band["median"]))
            if index == 0:
                _guide(axis, band["k"].to_numpy(), band["median"].iloc[-1], power, guide)
        axis.set(xscale="log", yscale="log", xlabel=r"nonzero coordinates $k$", ylabel=rf"${name}$ error of the Lasso")
        _ticks(axis, np.sort(table["k"].unique()))
    axes[0, 0].legend(fontsize=7, title="penalty factor", title_fontsize=7)
    l1, l2 = (" and ".join(f"{value:.2f}" for value in found[column]) for column in ("l1_error", "l2_error"))
    penalties = " and ".join(f"{c:g}" for c in sorted(table["c"].unique()))
    return describe(
        fig,
        caption=f"**The Lasso's error against the sparsity.** Fitted exponents {l1} (l1; "
        f"predicted 1) and {l2} (l2; predicted 1/2) at c = {penalties}, n = {table['observations'].iloc[0]}; medians "
        f"of {table['seed'].nunique()} replicates with 90 % intervals.",
        alt="Two log-log panels of Lasso error against the number of nonzero coordinates with guides of slope one and "
        "one half.",
    )


def tail_term(table: pd.DataFrame, *, c: float | None = None) -> Figure:
    """Draw the l1 error over (1 + beta)^2 k sigma sqrt(log d / n) against n for each tail of `lasso_error`'s table."""
    part = _one_c(table, c)
    fig, axes = new_figure(width=5.2, height=3.3)
    axis, growth = axes[0, 0], {}
    for index, (beta, group) in enumerate(part.groupby("beta")):
        band = summarize(group, ["observations"], "v2_ratio").sort_values("observations")
        series(
            axis,
            band["observations"],
            band["median"],
            band["low"],
            band["high"],
            label=rf"$\beta={beta:g}$",
            index=index,
        )
        growth[beta] = (
            band["median"].iloc[0],
            band["median"].iloc[-1],
            fitted_slope(band["observations"], band["median"]),
        )
    soft = [beta for beta in growth if beta > 0]
    if soft:
        _guide(axis, np.sort(part["observations"].unique()), growth[soft[0]][1], 0.5, r"slope $1/2$")
    axis.set(xscale="log", yscale="log", xlabel=r"observations $n$")
    axis.set_ylabel(r"$\ell_1$ error $/\;(1+\beta)^2 k\sigma\sqrt{\log d/n}$")
    axis.legend(fontsize=7, title="relative tail", title_fontsize=7)
    text = "; ".join(
        f"at relative tail {beta:g} the ratio goes from {first:.1f} to {last:.1f} (slope {slope:.2f})"
        for beta, (first, last, slope) in growth.items()
    )
    return describe(
        fig,
        caption="**Does a bound without an additive tail term hold?** The l1 error over the l1-type rate that "
        f"reproduces the regret exponent in our reading of version 2: {text}. A flat curve agrees with that rate, a "
        "slope of 1/2 is an error that stays at the tail's mass. Our reading of version 2's bound shows no additive "
        "tail term; whether it carries a condition on n or on the scale of the parameter is unknown to us, so this is "
        "an open question and not a refutation.",
        alt="Log-log plot of normalised Lasso error against sample size, one curve a tail, with a guide of slope one "
        "half.",
    )


def _one_c(table: pd.DataFrame, c: float | None) -> pd.DataFrame:
    c = table["c"].iloc[0] if c is None else c
    part = table[table["c"] == c]
    if part.empty:
        raise ValueError(f"the table has no penalty factor c={c}; it has {sorted(table['c'].unique())}")
    return part


def _guide(axis: Axes, x: np.ndarray, end: float, slope: float, label: str) -> None:
    """Draw the power law through a point just below the last median."""
    y = 0.8 * end * (x / x[-1]) ** slope
    axis.plot(x, y, **GUIDE)
    place = {"textcoords": "offset points", "xytext": (0, -4 if slope < 0 else -22), "ha": "right", "va": "top"}
    axis.annotate(label, (x[-1], y[-1]), fontsize=7, color=GUIDE["color"], **place)


def _ticks(axis: Axes, values: np.ndarray) -> None:
    """Label a logarithmic axis at the values that were run, for ranges too short for powers of ten."""
    axis.set_xticks(values, [f"{value:g}" for value in values])
    axis.xaxis.minorticks_off()
