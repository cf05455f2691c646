"""Figures of what students cost on a small device."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure

NAMES = {
    "kept": "layers kept / free layers",
    "parameters": "parameters",
    "flops": "FLOPs of one image",
    "activation_bytes": "peak activation bytes",
}


def edge_costs(profile: pd.DataFrame, *, reference: str = "teacher") -> Figure:
    """Draw latency, file size and accuracy of every exported model in both precisions (`lib.compression.edge`)."""
    names, kinds = list(dict.fromkeys(profile["model"])), list(dict.fromkeys(profile["precision"]))
    table = profile.set_index(["model", "precision"])
    measured = [("time_ratio", f"latency / {reference}'s"), ("file_bytes", "exported file, KiB")]
    measured += [("accuracy", "accuracy of the file")] if table["accuracy"].notna().any() else []
    fig, axes = new_figure(1, len(measured), width=3.2 * len(measured) + 1, height=0.36 * len(names) + 1.4, sharey=True)
    places = np.arange(len(names))
    for axis, (value, title) in zip(axes[0], measured, strict=True):
        for index, kind in enumerate(kinds):
            rows = table.xs(kind, level="precision").reindex(names)
            height = places + (index - (len(kinds) - 1) / 2) * 0.25
            shown = rows[value] / (1024 if value == "file_bytes" else 1)
            axis.plot(shown, height, MARKERS[index], color=COLOURS[index], markersize=5, label=kind)
            if value == "time_ratio":
                axis.hlines(height, rows["time_low"], rows["time_high"], color=COLOURS[index], linewidth=1.5)
        axis.set(xlabel=title)
    axes[0, 0].axvline(1, **GUIDE)
    axes[0, 0].set_yticks(places, names)
    axes[0, 0].invert_yaxis()
    axes[0, 0].legend(fontsize=8)
    plain = table.xs("float32", level="precision")
    fastest, slower = plain["time_ratio"].idxmin(), table.xs("int8", level="precision")["time_ratio"]
    factor, size = (slower / plain["time_ratio"]).median(), _median_ratio(table, "file_bytes")
    told = ", ".join(f"{name} {value:.3f}" for name, value in plain["accuracy"].items() if np.isfinite(value))
    accurate = f" Accuracy of the float32 files: {told}." if told else ""
    caption = f"""One image, one thread, ONNX Runtime. The fastest file, {fastest}, takes
        {plain["time_ratio"].min():.2f} of the {reference}'s time with {plain.loc[fastest, "parameters"]:,.0f} of
        {plain.loc[reference, "parameters"]:,.0f} parameters.{accurate}
        Dynamic int8 quantization makes the file {size:.2f} times as large and the inference {factor:.2f} times as
        long (medians over the models). Points are medians over blocks of calls in turns, bars their intervals."""
    return describe(fig, caption=caption, alt=f"Latency, size and accuracy of {len(names)} exported models.")


def latency_costs(costs: pd.DataFrame, ranking: pd.DataFrame) -> Figure:
    """Draw latency against each cheap number for every runtime, with its rank correlation (new figure E).

    `costs` is of `student_costs`, tables of several settings one below the other; `ranking` of `latency_predictors`.
    """
    settings = list(dict.fromkeys(zip(costs["runtime"], costs["batch"], strict=True)))
    fig, axes = new_figure(len(settings), len(NAMES), width=10.4, height=2.3 * len(settings) + 0.3, sharey=True)
    notes = []
    for row, (runtime, batch) in enumerate(settings):
        part = costs[(costs["runtime"] == runtime) & (costs["batch"] == batch)]
        rank = ranking[(ranking["runtime"] == runtime) & (ranking["batch"] == batch)].set_index("predictor")
        for axis, (name, title) in zip(axes[row], NAMES.items(), strict=True):
            axis.plot(part[name], part["time_ratio"], MARKERS[row], color=COLOURS[row], markersize=3.5, alpha=0.7)
            found = rank.loc[name]
            text = f"{found['rank_correlation']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"
            axis.set_title(text, fontsize=8)
            axis.set_xlabel(title if row == len(settings) - 1 else "")
        axes[row, 0].set_ylabel(f"latency / teacher's\n{runtime}, batch {batch}", fontsize=8)
        best = rank["rank_correlation"].idxmax()
        notes.append(f"{runtime}, batch {batch}: {NAMES[best]} ({rank['rank_correlation'].max():.2f})")
    caption = f"""Latency of random students against four numbers that need no measurement; above each panel Spearman's
        rank correlation and its 90 % interval over students. The best predictor depends on where the network runs:
        {"; ".join(notes)}."""
    return describe(fig, caption=caption, alt=f"Scatter plots of latency; best predictors {'; '.join(notes)}.")


def cold_passes(table: pd.DataFrame) -> Figure:
    """Draw first and warm passes of teacher and minimal student, process by process (table of `cold_start`)."""
    names = list(dict.fromkeys(table["network"]))
    fig, axes = new_figure(width=6.0, height=0.5 * len(names) + 1.2)
    kinds = (("first_s", "first pass"), ("warm_s", "warm passes, median"))
    for index, (value, label) in enumerate(kinds):
        height = table["network"].map(names.index) + 0.24 * (index - 0.5)
        axes[0, 0].plot(1e3 * table[value], height, MARKERS[index], color=COLOURS[index], label=label, alpha=0.8)
    axes[0, 0].set_yticks(range(len(names)), names)
    axes[0, 0].set(xlabel="milliseconds of the processor", ylim=(len(names) - 0.5, -0.5), xlim=(0, None))
    axes[0, 0].legend(fontsize=8)
    wide = table.pivot_table(index="process", columns="network", values=["first_s", "warm_s"])
    first, warm = wide["first_s"], wide["warm_s"]
    ratio = (first["teacher"] / warm["teacher"]).median()
    mixed, fair = ((times["teacher"] / warm["minimal student"]).median() for times in (first, warm))
    caption = f"""The teacher's first pass, the first of its process, takes {ratio:.1f} times its warm one. The minimal
        student is {mixed:.1f} times as fast as the teacher where only the student is warm, and {fair:.1f} times where
        both are. Each point is one of {len(wide)} fresh processes; one thread, torch."""
    return describe(fig, caption=caption, alt=f"First and warm passes. The teacher's first: {ratio:.1f} times as long.")


def _median_ratio(table: pd.DataFrame, value: str) -> float:
    """Return the median over models of int8's `value` over float32's."""
    int8, plain = (table.xs(kind, level="precision")[value] for kind in ("int8", "float32"))
    return float((int8 / plain).median())
