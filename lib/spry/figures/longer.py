"""What the longer tables show: accuracy by label skew, and by what is trained."""

import pandas as pd
from matplotlib.figure import Figure

from lib.report.grids import ends_of
from lib.report.intervals import last_round, summarize
from lib.report.style import describe, new_figure, series
from lib.spry.experiments.finetuning import METHODS
from lib.spry.experiments.real import TITLES
from lib.spry.figures.methods import ABOVE, BEHIND, INTERVALS, LOOKS, REFERENCE, absent, families_in, kept

SHOWN = METHODS[::-1]


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
    listed = _lost(middle[alphas[0]] - middle[alphas[-1]])
    caption = f"""Accuracy lost from $\\alpha={alphas[0]:g}$ to {alphas[-1]:g}: {listed} (differences of medians).
        {rows["seed"].nunique()} seeds, {rows["round"].max()} rounds, each method at its own rate for each
        $\\alpha$. Grey are the methods of the other families, dotted Spry. {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Final accuracy against Dirichlet alpha by family. Lost: {listed}.")


def _lost(lost: pd.Series) -> str:
    """Say what FedAvg and Spry lose, and who loses the most if it is another method; zero has no sign."""
    named = [name for name in ("FedAvg", "Spry") if name in lost]
    words = [f"{name} {round(lost[name], 2) + 0.0:.2f}" for name in named]
    most = lost.idxmax()
    if lost[most] > lost[named].max():
        words[-1] += f"; the most by {most}, {lost[most]:.2f}"
    return ", ".join(words)


def skew_table(table: pd.DataFrame | None) -> pd.DataFrame:
    """Return the final accuracy of each method by alpha, with its interval and rate, the most accurate first.

    The lowest and the highest rate that any method has, which may be the ends of those tried, say so.
    """
    if table is None:
        return _unrecorded("skew")
    rows = last_round(table)
    found = summarize(rows, ["method", "alpha"], "accuracy")
    rate, ends = rows.groupby(["method", "alpha"])["lr"].first(), ends_of(rows["lr"])
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
    """Return the final accuracy by what is trained, a column a method (`experiments.finetuning`).

    The lowest and the highest rate that any arm has, which may be the ends of those tried, say so.
    """
    if table is None:
        return _unrecorded("peft")
    columns = ["texts", "α", "trained", "weights", *SHOWN]
    found, ends = [], ends_of(table["lr"])
    for (name, alpha, way), part in last_round(table).groupby(["data", "alpha", "trained"], sort=False):
        spread = summarize(part, ["method"], "accuracy").set_index("method")
        said = {m: f", {ends[lr]} rate" if lr in ends else "" for m, lr in part.groupby("method")["lr"].first().items()}
        cells = [f"{spread['median'][m]:.2f} ({spread['low'][m]:.2f}–{spread['high'][m]:.2f}){said[m]}" for m in SHOWN]
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
    return pd.DataFrame({"not recorded yet": [kept(name)]})
