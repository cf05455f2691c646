"""Figures of label skew: accuracy over rounds, by number of personal units, and where FedPer begins to lose."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.fedper.experiments.rates import judging
from lib.fedper.figures.parts import (
    INTERVALS,
    curves,
    gains,
    known_methods,
    legend_above,
    length,
    listed,
    medians,
    place,
    whole_ticks,
)
from lib.fedper.rules import at_ends
from lib.report.intervals import last_round, summarize
from lib.report.style import COLOURS, GUIDE, describe, new_figure, series

ACCURACY = "accuracy (mean over clients)"


def accuracy_by_round(
    table: pd.DataFrame, *, methods: tuple[str, ...] = ("FedAvg", "FedPer 1", "FedPer 2"), data: str = "the digits"
) -> Figure:
    """Draw accuracy against rounds, one panel a number of classes a client (after figure 2 of the paper).

    Rows on which a setting was chosen are left out.
    """
    own = " Every method has its own learning rate, chosen on other partitions." if "use" in table else ""
    table = judging(table)
    table = table[table["method"].isin(methods)]
    ks = sorted(table["classes_per_client"].unique())
    fig, axes = new_figure(1, len(ks), width=2.3 * len(ks) + 0.8, height=3.0, sharey=True)
    for axis, k in zip(axes[0], ks, strict=True):
        part = table[table["classes_per_client"] == k]
        curves(axis, part, "round", "accuracy", [name for name in methods if name in set(part["method"])])
        axis.set(title=f"$k = {k}$", xlabel="round", ylim=(0, min(1.02, 1.15 * table["accuracy"].max())))
    axes[0, 0].set_ylabel(ACCURACY)
    legend_above(fig, axes[0, 0], columns=2 * len(ks))
    final = medians(last_round(table), "classes_per_client")
    first, last = ks[0], ks[-1]
    ours = [name for name in known_methods(table) if name.startswith("FedPer") and not name.endswith("FT")]
    best = final[ours[-1]]  # one method at every k: choosing the better on these images would flatter it
    gain = gains(table, "classes_per_client", ours[-1]).groupby("classes_per_client")["gain"].median()
    text = "; ".join(f"{name} {listed(final[name])}" for name in final)
    order = "falls" if best[first] > best[last] else "does not fall"
    caption = f"""On {data} ({length(table)}) the final accuracy of {ours[-1]} {order} from {first} to {last} classes a
        client while FedAvg's {"rises" if final["FedAvg"][last] > final["FedAvg"][first] else "does not rise"}: the
        median paired gain is {gain[first]:+.3f} with $k={first}$ and {gain[last]:+.3f} with $k={last}$. Final accuracy
        by $k$: {text}.{own} {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"{len(ks)} panels of accuracy against rounds. Final by k: {text}.")


def accuracy_by_units(table: pd.DataFrame, *, data: str = "the digits") -> Figure:
    """Draw final accuracy and its spread over clients against the number of personal units (after figure 4)."""
    final = last_round(table)
    final = final[~final["method"].str.endswith("FT")]
    ks = sorted(final["classes_per_client"].unique())
    fig, axes = new_figure(1, 2, width=8.4)
    for index, k in enumerate(ks):
        for axis, value in zip(axes[0], ("accuracy", "spread"), strict=True):
            rows = summarize(final[final["classes_per_client"] == k], ["personal_units"], value)
            rows = rows.sort_values("personal_units")
            label = f"$k = {k}$"
            series(axis, rows["personal_units"], rows["median"], rows["low"], rows["high"], label=label, index=index)
    counts = sorted(final["personal_units"].unique())
    names = {0: "0\nFedAvg", max(counts): f"{max(counts)}\nlocal only"}
    for axis, label in zip(axes[0], (ACCURACY, "standard deviation over clients"), strict=True):
        axis.set_xticks(counts, [names.get(count, f"{count}") for count in counts])
        axis.set(xlabel="personal units $K_P$", ylabel=label)
    axes[0, 0].legend(fontsize=8)
    middle = final.pivot_table(
        index="classes_per_client", columns="personal_units", values="accuracy", aggfunc="median"
    )
    inner = middle[[count for count in counts if 0 < count < max(counts)]]
    best = ", ".join(f"{k}: $K_P={inner.loc[k].idxmax()}$ ({inner.loc[k].max():.3f})" for k in ks)
    overall = ", ".join(f"{middle.loc[k].idxmax()} ($k={k}$)" for k in ks)
    wide = middle.max(axis=1) - middle.min(axis=1)
    caption = f"""Sharing some units and keeping the rest, on {data}: over all choices the best number of personal units
        is {overall}; among those between FedAvg and training alone it is, by $k$, {best}. Between one and
        {max(counts) - 1} of them accuracy moves by at most {(inner.max(axis=1) - inner.min(axis=1)).max():.3f},
        between all choices, FedAvg and local training included, by up to {wide.max():.3f}. {INTERVALS}"""
    return describe(fig, caption=caption, alt="Accuracy and its spread over clients against personal units, by k.")


def crossover(
    classes: pd.DataFrame, skew: pd.DataFrame, *, method: str = "FedPer 1", data: str = "the digits"
) -> Figure:
    """Draw the paired gain of FedPer over FedAvg against classes a client and against Dirichlet concentration.

    Rows on which a setting was chosen are left out.
    """
    own = " Every method has its own learning rate, chosen on other partitions." if "use" in skew else ""
    fig, axes = new_figure(1, 2, width=8.4, sharey=True)
    sides = ((classes, "classes_per_client", "classes a client $k$"), (skew, "alpha", r"Dirichlet $\alpha$"))
    found = []
    for axis, (table, by, label) in zip(axes[0], sides, strict=True):
        rows = gains(judging(table), by, method)
        summary = summarize(rows, [by], "gain").sort_values(by)
        series(axis, summary[by], summary["median"], summary["low"], summary["high"], label=method, index=place(method))
        axis.plot(rows[by], rows["gain"], ".", color=COLOURS[6], markersize=4, zorder=3)
        axis.axhline(0, **GUIDE)
        axis.set_xlabel(label)
        found.append(summary.set_index(by)["median"])
    whole_ticks(axes[0, 0])
    axes[0, 1].set_xscale("log")
    axes[0, 0].set_ylabel(f"accuracy of {method} minus FedAvg")
    parts = [_signs(series_, name) for series_, name in zip(found, ("$k$", r"$\alpha$"), strict=True)]
    caption = f"""The gain of {method} over FedAvg on the same partitions of {data}. By number of classes a client the
        median gain is {listed(found[0])} ({parts[0]}); by Dirichlet concentration {listed(found[1])} ({parts[1]}). Dots
        are single seeds.{own} {INTERVALS}"""
    alt = f"Gain over FedAvg against classes a client and Dirichlet concentration: {parts[0]}, {parts[1]}."
    return describe(fig, caption=caption, alt=alt)


def _signs(gain: pd.Series, name: str) -> str:
    """Say at which values of the index `gain` is positive, negative and, to the digits shown, zero."""
    signs = np.sign(gain.round(2))
    words = {1: "a gain", -1: "a loss", 0: "even"}
    found = [(word, ", ".join(f"{at:g}" for at in gain.index[signs == sign])) for sign, word in words.items()]
    return ", ".join(f"{word} at {name} = {values}" for word, values in found if values)


# What a method of `comparison` does beyond the local training that all share.
EXTRA_WORK = {
    "FedRep": "FedRep trains its head besides, for half as many steps (rounded up)",
    "Ditto": "Ditto takes twice as many steps",
    "FedAvg + FT": '"+ FT" fine-tunes after training',
    "FedBABU": "so does FedBABU",
}


def chosen_rates(table: pd.DataFrame, ks: list[int]) -> str:
    """Return each method's learning rate by number of classes a client, and the rate and length of its fine-tuning."""
    parts = []
    for name in known_methods(table):
        rows = table[(table["method"] == name) & table["classes_per_client"].isin(ks)]
        first = rows.groupby("classes_per_client").first()
        text = f"{name} {listed(first['lr'], 3)}"
        if "finetune_lr" in first and first["finetune_lr"].notna().any():
            epochs = "/".join(f"{count:g}" for count in first["finetune_epochs"])
            text += f" and for fine-tuning {listed(first['finetune_lr'], 3)} (passes: {epochs})"
        parts.append(text)
    return "; ".join(parts)


def comparison(table: pd.DataFrame, *, lead: str = "") -> Figure:
    """Draw the final accuracy of all methods, for the numbers of classes a client at which all of them ran.

    `lead` begins the caption.
    """
    tuned, everything = "use" in table, table
    table = last_round(judging(table))
    methods = known_methods(table)
    present = table.groupby("classes_per_client")["method"].nunique()
    ks = sorted(present.index[present == len(methods)])
    if not ks:
        raise ValueError(f"no number of classes a client has all of {', '.join(methods)}: run all of them at one")
    fig, axes = new_figure(1, len(ks), width=3.4 * len(ks) + 0.6, height=0.26 * len(methods) + 1.2, sharey=True)
    for axis, k in zip(axes[0], ks, strict=True):
        part = table[table["classes_per_client"] == k]
        for row, name in enumerate(methods):
            values = part[part["method"] == name]["accuracy"]
            mid = values.median()
            spread = [[mid - values.min()], [values.max() - mid]]
            axis.errorbar([mid], [row], xerr=spread, fmt="o", color=COLOURS[place(name) % len(COLOURS)], capsize=2)
        axis.set_yticks(range(len(methods)), methods)
        axis.set_ylim(len(methods) - 0.5, -0.5)
        axis.set(title=f"$k = {k}$", xlabel=ACCURACY)
    final = medians(table, "classes_per_client")
    best = "; ".join(f"$k={k}$: {_ranking(final.loc[k])}" for k in ks)
    leaders = ", ".join(f"{final.loc[k].idxmax()} {final.loc[k].max():.3f} ($k={k}$)" for k in ks)
    extra = "".join(f"; {text}" for name, text in EXTRA_WORK.items() if name in set(table["method"]))
    own = f", each at its own learning rate ({chosen_rates(table, ks)})" if tuned else ""
    ends = at_ends(everything, table[table["classes_per_client"].isin(ks)], ["method"]) if tuned else ""
    own += f" ({ends})" if ends else ""
    caption = f"""{lead}The most accurate method is {leaders}. Same network and partitions for all{own}{extra}.
        Points are medians over seeds, bars the range over seeds."""
    return describe(fig, caption=caption, alt=f"Final accuracy by method, one panel a k. {best}.")


def gains_by_policy(table: pd.DataFrame) -> str:
    """Return what FedPer 2 gains over FedAvg under each policy of `experiments.normalizations`, for a caption."""
    final = medians(judging(table), "classes_per_client")
    ways = [name.removeprefix("FedAvg, ") for name in final if name.startswith("FedAvg, ")]
    gains_ = {way: final[f"FedPer 2, {way}"] - final[f"FedAvg, {way}"] for way in ways if f"FedPer 2, {way}" in final}
    told = "; ".join(
        f"{way} " + ", ".join(f"{value:+.3f} ($k={k}$)" for k, value in gain.items()) for way, gain in gains_.items()
    )
    return f"FedPer 2 over FedAvg, difference of medians: {told}. " if told else ""


def _ranking(values: pd.Series) -> str:
    ranked = values.dropna().sort_values(ascending=False)
    return ", ".join(f"{name} {value:.3f}" for name, value in ranked.items())


def timing(classes: pd.DataFrame, common: pd.DataFrame) -> Figure:
    """Draw accuracy before and after aggregation, and with a common initial head, against rounds."""
    ks = sorted(common["classes_per_client"].unique())
    fig, axes = new_figure(1, len(ks), width=4.2 * len(ks), sharey=True)
    notes = []
    for axis, k in zip(axes[0], ks, strict=True):
        part = classes[(classes["classes_per_client"] == k) & classes["local_accuracy"].notna()]
        shared = common[common["classes_per_client"] == k]
        lines = (  # one colour a method; before aggregation dashed, with a common head dotted
            ("FedPer 1, after aggregation", part[part["method"] == "FedPer 1"], "accuracy", "-"),
            ("FedPer 1, before it", part[part["method"] == "FedPer 1"], "local_accuracy", "--"),
            ("FedPer 1, common head", shared, "accuracy", ":"),
            ("FedAvg, after aggregation", part[part["method"] == "FedAvg"], "accuracy", "-"),
            ("FedAvg, before it", part[part["method"] == "FedAvg"], "local_accuracy", "--"),
        )
        for label, rows, value, style in lines:
            summary = summarize(rows, ["round"], value).sort_values("round")
            args = (summary["round"], summary["median"], summary["low"], summary["high"])
            series(axis, *args, label=label, index=place(label.split(",")[0]))
            axis.lines[-1].set(linestyle=style, markerfacecolor="white" if style == "--" else None)
        whole_ticks(axis)
        axis.set(title=f"$k = {k}$", xlabel="round")
        notes.append(f"$k={k}$: {_timing_note(part, shared)}")
    axes[0, 0].set_ylabel(ACCURACY)
    legend_above(fig, axes[0, 0], columns=3)
    caption = f"""When one looks decides what one sees. {"; ".join(notes)}. {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Accuracy before and after aggregation against rounds. {notes[0]}.")


def _timing_note(part: pd.DataFrame, shared: pd.DataFrame) -> str:
    early = int(np.sort(part["round"].unique())[:2][-1])
    at = part[part["round"] == early].groupby("method")[["accuracy", "local_accuracy"]].median()
    head = shared[shared["round"] == early]["accuracy"].median()
    return (
        f"in round {early} FedPer 1 has {at.loc['FedPer 1', 'local_accuracy']:.2f} before and "
        f"{at.loc['FedPer 1', 'accuracy']:.2f} after aggregation, FedAvg {at.loc['FedAvg', 'local_accuracy']:.2f} and "
        f"{at.loc['FedAvg', 'accuracy']:.2f}, FedPer 1 with a common initial head {head:.2f}"
    )


def networks(table: pd.DataFrame) -> Figure:
    """Draw accuracy against rounds, one row of panels a network and one column a number of classes a client.

    Rows on which a setting was chosen are left out.
    """
    table = judging(table)
    names, ks = list(table["network"].unique()), sorted(table["classes_per_client"].unique())
    fig, axes = new_figure(len(names), len(ks), width=3.8 * len(ks), height=2.4 * len(names) + 0.5, sharey=True)
    notes = []
    for row, name in zip(axes, names, strict=True):
        part = table[table["network"] == name]
        for axis, k in zip(row, ks, strict=True):
            curves(axis, part[part["classes_per_client"] == k], "round", "accuracy")
            axis.set_title(f"{name}, $k = {k}$")
        row[0].set_ylabel("accuracy")
        final = medians(last_round(part), "classes_per_client")
        notes.append(f"{name}: " + ", ".join(f"{m} {listed(final[m].dropna())}" for m in known_methods(part)))
    for axis in axes[-1]:
        axis.set_xlabel("round")
    legend_above(fig, axes[0, 0])
    caption = f"""CIFAR-10 on the paper's networks (/ n: one in n of their channels; {length(table)}): final
        accuracy by classes a client, where guessing gives one tenth (and one in $k$ who knows its classes):
        {"; ".join(notes)}. {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Accuracy against rounds by network and classes. {notes[0]}.")


def accuracy_by_user(table: pd.DataFrame) -> Figure:
    """Draw accuracy against rounds where every client is one user of the data set.

    Rows on which a setting was chosen are left out.
    """
    own = " Every method has its own learning rate, chosen on another split." if "use" in table else ""
    table = judging(table)
    fig, axes = new_figure(width=5.6)
    curves(axes[0, 0], table, "round", "accuracy")
    axes[0, 0].set(xlabel="round", ylabel=ACCURACY)
    axes[0, 0].legend(fontsize=8)
    final = last_round(table).groupby("method")["accuracy"].median().sort_values(ascending=False)
    text = ", ".join(f"{name} {value:.3f}" for name, value in final.items())
    caption = f"""One client a user, all classes at every client ({length(table)}): {final.index[0]} is the most
        accurate in the end. Final accuracy: {text}.{own} {INTERVALS}"""
    return describe(fig, caption=caption, alt=f"Accuracy against rounds. Final: {text}.")


def joined(*tables: pd.DataFrame) -> pd.DataFrame:
    """Return tables of several experiments on the same partitions as one."""
    return pd.concat(tables, ignore_index=True)
