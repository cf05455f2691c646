"""Figures of memory: measured bars with their predictions, and what grows with depth."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure
from lib.spry.experiments.memory import KEPT, NOT_RUN, cards
from lib.spry.memory_model import METHODS, STOCK, TRANSIENT

GB = 1e9
CATEGORIES = {
    "parameters": "parameters",
    "optimizer_state": "optimizer state",
    "gradients": "gradients",
    "inputs": "inputs",
    TRANSIENT: "activations and transients",
    "untracked": "untracked",
}


def memory_bars(table: pd.DataFrame) -> Figure:
    """Draw the measured peak by category as stacked bars and the predicted total as a line (`memory_by_depth`)."""
    table = table[table["method"].isin(METHODS)]
    methods, depths = list(dict.fromkeys(table["method"])), list(dict.fromkeys(table["layers"]))
    panels = [depths[0], depths[-1]] if len(depths) > 1 else depths  # the ends tell the story
    unit, name = 2**20, "MiB"
    fig, axes = new_figure(1, len(panels), width=3.4 * len(panels) + 1.4, height=3.4)
    totals = table.groupby(["layers", "method"])[["measured", "predicted"]].sum() / unit
    for axis, key in zip(axes[0], panels, strict=True):
        part = table[table["layers"] == key].pivot_table(index="method", columns="category", values="measured") / unit
        _stack(axis, part.loc[methods])
        for place, method in enumerate(methods):
            expected = totals.loc[(key, method), "predicted"]
            axis.plot([place - 0.4, place + 0.4], [expected] * 2, color="black", linewidth=1.5)
        axis.set_xticks(range(len(methods)), [method.replace(" ", "\n") for method in methods], fontsize=8)
        axis.set_title(f"{key} layers")
    axes[0, 0].set_ylabel(f"peak memory ({name})")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    off = (totals["predicted"] / totals["measured"] - 1).abs().max()
    last = totals.loc[panels[-1], "measured"]
    listed = ", ".join(f"{method} {last[method]:.3g} {name}" for method in methods)
    where = f"with {panels[-1]} layers"
    caption = f"""Peak of one finetuning step {where}: {listed}. Forward mode takes
        {last["backprop"] / last["forward mode"]:.1f} times less than backprop and
        {last["checkpointed backprop"] / last["forward mode"]:.2f} times less than checkpointed backprop, parameters
        included. Black lines are predicted from the shapes alone, at most {off:.1%} away. LoRA of rank 1, no dropout,
        eager attention."""
    return describe(fig, caption=caption, alt=f"Stacked bars of peak memory by method; {where}: {listed}.")


def memory_by_depth(table: pd.DataFrame) -> Figure:
    """Draw the transient memory against depth, measured (points) and predicted (lines)."""
    part = table[table["category"] == TRANSIENT]
    stock, part = part[part["method"] == STOCK].sort_values("layers"), part[part["method"] != STOCK]
    fig, axes = new_figure(width=5.6, height=3.4)
    axis = axes[0, 0]
    for index, method in enumerate(dict.fromkeys(part["method"])):
        rows = part[part["method"] == method].sort_values("layers")
        look = {"color": COLOURS[index], "label": method}
        axis.plot(rows["layers"], rows["measured"] / 2**20, MARKERS[index], markersize=5, **look)
        axis.plot(rows["layers"], rows["predicted"] / 2**20, color=COLOURS[index], linewidth=1)
    axis.plot(stock["layers"], stock["measured"] / 2**20, **GUIDE | {"marker": "x"}, label=STOCK)
    depths = sorted(part["layers"].unique())
    axis.set(xscale="log", yscale="log", xlabel="transformer layers", ylabel="activations and transients (MiB)")
    axis.set_xticks(depths, [f"{n}" for n in depths])
    axis.minorticks_off()
    axis.legend(fontsize=7)
    wide = part.pivot_table(index="layers", columns="method", values="measured")
    low, high = wide.iloc[0], wide.iloc[-1]
    off = (part["predicted"] / part["measured"] - 1).abs().max()
    below = wide.index[wide["checkpointed backprop"] < wide["forward mode"]]
    rival = f"up to {below.max()} layers checkpointed backprop needs even less" if len(below) else "at no depth less"
    ratio = high / high["forward mode"]
    caption = f"""From {depths[0]} to {depths[-1]} layers forward mode's transient memory grows by
        {high["forward mode"] / low["forward mode"] - 1:.1%}, backprop's {high["backprop"] / low["backprop"]:.1f} times.
        At {depths[-1]} layers backprop needs {ratio["backprop"]:.1f} times as much, checkpointed
        backprop {ratio["checkpointed backprop"]:.2f} times ({rival}). Lines: predicted, at most {off:.1%} away."""
    flat = high["forward mode"] / 2**20
    alt = f"Transient memory against depth on log scales; backprop rises, forward mode is flat at {flat:.2f} MiB."
    return describe(fig, caption=caption, alt=alt)


def paper_shapes(predictions: pd.DataFrame, measured: pd.DataFrame | None = None) -> Figure:
    """Draw peaks at the paper's shapes as stacked bars, with black lines for what the memory model predicts.

    Args:
        predictions: `experiments.paper_predictions`, whose bars, batch and length are drawn.
        measured: table of `python -m lib.spry.memory`; None draws the predictions as bars. A case that ran out of
            memory, or failed, is a word where its bar would be.
    """
    shapes, methods = list(dict.fromkeys(predictions["shape"])), list(dict.fromkeys(predictions["method"]))
    cases = None if measured is None else _like(measured, predictions)
    bars = predictions.rename(columns={"predicted": "value"}) if cases is None else cases
    fig, axes = new_figure(1, len(shapes), width=2.6 * len(shapes) + 0.8, height=3.4)
    expected = predictions.groupby(["shape", "method"])["predicted"].sum() / GB
    for axis, shape in zip(axes[0], shapes, strict=True):
        part = bars[bars["shape"] == shape]
        _stack(axis, part.pivot_table(index="method", columns="category", values="value").reindex(methods) / GB)
        for place, method in enumerate(methods):
            axis.plot([place - 0.4, place + 0.4], [expected[shape, method]] * 2, color="black", linewidth=1.5)
            why = set(part[part["method"] == method]["status"]) - {"ok", NOT_RUN} if cases is not None else set()
            if part[part["method"] == method]["value"].isna().any() or method not in set(part["method"]):
                axis.text(place, 0, f" {(list(why) or ['not run'])[0][:20]}", rotation=90, fontsize=7, ha="center")
        axis.set_xticks(range(len(methods)), methods, fontsize=7, rotation=30, ha="right")
        card = "" if cases is None else cards(part, shapes=False)
        axis.set_title(f"{shape}\n{card}".strip(), fontsize=9)
    what = "predicted" if cases is None else "measured"
    axes[0, 0].set_ylabel(f"{what} peak (GB)")
    axes[0, -1].legend(fontsize=6)
    total = bars.groupby(["shape", "method"], sort=False)["value"].sum(min_count=1) / GB
    pairs = {shape: [total.get((shape, method), np.nan) for method in (methods[0], "forward mode")] for shape in shapes}
    notes = [f"{shape} {_gb(back)} and {_gb(forward)}" for shape, (back, forward) in pairs.items()]
    setting = f"batch {predictions['batch'].iloc[0]}, {predictions['length'].iloc[0]} tokens, bfloat16"
    source = "Predictions, not measurements"
    if cases is not None:
        tensors = cases[cases["category"] != "untracked"].groupby(["shape", "method"])["value"].sum(min_count=1) / GB
        off, extra = (tensors / expected - 1).abs().max(), cases[cases["category"] == "untracked"]["value"].median()
        source = f"""Measured on {cards(cases)}, tensors at most {off:.1%} off the prediction (lines),
            beside {extra / 1e6:.0f} MB of the libraries' workspaces"""
    caption = f"""{source}, with weights in about four bits ({setting}). Backprop that keeps its dequantized weights
        and forward mode: {"; ".join(notes)}. The rival decides how large the saving looks."""
    return describe(fig, caption=caption, alt=f"Stacked bars of {what} memory. {'; '.join(notes)}.")


def _gb(value: float) -> str:
    return "not measured" if np.isnan(value) else f"{value:.1f} GB"


def _like(measured: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the cases of a GPU run that `predictions` has, with its names of the methods, and the column value."""
    rows = measured[measured["batch"] == predictions["batch"].iloc[0]]
    rows = rows[rows["length"] == predictions["length"].iloc[0]]
    kept = rows[(rows["weights"] == "4bit kept") & (rows["method"] == "backprop")].assign(method=KEPT)
    return pd.concat([kept, rows[rows["weights"] == "4bit"]]).rename(columns={"measured": "value"})


def _stack(axis: Axes, part: pd.DataFrame) -> None:
    """Draw one bar a row of `part`, stacked over its columns, the categories."""
    bottom = np.zeros(len(part))
    for index, (category, label) in enumerate(CATEGORIES.items()):
        if category in part and part[category].max() > 0:
            heights = part[category].fillna(0).to_numpy()
            axis.bar(range(len(part)), heights, bottom=bottom, color=COLOURS[index], width=0.6, label=label)
            bottom += heights
