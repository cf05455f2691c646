"""Figures of instance preferences: who gains, who is harmed, and where instances are routed."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lib.flow.figures.parts import INTERVALS, dodged, known_methods, listed, medians, only, place, runs_of, seeds_text
from lib.flow.rules import FINE_TUNED, missed, paired
from lib.report.intervals import median_interval, summarize
from lib.report.style import COLOURS, GUIDE, describe, new_figure, series


def harm(clients: pd.DataFrame, *, rho: float, delta: float = 1.0) -> Figure:
    """Draw, for one setting, the instances that personalization breaks and mends, and the clients that it harms."""
    runs = runs_of(only(clients, rho=rho, delta=delta))
    methods = [name for name in known_methods(runs) if name != "FedAvg"]
    fig, axes = new_figure(1, 2, width=8.4, height=0.34 * len(methods) + 1.3)
    for row, name in enumerate(methods):
        part = runs[runs["method"] == name]
        for column, sign, colour in (("only_global", -1, COLOURS[1]), ("only_personal", 1, COLOURS[0])):
            axes[0, 0].barh(row, sign * part[column].median(), color=colour, height=0.62)
        for column, left, shade in (("harmed", 0.0, COLOURS[1]), ("tied", part["harmed"].median(), "#BDBDBD")):
            axes[0, 1].barh(row, part[column].median(), left=left, color=shade, height=0.62)
    for axis in axes[0]:
        axis.set_yticks(range(len(methods)), methods)
        axis.set_ylim(len(methods) - 0.5, -0.5)
    axes[0, 1].set_yticklabels([])
    axes[0, 0].axvline(0, color="black", linewidth=0.8)
    axes[0, 0].set(title="share of instances", xlabel="broken (left), mended (right)")
    axes[0, 1].set(title="share of clients", xlabel="harmed (orange), tied (grey)", xlim=(0, 1))
    axes[0, 0].xaxis.set_major_locator(MaxNLocator(5))
    axes[0, 0].xaxis.set_major_formatter(lambda share, _: f"{abs(share):g}")
    broken, harmed = medians(runs, "only_global"), medians(runs, "harmed")
    caption = f"""Clients harmed by personalization at rho = {rho:g}, whose accuracy falls below that of the global
        model of the same training (right): {listed(harmed[methods], 2)}. Left: instances that only the global model
        gets right (broken) and that only the personalized one gets right (mended); broken:
        {listed(broken[methods])}. Medians over {seeds_text(runs)}; clients with equal accuracy are not counted as
        harmed."""
    return describe(fig, caption=caption, alt=f"Bars by method. Harmed clients: {listed(harmed[methods], 2)}.")


def gains(clients: pd.DataFrame, *, delta: float = 1.0) -> Figure:
    """Draw the accuracy of each method less FedAvg's, and its share of harmed clients, against rho."""
    runs = runs_of(only(clients, delta=delta), "rho")
    base = runs[runs["method"] == "FedAvg"].set_index(["rho", "seed"])["personal"]
    runs = runs.assign(gain=runs["personal"] - base.reindex(pd.MultiIndex.from_frame(runs[["rho", "seed"]])).to_numpy())
    methods = [name for name in known_methods(runs) if name != "FedAvg"]
    fig, axes = new_figure(1, 2, width=8.8)
    for axis, value, label in (
        (axes[0, 0], "gain", "accuracy minus FedAvg"),
        (axes[0, 1], "harmed", "share of clients harmed"),
    ):
        dodged(axis, runs, "rho", value, methods)
        axis.set(xlabel=r"share $\rho$ of instances that follow the client's own rule", ylabel=label)
    axes[0, 0].axhline(0, **GUIDE)
    axes[0, 1].legend(fontsize=8)
    notes = []
    for rho, part in runs.groupby("rho"):
        notes.append(rf"$\rho={rho:g}$: {listed(medians(part, 'gain')[methods])}")
    caption = f"""Personalized accuracy less that of FedAvg on the same data: {"; ".join(notes)}.{_aim(runs)}
        {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Gain and harmed clients against rho. {'; '.join(notes)}.")


def _aim(runs: pd.DataFrame) -> str:
    """Return the sentence on the aim at rho = 0.25: the median lead of Flow over both forms of fine-tuning."""
    rows = runs[runs["rho"] == 0.25]
    if not {"Flow", *FINE_TUNED} <= set(rows["method"]):
        return ""
    gain = {name: float(np.median(paired(rows, "Flow", name))) for name in FINE_TUNED}
    said = " and ".join(
        f"{value:+.3f} over {name} ({missed(value).removeprefix('the median ') or 'reaches three points'})"
        for name, value in gain.items()
    )
    return rf" The aim at $\rho=0.25$, paired by seed: Flow is {said}."


def routes(table: pd.DataFrame, *, delta: float = 1.0) -> Figure:
    """Draw how often Flow takes the local branch for each type of instance, and what the true types would give."""
    part = only(table, delta=delta, method="Flow")
    runs = part.groupby(["rho", "seed"], as_index=False).mean(numeric_only=True)
    fig, axes = new_figure(1, 2, width=8.8)
    names = {"local_1": "instances of the local type", "local_0": "instances of the global type"}
    for index, (column, label) in enumerate(names.items()):
        rows = summarize(runs.dropna(subset=[column]), ["rho"], column).sort_values("rho")
        series(axes[0, 0], rows["rho"], rows["median"], rows["low"], rows["high"], label=label, index=index)
    for index, (column, label) in enumerate(
        {"local_branch": "local branch alone", "soft": "soft mixing", "oracle": "routed by the true type"}.items()
    ):
        rows = summarize(runs, ["rho"], column).sort_values("rho")
        series(axes[0, 1], rows["rho"], rows["median"], rows["low"], rows["high"], label=label, index=index + 4)
    for axis, label in zip(axes[0], ("hard routes to the local branch", "accuracy"), strict=True):
        axis.set(xlabel=r"share $\rho$ of instances of the local type", ylabel=label)
        axis.set_xticks(sorted(runs["rho"].unique()))
        axis.legend(fontsize=8)
    axes[0, 0].set_ylim(-0.03, 1.03)
    text = []
    for rho, rows in runs.groupby("rho"):
        if rows["auc"].notna().any():
            middle, low, high = median_interval(rows["auc"].to_numpy())
            text.append(rf"$\rho={rho:g}$: {middle:.3f} ({low:.3f} to {high:.3f})")
    caption = f"""Where instances go. Left: share of the routed units that use the local branch in a test, by the true
        type, which the method never sees. Right: what the same branches give with other routes. AUC of the mean local
        probability against the type, within a client: {"; ".join(text)}.{_of_units(part)} {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Routes by type of instance against rho. AUC {'; '.join(text)}.")


def _of_units(table: pd.DataFrame) -> str:
    """Return the sentence on what a share of the routed units is, where `table` tells their number."""
    count = sum(name.startswith("local_1_") for name in table)
    if count < 2:
        return ""
    what = f"one of the {'two' if count == 2 else count} routed units"
    return f" A share of {1 / count:.2g} means {what}; the AUC may be 1 where one alone tells the types apart."


def spread(clients: pd.DataFrame, *, rho: float, delta: float = 1.0) -> Figure:
    """Draw every client's personalized accuracy against its global accuracy, one panel a method."""
    part = only(clients, rho=rho, delta=delta)
    methods = [name for name in ("FedAvg + FT", "ensemble", "Flow") if name in set(part["method"])]
    fig, axes = new_figure(1, len(methods), width=2.9 * len(methods) + 0.5, height=3.1, sharey=True)
    shown = part[part["method"].isin(methods)][["global", "personal"]]
    low, high = float(np.floor(10 * shown.min().min()) / 10), float(np.ceil(10 * shown.max().max()) / 10)
    ticks = np.arange(round(10 * low), round(10 * high) + 1) / 10
    notes = []
    for axis, name in zip(axes[0], methods, strict=True):
        rows = part[part["method"] == name]
        axis.plot([low, high], [low, high], **GUIDE)
        axis.plot(rows["global"], rows["personal"], ".", color=COLOURS[place(name)], markersize=4, alpha=0.7)
        axis.set(title=name, xlabel="accuracy of the global model", xlim=(low, high), ylim=(low, high))
        axis.set(xticks=ticks, yticks=ticks, aspect="equal")
        notes.append(f"{name} {rows['harmed'].mean():.0%}")
    axes[0, 0].set_ylabel("accuracy after personalization")
    caption = f"""One dot a client and seed at rho = {rho:g}; below the dashed line personalization did harm. Below it:
        {", ".join(notes)}."""
    return describe(fig, caption=caption, alt=f"Personalized against global accuracy by client. {', '.join(notes)}.")


def granularity(table: pd.DataFrame) -> Figure:
    """Draw the accuracy of Flow beside coarser routes, other mixes of the two models, and the hidden types."""
    middle = table.groupby("method")["personal"].median().sort_values()
    fig, axes = new_figure(width=6.4, height=0.28 * len(middle) + 0.9)
    axis = axes[0, 0]
    for row, name in enumerate(middle.index):
        mid, low, high = median_interval(table[table["method"] == name]["personal"].to_numpy())
        colour = COLOURS[place(name) % len(COLOURS)] if name.startswith("Flow") else COLOURS[6]
        axis.errorbar([mid], [row], xerr=[[mid - low], [high - mid]], fmt="o", color=colour, capsize=2, markersize=5)
    axis.set_yticks(range(len(middle)), middle.index)
    axis.set(xlabel="accuracy, mean over clients")
    rho = table["rho"].iloc[0]
    caption = f"""Ways to combine a global and a local model at rho = {rho:g}: {listed(middle[::-1])}. "True types"
        routes the branches of Flow by the types that only the generator knows. Points are medians over seeds, bars
        intervals of the median."""
    return describe(fig, caption=caption, alt=f"Accuracy by way of combining. {listed(middle[::-1])}.")


def unit_shares(table: pd.DataFrame, *, delta: float = 1.0) -> Figure:
    """Draw the share of hard local routes of each unit, by type of instance, one panel a rho."""
    part = only(table, delta=delta, method="Flow")
    units = sorted(int(name.rsplit("_", 1)[1]) for name in part if name.startswith("local_1_"))
    rhos = sorted(part["rho"].unique())
    fig, axes = new_figure(1, len(rhos), width=2.5 * len(rhos) + 1.0, height=2.8, sharey=True)
    notes = []
    for axis, rho in zip(axes[0], rhos, strict=True):
        rows = only(part, rho=rho)
        for index, (kind, label) in enumerate((("1", "local type"), ("0", "global type"))):
            values = [rows[f"local_{kind}_{unit}"].mean() for unit in units]
            place_ = np.arange(len(units)) + 0.38 * (index - 0.5)
            bars = axis.bar(place_, values, width=0.36, color=COLOURS[index], label=label)
            axis.bar_label(bars, fmt="%.2f", fontsize=8)
            notes.append(rf"$\rho={rho:g}$, {label} {', '.join(f'{value:.2f}' for value in values)}")
        axis.set_xticks(range(len(units)), [f"unit {unit}" for unit in units])
        axis.set(title=rf"$\rho = {rho:g}$", ylim=(0, 1.1))
    axes[0, 0].set_ylabel("share of local routes")
    axes[0, -1].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    caption = f"""Hard routes to the local branch by unit (first the hidden layer, then the classifier) and type of
        instance: {"; ".join(notes)}. Means over clients and seeds."""
    return describe(fig, caption=caption, alt=f"Share of local routes by unit and type. {'; '.join(notes)}.")
