"""Figures of the propositions and of what is sent: block descent, shared representation, bytes."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import LogFormatter

from lib.fedper.figures.parts import INTERVALS, curves, known_methods, place, whole_ticks
from lib.report.intervals import fitted_slope, last_round
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure


def split_diagram(counts: list[int], *, personal_units: int = 2, clients: int = 3) -> Figure:
    """Draw which units of a network are shared and which each client keeps.

    `counts` are the numbers of parameters of the units, in order.
    """
    fig, axes = new_figure(width=7.2, height=2.6)
    axis = axes[0, 0]
    axis.set_axis_off()
    shared = len(counts) - personal_units
    for client in range(clients):
        for unit, count in enumerate(counts):
            own = unit >= shared
            if not own and client > 0:
                continue
            low, high = (clients - 1 - client, 1) if own else (0, clients)
            box = FancyBboxPatch((unit, low + 0.06), 0.8, high - 0.12, boxstyle="round,pad=0.02", linewidth=0)
            box.set(facecolor=COLOURS[1 + client] if own else COLOURS[0], alpha=0.75)
            axis.add_patch(box)
            text = f"{count:,}" if own or count else f"{count}"
            axis.text(unit + 0.4, low + high / 2, text, ha="center", va="center", color="white", fontsize=8)
        axis.text(len(counts) + 0.05, clients - 0.5 - client, f"client {client + 1}", va="center", fontsize=8)
    axis.text(shared / 2 - 0.1, clients + 0.15, "base: averaged by the server", ha="center", fontsize=9)
    axis.text(shared + personal_units / 2 - 0.1, clients + 0.15, "personalization layers", ha="center", fontsize=9)
    axis.set(xlim=(-0.1, len(counts) + 1.0), ylim=(-0.05, clients + 0.4))
    kept = sum(counts[shared:])
    caption = f"""One base for all, the last {personal_units} of {len(counts)} units for each client alone: {kept:,} of
        {sum(counts):,} parameters never leave a client. Numbers are parameters of a unit, counted from the network."""
    return describe(fig, caption=caption, alt=f"Boxes of {shared} shared units, and {personal_units} a client.")


def block_descent(table: pd.DataFrame) -> Figure:
    """Draw the objective of block descent, and FedPer's distance from it, against rounds."""
    fig, axes = new_figure(1, 2, width=8.4)
    notes = []
    for index, (lr, rows) in enumerate(table.groupby("lr")):
        look = {"color": COLOURS[index], "label": rf"$\eta = {lr:g}$"}
        axes[0, 0].plot(rows["round"], rows["objective"], **look)
        later = rows[rows["difference"] > 0]
        axes[0, 1].plot(later["round"], later["difference"], **look)
        falls = "falls in every round" if (rows["objective"].diff().dropna() <= 0).all() else "does not always fall"
        bound = rows["bound"].iloc[0]
        where = f"{'below' if lr <= bound else 'above'} the bound {bound:.2g}"
        notes.append(
            rf"$\eta={lr:g}$, {where}: the objective {falls}, largest difference {rows['difference'].max():.1e}"
        )
    axes[0, 1].axhline(1e-9, **GUIDE)
    axes[0, 0].set(xlabel="round", ylabel="weighted objective $F$", yscale="log")
    axes[0, 1].set(xlabel="round", ylabel="largest difference of a weight", yscale="log")
    for axis in axes[0]:
        whole_ticks(axis)
    axes[0, 0].legend(fontsize=8)
    caption = f"""One full-batch local step a round makes FedPer gradient descent by blocks: {"; ".join(notes)}.
        The bound is two over the largest curvature on each rate's own path. Dashed: $10^{{-9}}$."""
    return describe(fig, caption=caption, alt=f"Objective and difference against rounds. {notes[0]}.")


def shared_representation(table: pd.DataFrame) -> Figure:
    """Draw distance to the true subspace and test error against rounds, one row of panels a sample size."""
    sizes = sorted(table["examples"].unique())
    fig, axes = new_figure(len(sizes), 2, width=8.4, height=2.5 * len(sizes))
    for row, n in zip(axes, sizes, strict=True):
        part = table[table["examples"] == n]
        shared = part[part["distance"].notna()]
        curves(row[0], shared, "round", "distance", known_methods(shared))
        curves(row[1], part, "round", "error")
        row[0].set(yscale="log", ylabel="sine of largest angle", title=f"{n} examples a client")
        row[1].set(yscale="log", ylabel="relative test error", title=f"{n} examples a client")
        row[1].axhline(1, **GUIDE)
    for axis in axes[-1]:
        axis.set_xlabel("round")
    axes[0, 1].legend(fontsize=7)
    final = last_round(table)
    notes, found = [], known_methods(final[final["distance"].notna()])
    for n in sizes:
        middle = final[final["examples"] == n].groupby("method")[["distance", "error"]].median()
        angle = ", ".join(f"{name} {middle.loc[name, 'distance']:.1e}" for name in found)
        errors = ", ".join(f"{name} {middle.loc[name, 'error']:.1e}" for name in ("FedPer", "local only"))
        notes.append(f"with {n} examples {angle} (test errors: {errors})")
    caption = f"""Distance of the base to the true directions after {int(final["round"].max())} rounds:
        {"; ".join(notes)}. Dashed: the error of answering zero. {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Subspace distance and test error against rounds; {notes[0]}.")


def stationarity(table: pd.DataFrame) -> Figure:
    """Draw the mean squared gradient against the number of rounds, with the slope that the analysis gives."""
    fig, axes = new_figure(width=5.6)
    axis = axes[0, 0]
    curves(axis, table, "rounds", "squared_gradient")
    middle = table.groupby(["method", "rounds"])["squared_gradient"].median()
    horizons = np.array(sorted(table["rounds"].unique()), dtype=float)
    start = float(middle["FedPer"].iloc[0])
    axis.plot(horizons, start * np.sqrt(horizons[0] / horizons), label=r"$R^{-1/2}$", **GUIDE)
    axis.set(xscale="log", yscale="log", xlabel="rounds $R$", ylabel="mean squared gradient")
    axis.set_xticks(horizons, [f"{value:g}" for value in horizons])
    axis.xaxis.minorticks_off()
    axis.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
    axis.legend(fontsize=8)
    slopes = {name: fitted_slope(horizons, middle[name].to_numpy()) for name in known_methods(table)}
    text = ", ".join(f"{name} {slope:+.2f}" for name, slope in slopes.items())
    gap = middle["FedPer"].iloc[-1] / middle["FedRep"].iloc[-1] - 1
    caption = f"""Half of the clients a round, noisy minibatches, learning rate $\\propto R^{{-1/2}}$: the mean squared
        gradient falls with log-log slope {text}, against $-1/2$ in the analysis (dashed). After
        {horizons[-1]:g} rounds training jointly is {abs(gap):.0%} {"above" if gap > 0 else "below"} training in turn.
        {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Mean squared gradient against rounds, log-log slopes {text}.")


def transfer(table: pd.DataFrame) -> Figure:
    """Draw what a client sends in a round, and the share that it saves, against the number of personal units."""
    fig, axes = new_figure(1, 2, width=8.4, height=2.9)
    notes = []
    for index, (name, rows) in enumerate(table.groupby("network", sort=False)):
        look = {"color": COLOURS[index], "marker": MARKERS[index], "label": name}
        axes[0, 0].plot(rows["personal_units"], rows["mib_up"], **look)
        axes[0, 1].plot(rows["personal_units"], 100 * rows["saved"], **look)
        saved = rows.set_index("personal_units")["saved"]
        notes.append(f"{name} " + ", ".join(f"$K_P={units}$: {share:.1%}" for units, share in saved.items() if units))
    for axis, label in zip(axes[0], ("MiB sent by a client in a round", "saved against FedAvg (%)"), strict=True):
        axis.set(xlabel="personal units $K_P$", ylabel=label, ylim=(0, None))
        axis.set_xticks(sorted(table["personal_units"].unique()))
    axes[0, 0].legend(fontsize=8)
    caption = f"""Exact counts for the paper's two networks with ten classes. The classifier alone saves nothing, the
        last blocks hold much of the network. Saved of the upload: {"; ".join(notes)}."""
    return describe(fig, caption=caption, alt=f"Bytes sent against personal units. {'; '.join(notes)}.")


def pareto(table: pd.DataFrame) -> Figure:
    """Draw final accuracy against KiB sent by a client in a round, one panel a number of classes a client."""
    final = last_round(table)
    final = final[~final["method"].str.endswith("FT")]
    ks = sorted(final["classes_per_client"].unique())
    fig, axes = new_figure(1, len(ks), width=2.3 * len(ks) + 0.8, height=2.9)
    notes = []
    for axis, k in zip(axes[0], ks, strict=True):
        part = final[final["classes_per_client"] == k]
        middle = part.groupby("method", sort=False)[["kib_up", "accuracy"]].median()
        for row in middle.itertuples():
            index = place(row.Index)
            look = {"color": COLOURS[index % len(COLOURS)], "label": row.Index}
            axis.plot(row.kib_up, row.accuracy, MARKERS[index % len(MARKERS)], **look)
        best = _front(middle)
        axis.step(middle.loc[best, "kib_up"], middle.loc[best, "accuracy"], where="post", **GUIDE)
        axis.set(title=f"$k = {k}$", xlabel="KiB of messages a round")
        notes.append(f"$k={k}$: {', '.join(best)}")
    axes[0, 0].set_ylabel("final accuracy")
    axes[0, -1].legend(fontsize=7)
    caption = f"""Accuracy against bytes: on the dashed front are those that no other method beats with fewer bytes, by
        classes a client {"; ".join(notes)}. Points are medians over seeds."""
    return describe(fig, caption=caption, alt=f"Accuracy against KiB sent; the front holds {'; '.join(notes)}.")


def _front(middle: pd.DataFrame) -> list[str]:
    """Return the methods in ascending order of bytes of which none is beaten by one that sends less."""
    ordered = middle.sort_values(["kib_up", "accuracy"], ascending=[True, False])
    record = ordered["accuracy"].cummax()
    new = np.r_[True, record.to_numpy()[1:] > record.to_numpy()[:-1]]
    return list(ordered.index[new])
