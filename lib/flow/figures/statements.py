"""Figures of the propositions."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.flow.theory import Setting, value_of_instances
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure


def mixing(table: pd.DataFrame) -> Figure:
    """Draw the best weight of the local estimate against the ratio of the variances, with the closed form."""
    fig, axes = new_figure(width=5.4)
    axis = axes[0, 0]
    ratio = np.geomspace(table["ratio"].min() / 1.5, table["ratio"].max() * 1.5, 50)
    axis.plot(ratio, ratio, **GUIDE, label="closed form")
    for index, (clients, rows) in enumerate(table.groupby("clients")):
        inner = rows[(rows["alpha"] > 0) & (rows["alpha"] < 1)]
        odds = inner["alpha"] / (1 - inner["alpha"])
        axis.plot(inner["ratio"], odds, MARKERS[index], color=COLOURS[index], markersize=5, label=f"{clients} clients")
    axis.set(xscale="log", yscale="log", xlabel=r"$n\delta^2/\sigma^2$", ylabel=r"$\alpha^*/(1-\alpha^*)$")
    axis.legend(fontsize=8)
    far = (table["alpha"] - table["predicted"]).abs().max()
    caption = f"""The best weight of the local estimate in simulated federations lies on the line of slope one whatever
        the number of clients: largest distance of the weight from its closed form {far:.3f}, on a grid of 0.001."""
    return describe(fig, caption=caption, alt=f"Odds of the best weight on the predicted line, within {far:.3f}.")


def instance_value(table: pd.DataFrame) -> Figure:
    """Draw what one weight for each type of instance gains over one weight for all, against the share of a type."""
    fig, axes = new_figure(width=5.4)
    axis = axes[0, 0]
    rho = np.linspace(0, 1, 201)
    first = table.iloc[0]
    at = Setting(int(first["clients"]), int(first["examples"]), first["noise"], first["spread_0"])
    axis.plot(rho, value_of_instances(rho, at, first["spread_1"]), **GUIDE, label="closed form")
    axis.plot(table["rho"], table["value"], MARKERS[0], color=COLOURS[0], markersize=5, label="simulated")
    axis.set(xlabel=r"share $\rho$ of instances whose optima spread more", ylabel="squared error saved")
    axis.legend(fontsize=8)
    inner = table[table["predicted"] > 0]
    far, best = (inner["value"] / inner["predicted"] - 1).abs().max(), table.loc[table["value"].idxmax(), "rho"]
    caption = f"""What routing by instance gains over routing by client: nothing where one type is alone, most near
        rho = {best:g} of the shares simulated. Largest relative distance from the closed form {far:.1%}."""
    return describe(fig, caption=caption, alt=f"A hump over the share of a type, largest near {best:g}.")
