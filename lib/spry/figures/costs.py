"""Figures of cost: numbers sent, operations of a step, and dropout noise in finite differences."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from lib.report.intervals import summarize
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure, series

MODES = {
    "eval": "no dropout",
    "shared_mask": "one mask for both sides",
    "as_released": "two masks, as in the released code",
}


def communication(table: pd.DataFrame) -> Figure:
    """Draw what a client sends in a round, by method (`experiments.communication_table`)."""
    methods, counts = list(dict.fromkeys(table["method"])), sorted(table["clients"].unique())
    fig, axes = new_figure(1, len(counts), width=3.4 * len(counts) + 1.6, height=0.26 * len(methods) + 1.3, sharey=True)
    for axis, m in zip(axes[0], counts, strict=True):
        sent = table[table["clients"] == m].set_index("method").loc[methods, "up"]
        axis.barh(range(len(methods)), 4 * sent, color=[COLOURS["iteration" in name] for name in methods], height=0.6)
        axis.set(xscale="log", xlabel="bytes that a client sends in a round", title=f"{m} clients", xlim=(1, None))
        axis.set_yticks(range(len(methods)), methods)
    axes[0, 0].invert_yaxis()
    notes = []
    for m in counts:
        part = table[table["clients"] == m].set_index("method")
        notes.append(f"{part.loc['FedAvg', 'up'] / part.loc['Spry', 'up']:.0f} with {m} clients")
    scalars = 4 * table[table["method"] == "Spry per iteration"]["up"].iloc[0]
    whole = 4 * table[table["method"] == "FedAvg"]["up"].iloc[0]
    caption = f"""Splitting divides the upload of {whole / 1024:.0f} KiB by {" and by ".join(notes)}; sending the
        derivative instead of the weights takes {scalars:.0f} bytes an iteration. Formulas, which counted
        messages confirm. All receive all trained weights, since the forward pass needs them."""
    return describe(fig, caption=caption, alt=f"Bars of bytes sent by method; divided by {' and '.join(notes)}.")


def step_operations(table: pd.DataFrame) -> Figure:
    """Draw counted operations against the lowest trained layer, with the formula (`experiments.step_operations`)."""
    fig, axes = new_figure(width=5.6)
    axis = axes[0, 0]
    for index, name in enumerate(dict.fromkeys(table["method"])):
        rows = table[table["method"] == name].sort_values("first")
        axis.plot(rows["first"], rows["forwards"], MARKERS[index], color=COLOURS[index], label=name, markersize=6)
        axis.plot(rows["first"], rows["formula"], color=COLOURS[index], linewidth=1)
    stock = table.dropna(subset="stock").sort_values("first")
    axis.plot(stock["first"], stock["stock"], **GUIDE | {"marker": "x"}, label="forward mode, PyTorch's own layers")
    axis.set(xlabel="lowest layer with a trained weight", ylabel="operations (forward passes)", ylim=(0, None))
    axis.legend(fontsize=7)
    off = (table["formula"] / table["forwards"] - 1).abs().max()
    low = stock.iloc[0]
    last = stock.iloc[-1]
    caption = f"""With a frozen backbone a backward pass costs one forward pass, so forward mode has no advantage in
        operations: {low["forwards"]:.2f} forward passes a directional derivative when all layers are trained, and
        {last["forwards"]:.2f} when only those from layer {int(last["first"])} on are, since tangents start there.
        PyTorch's own layers multiply by all-zero tangents and take {low["stock"]:.2f}. Lines are the formula, at most
        {off:.0%} away; it neglects attention's products."""
    return describe(
        fig, caption=caption, alt="Operations against the lowest trained layer by method, on their formulas."
    )


def tangents(table: pd.DataFrame) -> Figure:
    """Draw time and memory of K directional derivatives at once and one by one (`experiments.tangents`)."""
    fig, axes = new_figure(1, 2, width=8.4)
    columns = {"forwards": "time (forward passes)", "peak_mib": "memory beyond weights (MiB)"}
    rival = table[table["way"] == "backprop"].iloc[0]
    for axis, (column, label) in zip(axes[0], columns.items(), strict=True):
        for index, way in enumerate(("one by one", "at once")):
            rows = table[table["way"] == way].sort_values("perturbations")
            look = {"color": COLOURS[index], "marker": MARKERS[index], "markersize": 5}
            axis.plot(rows["perturbations"], rows[column], label=way, **look)
        axis.axhline(rival[column], **GUIDE, label="backprop, one gradient")
        axis.set(xscale="log", yscale="log", xlabel="perturbations $K$", ylabel=label)
        counts = sorted(table["perturbations"].unique())
        axis.set_xticks(counts, [f"{k}" for k in counts])
        axis.minorticks_off()
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
    axes[0, 0].legend(fontsize=8)
    ways = table[table["way"] != "backprop"].set_index(["perturbations", "way"])
    most, least = table["perturbations"].max(), table["perturbations"].min()
    time, memory = (ways.loc[(most, "at once"), c] / ways.loc[(most, "one by one"), c] for c in columns)
    single, first = (ways.loc[(least, way), "forwards"] for way in ("one by one", "at once"))
    caption = f"""{most} directional derivatives at once take {time:.2f} times as long as one by one, and {memory:.1f}
        times the memory. With K = {least}, carrying it *at once* takes {first / single:.2f} times as long as one pass
        with a tangent, so a single direction goes one by one. That takes {single:.1f} forward passes,
        {single / rival["forwards"]:.2f} times a gradient by backpropagation,
        which keeps {rival["peak_mib"]:.1f} MiB."""
    return describe(
        fig, caption=caption, alt=f"Time and memory against K; at K = {most} ratios {time:.2f} and {memory:.1f}."
    )


def dropout_noise(table: pd.DataFrame) -> Figure:
    """Draw correlation with the exact derivative, and the error, against the step (`experiments.dropout_noise`)."""
    fig, axes = new_figure(1, 2, width=8.4)
    left, right = axes[0]
    for index, mode in enumerate(dict.fromkeys(table["mode"])):
        rows = table[table["mode"] == mode]
        for axis, value in ((left, "correlation"), (right, "error")):
            found = summarize(rows, ["step"], value).sort_values("step")
            series(axis, found["step"], found["median"], found["low"], found["high"], label=MODES[mode], index=index)
    noisy = table[table["mode"] == "as_released"]
    expected = noisy.groupby("step")["error_theory"].median()
    right.plot(expected.index, expected, color="black", linewidth=1, label="masks' deviation over the step")
    signal = table["signal"].median()
    right.axhline(signal, **GUIDE, label="signal")
    left.axhline(0, **GUIDE)
    left.set(xscale="log", xlabel=r"step $\sigma$", ylabel="correlation with the exact derivative")
    right.set(xscale="log", yscale="log", xlabel=r"step $\sigma$", ylabel="standard deviation of the error")
    left.legend(fontsize=7)
    right.legend(fontsize=7)
    middle = table.pivot_table(index="step", columns="mode", values=["correlation", "error"], aggfunc="median")
    small = middle.index.min()
    quiet = [mode for mode in ("eval", "shared_mask") if mode in middle["correlation"]]
    good = min(middle["correlation"][mode].max() for mode in quiet)
    listed = ", ".join(f"{step:g}: {value:.2f}" for step, value in middle["correlation"]["as_released"].items())
    caption = f"""A finite difference whose two sides have different dropout masks measures the masks: at
        $\\sigma={small:g}$ its error is {middle["error"]["as_released"][small] / signal:.0f} times the derivatives' own
        deviation. Correlation with the exact derivative by step: {listed}; with one mask, or without dropout, it
        reaches {good:.3f}. Black: the deviation of the loss over masks, times $\\sqrt2/(2\\sigma)$
        ({np.median(noisy["error"] / noisy["error_theory"]):.2f} of it measured). Bands: intervals of the median (90 %,
        or the range below five seeds)."""
    return describe(fig, caption=caption, alt=f"Correlation and error against the step. With two masks: {listed}.")
