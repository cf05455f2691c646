"""Figures of memory: measured bars with their predictions, and what grows with depth."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.report.style import COLOURS, MARKERS, describe, new_figure

TRANSIENT = "activations_and_transients"
CATEGORIES = {
    "parameters": "parameters",
    "optimizer_state": "optimizer state",
    "gradients": "gradients",
    "inputs": "inputs",
    TRANSIENT: "activations and transients",
    "untracked": "untracked",
}


def memory_bars(table: pd.DataFrame) -> Figure:
    """Draw the measured peak by category as stacked bars and the predicted total as a line, one panel a depth or shape.

    `table` has the columns of `experiments.memory_by_depth`, or those of `python -m lib.spry.memory` (with `shape`).
    """
    panel = "shape" if "shape" in table and len(set(table["shape"])) > 1 else "layers"
    panels = list(dict.fromkeys(table[panel]))
    methods = list(dict.fromkeys(table["method"]))
    if panel == "layers":  # the ends tell the story
        panels = [panels[0], panels[-1]] if len(panels) > 1 else panels
    unit, name = (2**30, "GiB") if table["measured"].max() > 2**30 else (2**20, "MiB")
    fig, axes = new_figure(1, len(panels), width=3.4 * len(panels) + 1.4, height=3.4)
    totals = table.groupby([panel, "method"])[["measured", "predicted"]].sum() / unit
    for axis, key in zip(axes[0], panels, strict=True):
        part = table[table[panel] == key].pivot_table(index="method", columns="category", values="measured") / unit
        bottom = np.zeros(len(methods))
        for index, (category, label) in enumerate(CATEGORIES.items()):
            if category in part and part[category].max() > 0:
                heights = part.loc[methods, category].to_numpy()
                axis.bar(range(len(methods)), heights, bottom=bottom, color=COLOURS[index], width=0.6, label=label)
                bottom += heights
        for place, method in enumerate(methods):
            expected = totals.loc[(key, method), "predicted"]
            axis.plot([place - 0.4, place + 0.4], [expected] * 2, color="black", linewidth=1.5)
        axis.set_xticks(range(len(methods)), [method.replace(" ", "\n") for method in methods], fontsize=8)
        axis.set_title(f"{key} layers" if panel == "layers" else str(key))
    axes[0, 0].set_ylabel(f"peak memory ({name})")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    off = (totals["predicted"] / totals["measured"] - 1).abs().max()
    last = totals.loc[panels[-1], "measured"]
    listed = ", ".join(f"{method} {last[method]:.3g} {name}" for method in methods)
    where = f"with {panels[-1]} layers" if panel == "layers" else f"at the shape of {panels[-1]}"
    caption = f"""Peak of one finetuning step {where}: {listed}. Forward mode takes
        {last["backprop"] / last["forward mode"]:.1f} times less than backprop and
        {last["checkpointed backprop"] / last["forward mode"]:.2f} times less than checkpointed backprop, parameters
        included. Black lines are predicted from the shapes alone, at most {off:.1%} away. LoRA of rank 1, no dropout,
        eager attention."""
    return describe(fig, caption=caption, alt=f"Stacked bars of peak memory by method; {where}: {listed}.")


def memory_by_depth(table: pd.DataFrame) -> Figure:
    """Draw the transient memory against depth, measured (points) and predicted (lines)."""
    part = table[table["category"] == TRANSIENT]
    fig, axes = new_figure(width=5.6, height=3.4)
    axis = axes[0, 0]
    for index, method in enumerate(dict.fromkeys(part["method"])):
        rows = part[part["method"] == method].sort_values("layers")
        look = {"color": COLOURS[index], "label": method}
        axis.plot(rows["layers"], rows["measured"] / 2**20, MARKERS[index], markersize=5, **look)
        axis.plot(rows["layers"], rows["predicted"] / 2**20, color=COLOURS[index], linewidth=1)
    depths = sorted(part["layers"].unique())
    axis.set(xscale="log", yscale="log", xlabel="transformer layers", ylabel="activations and transients (MiB)")
    axis.set_xticks(depths, [f"{n}" for n in depths])
    axis.minorticks_off()
    axis.legend(fontsize=8)
    wide = part.pivot_table(index="layers", columns="method", values="measured")
    low, high = wide.iloc[0], wide.iloc[-1]
    off = (part["predicted"] / part["measured"] - 1).abs().max()
    below = wide.index[wide["checkpointed backprop"] < wide["forward mode"]]
    rival = f"up to {below.max()} layers checkpointed backprop needs even less" if len(below) else "at no depth less"
    ratio = high / high["forward mode"]
    caption = f"""Transient memory from {depths[0]} to {depths[-1]} layers: forward mode grows by
        {high["forward mode"] / low["forward mode"] - 1:.1%}, backprop {high["backprop"] / low["backprop"]:.1f} times.
        At {depths[-1]} layers backprop needs {ratio["backprop"]:.1f} times what forward mode does, checkpointed
        backprop {ratio["checkpointed backprop"]:.2f} times ({rival}), and the zero-order method
        {ratio["zero-order"]:.2f} times. Lines are predicted from the shapes, at most {off:.1%} away."""
    flat = high["forward mode"] / 2**20
    alt = f"Transient memory against depth on log scales; backprop rises, forward mode is flat at {flat:.2f} MiB."
    return describe(fig, caption=caption, alt=alt)


def predicted_at_paper_shapes(table: pd.DataFrame) -> Figure:
    """Draw the predicted peaks at the paper's shapes as stacked bars (`experiments.paper_predictions`)."""
    shapes, methods = list(dict.fromkeys(table["shape"])), list(dict.fromkeys(table["method"]))
    fig, axes = new_figure(1, len(shapes), width=2.6 * len(shapes) + 0.8, height=3.4)
    notes = []
    for axis, shape in zip(axes[0], shapes, strict=True):
        part = table[table["shape"] == shape].pivot_table(index="method", columns="category", values="predicted")
        part, bottom = part.loc[methods] / 2**30, np.zeros(len(methods))
        for index, (category, label) in enumerate(CATEGORIES.items()):
            if category in part:
                axis.bar(
                    range(len(methods)), part[category], bottom=bottom, color=COLOURS[index], width=0.6, label=label
                )
                bottom += part[category].to_numpy()
        axis.set_xticks(range(len(methods)), methods, fontsize=7, rotation=30, ha="right")
        axis.set_title(shape, fontsize=9)
        total = part.sum(axis=1)
        forward = total["forward mode"]
        notes.append(f"{shape} {', '.join(f'{total[m] / forward:.1f}' for m in methods if m != 'forward mode')}")
    axes[0, 0].set_ylabel("predicted peak (GiB)")
    axes[0, -1].legend(fontsize=6)
    caption = f"""Predictions, not measurements, at the shapes of the paper's memory figure. Peak over forward mode's
        with {"; ".join(m for m in methods if m != "forward mode")}: {"; ".join(notes)}. How large the saving looks
        depends on the rival more than on forward mode."""
    return describe(fig, caption=caption, alt=f"Stacked bars of predicted memory. {'; '.join(notes)}.")
