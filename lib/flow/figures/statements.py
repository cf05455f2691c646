"""Figures of the propositions."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.flow.theory import Setting, value_of_instances
from lib.report.intervals import fitted_slope, summarize
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure, series


def mixing(table: pd.DataFrame) -> Figure:
    """Draw the best weight of the local estimate against the ratio of the variances, with the closed form."""
    fig, axes = new_figure(width=5.4)
    axis = axes[0, 0]
    ratio = np.geomspace(table["ratio"].min() / 1.5, table["ratio"].max() * 1.5, 50)
    axis.plot(ratio, ratio, **GUIDE, label="closed form")
    sizes = sorted(table["clients"].unique())
    for index, (clients, rows) in enumerate(table.groupby("clients")):
        inner = rows[(rows["alpha"] > 0) & (rows["alpha"] < 1)]
        odds = inner["alpha"] / (1 - inner["alpha"])
        look = {"color": COLOURS[index], "markersize": 4 + 5 * (len(sizes) - 1 - index), "markerfacecolor": "none"}
        axis.plot(inner["ratio"], odds, MARKERS[index], **look, label=f"{clients} clients")
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


def global_rates(table: pd.DataFrame) -> Figure:
    """Draw the squared gradient of the global model against rounds, and its floor at a constant learning rate."""
    fig, axes = new_figure(1, 2, width=8.4)
    rates, floors = table[table["kind"] == "rate"], table[table["kind"] == "floor"]
    slopes = []
    for index, (level, rows) in enumerate(rates.groupby("level")):
        part = summarize(rows, ["rounds"], "squared_gradient").sort_values("rounds")
        label = rf"$\alpha=\beta={level:g}$"
        series(axes[0, 0], part["rounds"], part["median"], part["low"], part["high"], label=label, index=index)
        slopes.append(f"{fitted_slope(part['rounds'], part['median']):.2f} ({level:g})")
    first = rates.groupby("rounds")["squared_gradient"].median()
    guide = first.iloc[0] * (first.index / first.index[0]) ** -0.5
    axes[0, 0].plot(first.index, guide, **GUIDE, label=r"$R^{-1/2}$")
    axes[0, 0].set(xscale="log", yscale="log", xlabel="rounds $R$", ylabel="smallest squared gradient")
    axes[0, 0].set_xticks(first.index, [f"{rounds}" for rounds in first.index])
    axes[0, 0].xaxis.minorticks_off()
    axes[0, 0].legend(fontsize=8)
    part = summarize(floors, ["level"], "squared_gradient").sort_values("level")
    series(axes[0, 1], part["level"], part["median"], part["low"], part["high"], label="floor", index=3)
    axes[0, 1].set(xlabel=r"heterogeneity $\alpha=\beta$", ylabel="squared gradient at a constant rate")
    axes[0, 1].set(ylim=(0, None), xticks=part["level"])
    text = ", ".join(f"{row.level:g}: {row.median:.3f}" for row in part.itertuples())
    caption = f"""FedAvg with logistic regression on synthetic data. Left, learning rate proportional to
        $R^{{-1/2}}$: fitted slopes {", ".join(slopes)}, by heterogeneity. Right, constant learning rate: the gradient
        stops falling at a floor, {text}. Medians over seeds, bands intervals of the median."""
    return describe(fig, caption=caption, alt=f"Squared gradients against rounds and heterogeneity. Floors {text}.")


def personal_gradients(table: pd.DataFrame) -> Figure:
    """Draw the squared gradient of the clients' test losses at three models, and two bounds on that of the routed one.

    `table` is that of `lib.flow.experiments.personal_gradients`; lines join means over the clients of a seed.
    """
    models = ["global", "local", "routed", "mix", "parts"]
    runs = table.groupby(["setting", "examples", "seed"], sort=False)[models].mean()
    settings, notes, flattest = list(dict.fromkeys(table["setting"])), [], []
    fig, axes = new_figure(1, len(settings), width=2.7 * len(settings) + 0.8, height=2.8)
    for axis, setting in zip(axes[0], settings, strict=True):
        part = runs.xs(setting)
        for _, line in part.iterrows():
            axis.plot(range(3), line[models[:3]], color=COLOURS[0], marker="o", markersize=4, linewidth=0.8)
            axis.plot(range(3, 5), line[models[3:]], color=COLOURS[1], marker="_", markersize=9, linestyle="none")
        axis.set_xticks(range(5), models, fontsize=8)
        axis.set(title=f"{setting}, {part.index[0][0]} examples each", ylim=(0, 1.08 * part.max(axis=None)))
        axis.title.set_fontsize(9)
        middle, share = part.median(), table.loc[table["setting"] == setting, "share"]
        text = ", ".join(f"{name} {value:.3g}" for name, value in middle.items())
        flattest.append(f"{setting}, {middle[models[:3]].idxmin()}")
        parted = share.between(0, 1, inclusive="neither").mean()
        notes.append(f"{setting}: {text}; {share.mean():.0%} of the routes local, both ways in {parted:.0%} of clients")
    axes[0, 0].set_ylabel("squared gradient of the test loss")
    caption = f"""Of the three models that a client might use, its test loss is flattest, by the medians, at:
        {"; ".join(flattest)} (Flow with one linear layer). Orange: the two bounds on the
        routed model: the squares of the branches weighted by the routes ("mix"), and those over the instances
        that take each branch alone ("parts"). Medians over seeds: {". ".join(notes)}. A line joins the models of one
        seed."""
    return describe(fig, caption=caption, alt=f"Squared gradients at three models and two bounds. {'. '.join(notes)}.")
