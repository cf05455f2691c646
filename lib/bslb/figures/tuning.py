"""Figure of the search over settings that every policy got."""

import pandas as pd
from matplotlib.figure import Figure

from lib.report.intervals import summarize
from lib.report.style import COLOURS, describe, new_figure


def tuning(table: pd.DataFrame) -> Figure:
    """Draw the regret of every setting, one row a method, with the winners marked.

    `table` comes from `experiments.tuning.tune`.
    """
    methods = list(dict.fromkeys(table["method"]))
    fig, axes = new_figure(width=7.2, height=0.5 * len(methods) + 1.2)
    axis = axes[0, 0]
    summary = summarize(table, ["method", "setting", "best"], "regret")
    for best, label in ((False, "other setting"), (True, "lowest median, used in all comparisons")):
        rows = summary[summary["best"] == best]
        places = [methods.index(name) for name in rows["method"]]
        error = [rows["median"] - rows["low"], rows["high"] - rows["median"]]
        style = {"fmt": "*" if best else "o", "markersize": 10 if best else 4, "color": COLOURS[0 if best else 6]}
        axis.errorbar(rows["median"], places, xerr=error, linewidth=0.8, label=label, **style)
    for method, rows in summary.sort_values("median").groupby("method", sort=False):
        for rank, row in enumerate(rows.itertuples()):
            # Labels alternate above and below the row, so that settings of nearly equal regret stay readable.
            above = rank % 2 == 0
            place = {"xytext": (0, 6 if above else -6), "va": "bottom" if above else "top"}
            place["ha"] = ("right", "center", "left")[min(rank, 2)]
            spot = (row.median, methods.index(method))
            axis.annotate(row.setting, spot, textcoords="offset points", fontsize=6, **place)
    axis.set_yticks(range(len(methods)), methods)
    axis.set(xlabel="regret (reward units)", ylim=(len(methods) - 0.4, -0.6))
    fig.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=7)
    won = summary[summary["best"]].set_index("method")
    spread = summary.groupby("method", sort=False)["median"].agg(lambda m: m.max() / m.min())
    parts = "; ".join(f"{name}: {won.loc[name, 'setting']} ({won.loc[name, 'median']:.0f})" for name in methods)
    caption = f"""Every policy chose among {summary.groupby("method").size().max()} settings on
        {table["replicate"].nunique()} replicates that no other figure uses. Winners, with their median regret: {parts}.
        The choice matters most for {spread.idxmax()}, where the worst setting has {spread.max():.1f} times the regret
        of the best. Bars: 90 % intervals of the median over replicates."""
    return describe(fig, caption=caption, alt=f"Regret of the settings of {len(methods)} policies, the best starred.")
