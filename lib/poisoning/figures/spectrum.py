"""Figures of federated runs under attack: impact by adversary, over rounds, by share, and what it costs."""

import math

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lib.poisoning.experiments.spectrum import impact
from lib.poisoning.federations import CLASSES
from lib.poisoning.figures.parts import (
    ADVERSARY_ORDER,
    RULE_ORDER,
    curve,
    dots,
    grid,
    listed,
    mark,
    ordered,
    unattacked,
)
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure
from lib.seeds import seeds_of


def adversaries(table: pd.DataFrame) -> Figure:
    """Draw every adversary by how many clients it takes over and how many it makes up, with the data it has."""
    fig, axes = new_figure(width=6.4, height=3.0)
    axis = axes[0, 0]
    for index, (kind, rows) in enumerate(table.groupby("clients", sort=False)):
        colour, marker = COLOURS[index], MARKERS[index]
        axis.plot(rows["compromised"], rows["fakes"], marker, color=colour, label=f"{kind} clients", markersize=8)
    for (taken, fakes), rows in table.groupby(["compromised", "fakes"], sort=False):
        names = "\n".join(f"{row.adversary} ({row.data})" for row in rows.itertuples())
        place = ((0, 7), "bottom") if taken == 0 else ((7, 0), "center")  # the fakes stand beside the first hybrid
        axis.annotate(names, (taken, fakes), xytext=place[0], textcoords="offset points", fontsize=7, va=place[1])
    axis.set(xlabel="genuine clients taken over", ylabel="clients made up", xlim=(-1, 27), ylim=(-3, 34))
    axis.legend(fontsize=8, loc="center right")
    hybrids = table[table["clients"] == "hybrid"]
    caption = f"""The spectrum: taking over genuine clients is costly but brings their data, making up clients is
        cheap and brings
        none. The hybrid adversary takes over {hybrids["compromised"].min()} to {hybrids["compromised"].max()}
        clients of a
        hundred and lets {hybrids["fakes"].min()} or more fakes send what their data teach. In brackets what the
        attack is
        built on."""
    return describe(fig, caption=caption, alt="Adversaries by clients taken over and clients made up.")


def spectrum(table: pd.DataFrame, *, data: str = "the digits") -> Figure:
    """Draw the best accuracy over rounds by adversary on `data`, one panel a rule."""
    rules, names = ordered(table["rule"], RULE_ORDER), ordered(table["adversary"], ADVERSARY_ORDER)
    found = impact(table)
    fig, axes = new_figure(1, len(rules), width=1.9 * len(rules) + 1.8, height=0.25 * len(names) + 1.0, sharey=True)
    for axis, rule in zip(axes[0], rules, strict=True):
        part = found[found["rule"] == rule]
        dots(axis, part, names, "adversary", "best", order=ADVERSARY_ORDER)
        final = part.groupby("adversary")["final"].median().loc[names]
        axis.plot(final, range(len(names)), "|", color="#000000", markersize=9, label="final")
        axis.axvline(1 / CLASSES, label="chance", **GUIDE)
        axis.set(title=rule, xlabel="accuracy", xlim=(0, min(1.02, 1.1 * found["best"].max())))
    axes[0, -1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    lost = grid(found, "rule", "adversary", "best_impact").loc[rules]
    worst = ", ".join(f"{rule}: {row.idxmax()} ({row.max():.2f})" for rule, row in lost.iterrows())
    hybrid = f"; the hybrid with five clients costs {listed(lost['hybrid 5'])}" if "hybrid 5" in lost else ""
    fakes = f", fakes without data (MPAF) {listed(lost['MPAF'])}" if "MPAF" in lost else ""
    caption = f"""Most harmful adversary by rule, with the best accuracy that it costs: {worst}{hybrid}{fakes}. Best
        accuracy over rounds (points) and at the end (bars) on {data}. Without attack: {unattacked(found)}.
        {seeds_of(table)}"""
    return describe(fig, caption=caption, alt=f"Accuracy by adversary, one panel a rule. Worst: {worst}.")


def rounds(table: pd.DataFrame, *, rule: str = "trimmed mean") -> Figure:
    """Draw test accuracy against rounds for every adversary under one rule."""
    part = table[table["rule"] == rule]
    names = [
        name for name in ordered(part["adversary"], ADVERSARY_ORDER) if not name.startswith(("DCGAN", "bootstrap"))
    ]
    fig, axes = new_figure(width=7.2)
    axis = axes[0, 0]
    for name in names:
        rows = part[part["adversary"] == name]
        curve(axis, rows, "round", "accuracy", label=name, index=ADVERSARY_ORDER.index(name))
        axis.lines[-1].set(markersize=0)
    axis.set(xlabel="round", ylabel="test accuracy", ylim=(0, 1.02))
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    found = impact(part)
    late = (found["best"] - found["final"]).groupby(found["adversary"]).median()
    caption = f"""Under the {rule} the accuracy at the end lies below the best by {listed(late[names])}: the best
        over rounds, which the literature reports, does not show that. {seeds_of(part)}"""
    return describe(fig, caption=caption, alt=f"Accuracy against rounds under the {rule}, one curve an adversary.")


def _alike(beta: float, wording: str = "beta {:g}") -> str:
    """Return how clients came by their images: an infinite beta leaves those of a user together."""
    return "by user" if math.isinf(beta) else wording.format(beta)


def heterogeneity(differ: pd.DataFrame, alike: pd.DataFrame, *, data: str = "the digits") -> Figure:
    """Draw what each adversary costs on `data` where clients differ and where they are alike."""
    both = pd.concat([impact(differ), impact(alike)], ignore_index=True)
    common = [name for name in ordered(alike["adversary"], ADVERSARY_ORDER) if name != "none"]
    rules = ordered(alike["rule"], RULE_ORDER)
    betas = sorted(both["beta"].unique())
    lost = both[both["adversary"].isin(common)]["best_impact"]
    limits = lost.min() - 0.02, lost.max() + 0.02
    fig, axes = new_figure(1, len(betas), width=7.6, height=0.3 * len(rules) * len(common) + 1.0, sharey=True)
    for axis, beta in zip(axes[0], betas, strict=True):
        part = both[both["beta"] == beta]
        part = part.assign(cell=part["rule"] + ", " + part["adversary"])
        cells = [f"{rule}, {name}" for rule in rules for name in common]
        dots(axis, part, cells, "cell", "best_impact", order=ADVERSARY_ORDER)
        axis.axvline(0, color="#6B6B6B", linewidth=0.8)
        axis.set(title=_alike(beta, r"$\beta = {:g}$"), xlabel="best accuracy lost", xlim=limits)
    middle = grid(both[both["adversary"] == common[-1]], "beta", "rule", "best_impact")
    text = "; ".join(f"{_alike(beta)}: {listed(row.loc[rules])}" for beta, row in middle.iterrows())
    clean = "; ".join(f"{_alike(beta)}: {unattacked(rows)}" for beta, rows in both.groupby("beta"))
    caption = f"""The same attacks on {data} where clients hold few classes (small beta) and where their classes are
        alike. {common[-1].capitalize()} attack, accuracy lost: {text}. Accuracy without attack: {clean}.
        {seeds_of(both, "beta")}"""
    return describe(fig, caption=caption, alt=f"Accuracy lost by rule and adversary at two heterogeneities: {text}.")


def shares(table: pd.DataFrame, *, data: str = "the digits") -> Figure:
    """Draw best accuracy on `data` against the malicious share of a cohort, one panel a rule."""
    rules, names = ordered(table["rule"], RULE_ORDER), ordered(table["adversary"], ADVERSARY_ORDER)
    keys = ["rule", "adversary", "share", "seed"]
    best = table.groupby(keys, sort=False)["accuracy"].max().reset_index()
    wide = 3.6 * len(rules) if len(rules) < 3 else 2.2 * len(rules) + 0.6
    fig, axes = new_figure(1, len(rules), width=wide, sharey=True)
    for axis, rule in zip(axes[0], rules, strict=True):
        for name in names:
            rows = best[(best["rule"] == rule) & (best["adversary"] == name)]
            curve(axis, rows, "share", "accuracy", label=name, index=ADVERSARY_ORDER.index(name))
        axis.set(title=rule, xlabel="malicious share", ylim=(0, 1.02))
    axes[0, 0].set_ylabel("best accuracy")
    axes[0, 0].legend(fontsize=8)
    middle = best.pivot_table(index=["rule", "adversary"], columns="share", values="accuracy", aggfunc="median")
    middle = middle.loc[[(rule, name) for rule in rules for name in names]]
    middle = middle if len(rules) < 3 else middle.iloc[:, [-1]]  # the figure shows the rest
    text = "; ".join(
        f"{rule}, {name} {' / '.join(f'{value:.2f}' for value in row)}" for (rule, name), row in middle.iterrows()
    )
    at = ", ".join(f"{share:.0%}" for share in middle.columns)
    caption = f"Best accuracy on {data} at malicious shares of a cohort of {at}: {text}. {seeds_of(table)}"
    return describe(fig, caption=caption, alt="Best accuracy against malicious share, one panel a rule.")


def prices(table: pd.DataFrame, *, rule: str = "trimmed mean") -> Figure:
    """Draw impact against cost at several price ratios; a line joins the adversaries that no cheaper one beats."""
    part = table[table["rule"] == rule]
    ratios = sorted(part["ratio"].unique())
    fig, axes = new_figure(1, len(ratios), width=2.3 * len(ratios) + 0.6, height=2.9, sharey=True)
    for axis, ratio in zip(axes[0], ratios, strict=True):
        rows = part[part["ratio"] == ratio]
        for row in rows.itertuples():
            index = ADVERSARY_ORDER.index(row.adversary)
            axis.plot(row.cost, row.best_impact, label=row.adversary, **mark(index))
        front = rows[rows["front"]].sort_values("cost")
        axis.plot(front["cost"], front["best_impact"], color="#6B6B6B", linewidth=0.9, zorder=1)
        axis.set(title=f"price ratio {ratio:g}", xscale="log", xlabel="cost (in fakes)")
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xlim(rows["cost"].min() / 2, 2 * rows["cost"].max())
    axes[0, 0].set_ylabel("best accuracy lost")
    axes[0, -1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.02, 0.5))
    text = "; ".join(
        f"{ratio:g}: {', '.join(part[(part['ratio'] == ratio) & part['front']].sort_values('cost')['adversary'])}"
        for ratio in ratios
    )
    caption = f"""Under the {rule}: impact against cost when a compromised client is worth so many fakes. Adversaries
        that no cheaper
        one beats, by ratio: {text}. Prices are not known to us, hence the four panels."""
    return describe(fig, caption=caption, alt=f"Impact against cost at {len(ratios)} price ratios. Fronts: {text}.")
