"""Figures that compare many methods or variants: accuracy with intervals, and harmed clients."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.flow.experiments.ablation import variants
from lib.flow.figures.parts import dodged, known_methods, listed, only, place, seeds_text
from lib.flow.outcomes import by_run
from lib.report.intervals import median_interval, summarize
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure, series


def methods(table: pd.DataFrame, *, by: str, data: str) -> Figure:
    """Draw the accuracy of every method and the clients it harms, one row a method and one pair of panels a `by`.

    `table` has one row a run, or one a client of each run, in which case means over clients are taken first.
    """
    if "client" in table:
        table = by_run(table, [by, "method", "seed"])
    cells, names = list(dict.fromkeys(table[by])), known_methods(table)
    fig, axes = new_figure(2, len(cells), width=2.5 * len(cells) + 1.9, height=0.5 * len(names) + 1.5, sharey=True)
    notes = []
    for column, cell in enumerate(cells):
        rows = only(table, **{by: cell})
        _forest(axes[0, column], rows, "personal", names)
        _forest(axes[1, column], rows, "harmed", names)
        level = rows[rows["method"] == "FedAvg"]["personal"].median()
        axes[0, column].axvline(level, **GUIDE)
        title = str(cell).replace("alpha=", "Dirichlet ") if isinstance(cell, str) else rf"$\rho = {cell:g}$"
        axes[0, column].set(title=title, xlabel="accuracy")
        axes[1, column].set(xlabel="share of clients harmed", xlim=(-0.04, 1.04))
        rivals = rows[rows["method"] != "FedAvg"]
        middle = rivals.groupby("method")["personal"].median().sort_values(ascending=False)
        notes.append(f"{title}: {listed(middle.iloc[:3])}, FedAvg {level:.3f}")
    caption = f"""{data}: accuracy (top, mean over clients; dashed: FedAvg) and clients that are worse off than with the
        global model (bottom). The three most accurate besides FedAvg: {"; ".join(notes)}. Points are medians over
        {seeds_text(table)}, bars intervals of the median (90 %, or the range below five seeds). A method
        without a global model is compared with FedAvg's."""
    return describe(fig, caption=caption, alt=f"Accuracy and harmed clients by method. {'; '.join(notes)}.")


def _forest(axis: Axes, rows: pd.DataFrame, value: str, names: list[str]) -> None:
    for row, name in enumerate(names):
        mid, low, high = median_interval(rows[rows["method"] == name][value].to_numpy())
        colour, marker = COLOURS[place(name) % len(COLOURS)], MARKERS[place(name) % len(MARKERS)]
        axis.errorbar([mid], [row], xerr=[[mid - low], [high - mid]], fmt=marker, color=colour, capsize=2, markersize=5)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)


def ablation(table: pd.DataFrame) -> Figure:
    """Draw accuracy, harmed clients and AUC of the variants of Flow, in their groups."""
    base = table[table["variant"] == "as here"]
    order = [(group, name) for group, name in dict.fromkeys(zip(table["group"], table["variant"], strict=True))]
    fig, axes = new_figure(1, 3, width=8.8, height=0.24 * len(order) + 1.0, sharey=True)
    panels = (("personal", "accuracy"), ("harmed", "share of clients harmed"), ("auc", "AUC of the routes"))
    for axis, (value, label) in zip(axes[0], panels, strict=True):
        axis.axvline(base[value].median(), **GUIDE)
        for row, (group, name) in enumerate(order):
            part = only(table, group=group, variant=name)
            mid, low, high = median_interval(part[value].to_numpy())
            index = list(dict.fromkeys(g for g, _ in order)).index(group)
            look = {"color": COLOURS[index % len(COLOURS)], "fmt": MARKERS[index % len(MARKERS)], "markersize": 5}
            axis.errorbar([mid], [row], xerr=[[mid - low], [high - mid]], capsize=2, **look)
        axis.set(xlabel=label)
    axes[0, 0].set_yticks(
        range(len(order)), [f"{group}: {name}".replace("_", " ") for group, name in order], fontsize=8
    )
    axes[0, 0].set_ylim(len(order) - 0.5, -0.5)
    middle = table.groupby(["group", "variant"])["personal"].median() - base["personal"].median()
    worst = middle.sort_values().iloc[:4]
    text = ", ".join(f"{name.replace('_', ' ')} {value:+.3f}" for (_, name), value in worst.items())
    caption = f"""Variants of Flow on instance preferences; dashed: the method as used here, accuracy
        {base["personal"].median():.3f}. Largest losses: {text}. Points are medians over
        {table["seed"].nunique()} seeds, bars intervals of the median.{_lacking(order)}"""
    return describe(fig, caption=caption, alt=f"Accuracy, harm and AUC by variant. Largest losses: {text}.")


def _lacking(there: list[tuple[str, str]]) -> str:
    """Return the sentence that names the variants of `experiments.ablation` that are not among those `there`."""
    lacking = [f"{g}: {n}".replace("_", " ") for g, some in variants().items() for n in some if (g, n) not in there]
    return f" Not in this table: {'; '.join(lacking)}." if lacking else ""


def deltas(runs: pd.DataFrame, routes: pd.DataFrame) -> Figure:
    """Draw gains over FedAvg, and the difference of route shares between the types, against delta."""
    base = runs[runs["method"] == "FedAvg"].set_index(["delta", "seed"])["personal"]
    gain = runs["personal"] - base.reindex(pd.MultiIndex.from_frame(runs[["delta", "seed"]])).to_numpy()
    runs, routes = runs.assign(gain=gain), routes.assign(gap=routes["local_1"] - routes["local_0"])
    fig, axes = new_figure(1, 2, width=8.8)
    dodged(axes[0, 0], runs, "delta", "gain", ["FedAvg + FT", "Flow"])
    axes[0, 0].axhline(0, **GUIDE)
    rows = summarize(routes, ["delta"], "gap").sort_values("delta")
    series(axes[0, 1], rows["delta"], rows["median"], rows["low"], rows["high"], label="Flow", index=place("Flow"))
    for axis, label in zip(axes[0], ("accuracy minus FedAvg", "local routes: local less global type"), strict=True):
        axis.set(xlabel=r"distance $\delta$ of the clients' own rules", ylabel=label, xticks=rows["delta"])
    axes[0, 0].legend(fontsize=8)
    text = ", ".join(f"{row.delta:g}: {row.median:.2f}" for row in rows.itertuples())
    final = "; ".join(
        rf"$\delta={d:g}$: {listed(part.groupby('method')['gain'].median()[['FedAvg + FT', 'Flow']])}"
        for d, part in runs.groupby("delta")
    )
    caption = f"""The further the clients' own rules are from the common one, the more there is to route. Gains over
        FedAvg at rho = {runs["rho"].iloc[0]:g}: {final}. Difference of route shares by delta: {text}. Points are
        medians over seeds, bands intervals of the median."""
    return describe(fig, caption=caption, alt=f"Gain and route gap against delta. {final}.")


def newcomers(table: pd.DataFrame) -> Figure:
    """Draw the accuracy of clients that trained the model and of clients that join later, by method."""
    runs = by_run(table, ["group", "method", "seed"])
    names = known_methods(runs)
    fig, axes = new_figure(width=5.8, height=0.32 * len(names) + 1.1)
    axis, notes = axes[0, 0], []
    for index, group in enumerate(("seen", "new")):
        for row, name in enumerate(names):
            mid, low, high = median_interval(only(runs, group=group, method=name)["personal"].to_numpy())
            look = {"color": COLOURS[index], "fmt": MARKERS[index], "markersize": 5, "capsize": 2}
            where = [row + 0.24 * (index - 0.5)]
            axis.errorbar([mid], where, xerr=[[mid - low], [high - mid]], label=group if row == 0 else None, **look)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set(xlabel="accuracy, mean over clients")
    axis.legend(fontsize=8, title="clients", loc="upper left", bbox_to_anchor=(1, 1))
    wide = runs.pivot_table(index="method", columns="group", values="personal", aggfunc="median")
    notes = ", ".join(f"{name} {wide.loc[name, 'new'] - wide.loc[name, 'seen']:+.3f}" for name in names)
    caption = f"""Clients that took part in training and clients that join afterwards, each with its own training data.
        New less seen, medians: {notes}. The groups are different clients, so part of the difference is theirs. Points
        are medians over seeds, bars intervals of the median."""
    return describe(fig, caption=caption, alt=f"Accuracy of seen and of new clients by method. New less seen: {notes}.")
