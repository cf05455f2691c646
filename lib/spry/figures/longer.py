"""What the longer tables show: accuracy by label skew, and by what is trained."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from lib.report.grids import ends_of
from lib.report.intervals import last_round, summarize
from lib.report.style import describe, new_figure, series
from lib.spry.experiments.arms import MORE
from lib.spry.experiments.real import TITLES
from lib.spry.figures.methods import ABOVE, BEHIND, INTERVALS, LOOKS, REFERENCE, absent, command, families_in

SHOWN = ("FedAvg", "Spry", MORE)


def by_skew(table: pd.DataFrame | None) -> Figure:
    """Draw the final accuracy against the Dirichlet concentration, a panel a family (`experiments.skew`)."""
    if table is None:
        return absent("skew")
    rows = last_round(table)
    found = summarize(rows, ["method", "alpha"], "accuracy").sort_values("alpha", ascending=False)
    alphas = sorted(rows["alpha"].unique(), reverse=True)
    places = {alpha: place for place, alpha in enumerate(alphas)}
    families = families_in(rows)
    fig, axes = new_figure(1, len(families), width=9, height=3.4, sharey=True)
    for axis, (title, names) in zip(axes[0], families.items(), strict=True):
        for name, part in found.groupby("method", sort=False):
            x = part["alpha"].map(places)
            if name in names:
                series(axis, x, part["median"], part["low"], part["high"], label=name, index=LOOKS[name])
            else:
                axis.plot(x, part["median"], **REFERENCE if name == "Spry" else BEHIND)
        axis.set_xticks(range(len(alphas)), [f"{alpha:g}" for alpha in alphas])
        axis.set_xlabel(r"$\alpha$ (more label skew to the right)")
        axis.legend(title=title, **ABOVE)
    axes[0, 0].set_ylabel("final accuracy")
    middle = found.pivot_table(index="method", columns="alpha", values="median")
    lost = (middle[alphas[0]] - middle[alphas[-1]]).sort_values()
    listed = f"{lost.index[0]} {lost.iloc[0]:.2f}, Spry {lost['Spry']:.2f}, {lost.index[-1]} {lost.iloc[-1]:.2f}"
    caption = f"""Accuracy lost from $\\alpha={alphas[0]:g}$ to {alphas[-1]:g}, the least, Spry's and the most:
        {listed}. {rows["seed"].nunique()} seeds, {rows["round"].max()} rounds, each method at its own rate for each
        $\\alpha$. Grey are the methods of the other families, dotted Spry. {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Final accuracy against Dirichlet alpha by family. Lost: {listed}.")


def skew_table(table: pd.DataFrame | None, *, rates: Sequence[float] = ()) -> pd.DataFrame:
    """Return the final accuracy of each method by alpha, with its interval and rate, the most accurate first.

    `rates` are the learning rates to choose from; one at an end of them says so.
    """
    if table is None:
        return _unrecorded("skew")
    rows = last_round(table)
    found = summarize(rows, ["method", "alpha"], "accuracy")
    rate, ends = rows.groupby(["method", "alpha"])["lr"].first(), ends_of(rates)
    said = {key: f"{value:g}{f' ({ends[value]})' if value in ends else ''}" for key, value in rate.items()}
    cells = [
        f"{r.median:.2f} ({r.low:.2f}–{r.high:.2f}), rate {said[r.method, r.alpha]}"
        for r in found.itertuples(index=False)
    ]
    wide = found.assign(cell=cells).pivot_table(index="method", columns="alpha", values="cell", aggfunc="first")
    order = found.groupby("method")["median"].mean().sort_values(ascending=False).index
    wide = wide.loc[order, sorted(wide.columns, reverse=True)]
    wide.columns = [f"α = {alpha:g}" for alpha in wide.columns]
    return wide.reset_index()


def ways(table: pd.DataFrame | None) -> pd.DataFrame:
    """Return the final accuracy by what is trained, a column a method (`experiments.finetuning`)."""
    if table is None:
        return _unrecorded("peft")
    columns = ["texts", "α", "trained", "weights", *SHOWN]
    found = []
    for (name, alpha, way), part in last_round(table).groupby(["data", "alpha", "trained"], sort=False):
        spread = summarize(part, ["method"], "accuracy").set_index("method")
        cells = [f"{spread['median'][m]:.2f} ({spread['low'][m]:.2f}–{spread['high'][m]:.2f})" for m in SHOWN]
        found.append([TITLES[name], alpha, way, part["weights"].iloc[0], *cells])
    rows = pd.DataFrame(found, columns=columns).sort_values(["α", "weights"], ascending=[False, True])
    rows = rows.reset_index(drop=True)
    return rows.assign(α=[f"{alpha:g}" for alpha in rows["α"]])


def levels(table: pd.DataFrame | None) -> pd.DataFrame:
    """Return by data set and alpha the best method's and Spry's final accuracy and the commonest label's share."""
    if table is None:
        return _unrecorded("multirc")
    columns = ["texts", "α", "best method", "its accuracy", "Spry", "commonest label"]
    found = []
    for (name, alpha), part in last_round(table).groupby(["data", "alpha"], sort=False):
        final = part.groupby("method")["accuracy"].median()
        values = (final.max(), final["Spry"], part["majority"].median())
        found.append([TITLES[name], f"{alpha:g}", final.idxmax(), *(f"{value:.2f}" for value in values)])
    return pd.DataFrame(found, columns=columns)


def _unrecorded(name: str) -> pd.DataFrame:
    return pd.DataFrame({"not recorded yet": [f"`{command(name)}`"]})
