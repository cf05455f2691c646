"""Figures of statements with exact values, and of what they say about training."""

import pandas as pd
from matplotlib.figure import Figure

from lib.poisoning.figures.parts import ADVERSARY_ORDER, RULE_ORDER, curve, listed, mark, ordered
from lib.report.style import COLOURS, GUIDE, MARKERS, describe, new_figure


def krum_guarantee(table: pd.DataFrame) -> Figure:
    """Draw by how much honest updates miss the condition of Krum's guarantee, round by round."""
    fig, axes = new_figure(width=6.4, height=2.9)
    axis = axes[0, 0]
    for index, (beta, rows) in enumerate(table.groupby("beta")):
        curve(axis, rows, "round", "ratio", label=rf"$\beta = {beta:g}$", index=index)
    axis.axhline(1, label="guarantee below", **GUIDE)
    axis.set(xlabel="round", ylabel=r"$\eta\sqrt{d}\sigma\,/\,\|g\|$", yscale="log", ylim=(0.5, None))
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    least = table.groupby("beta")["ratio"].min()
    text = ", ".join(f"{value:.0f} (beta {beta:g})" for beta, value in least.items())
    caption = f"""Krum is proved to point the right way where the ratio is below one. In training without attack it is
        never below {text}: for a network the guarantee says nothing. Medians over {table["seed"].nunique()} populations
        with their range."""
    return describe(fig, caption=caption, alt=f"Ratio against rounds on a log scale, far above one. Least: {text}.")


def mpaf_paths(table: pd.DataFrame) -> Figure:
    """Draw the distance to MPAF's base model round by round, with its closed form."""
    fig, axes = new_figure(width=6.4, height=2.9)
    axis = axes[0, 0]
    parts = list(table.groupby(["rule", "product"], sort=False, dropna=False))
    for index, ((rule, product), rows) in enumerate(parts):
        label = rule if rule != "mean" else f"mean, $q\\lambda$ = {product:g}"
        drawn = rows[rows["distance"] > 1e-9]  # the base model itself has no logarithm
        axis.plot(rows["round"], rows["exact"].clip(lower=1e-9), color=COLOURS[index], linewidth=1)
        axis.plot(drawn["round"], drawn["distance"], MARKERS[index], color=COLOURS[index], markersize=5, label=label)
    axis.set(xlabel="round", ylabel="distance to the base model", yscale="log", ylim=(1e-4, None))
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    last = table[table["round"] == table["round"].max()]
    away = [f"{row.product:g}" for row in last.itertuples() if row.rule == "mean" and row.distance > 1]
    bounded = last.loc[last["rule"] == "norm bound", "distance"].iloc[0]
    caption = f"""A model under MPAF when nobody else moves it (points: simulated, lines: closed form). Under the mean a
        share of attackers times scale of one lands on the base model at once, and one of more than two runs away (here
        {", ".join(away)}); norm bounding gives way by the same small step each round and has {bounded:.2f} of the way
        left after {table["round"].max()} rounds."""
    return describe(
        fig, caption=caption, alt="Distance to the base model by round on a log scale, one curve a product."
    )


def votes_and_trust(table: pd.DataFrame) -> Figure:
    """Draw what attackers do to a majority vote of signs and to FLTrust, against their number."""
    fig, axes = new_figure(1, 2, width=7.6, height=2.9)
    vote, trust = axes[0]
    vote.plot(table["attackers"], table["outvoted"], color=COLOURS[0], linewidth=1, label="benign margin smaller")
    vote.plot(table["attackers"], table["flipped"], MARKERS[0], color=COLOURS[0], label="flipped")
    vote.set(title="majority vote of signs", ylabel="share of coordinates", ylim=(-0.02, 1.02))
    for index, (column, label) in enumerate({"longest": "longest result", "opposed": "moved by opponents"}.items(), 1):
        trust.plot(table["attackers"], table[column], MARKERS[index], color=COLOURS[index], label=label)
    trust.axhline(1, label="bound", **GUIDE)
    trust.set(title="FLTrust", ylabel="over the root update", ylim=(-0.05, 1.1))
    for axis in axes[0]:
        axis.set_xlabel("attackers beside 20 benign clients")
        axis.legend(fontsize=7, loc="center right")
    half = table.loc[table["flipped"] >= 0.5, "attackers"]
    said = f"from {half.min()} attackers on half of them turn" if len(half) else "they never turn half of them"
    caption = f"""A vote turns exactly where the attackers outnumber the benign margin (line): {said}. Whatever they
        send, FLTrust's result is no longer than its own update (at most {table["longest"].max():.2f} of it), and
        updates that point against that one move nothing ({table["opposed"].max():.1g})."""
    return describe(fig, caption=caption, alt="Two panels against the number of attackers: votes turned, and FLTrust.")


def quality(table: pd.DataFrame) -> Figure:
    """Draw the accuracy lost against the cosine of an attacker's own updates to honest ones, one panel a rule."""
    rules, names = ordered(table["rule"], RULE_ORDER), ordered(table["adversary"], ADVERSARY_ORDER)
    fig, axes = new_figure(1, len(rules), width=2.1 * len(rules) + 1.4, height=2.8, sharey=True)
    for axis, rule in zip(axes[0], rules, strict=True):
        for name in names:
            rows = table[(table["rule"] == rule) & (table["adversary"] == name)]
            axis.plot(rows["cosine"], rows["best_impact"], label=name, **mark(ADVERSARY_ORDER.index(name)))
        axis.set(title=rule, xlabel="cosine to honest mean")
    axes[0, 0].set_ylabel("best accuracy lost")
    axes[0, -1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    ranks = {rule: rows["cosine"].corr(rows["best_impact"], "spearman") for rule, rows in table.groupby("rule")}
    middle = table.groupby("adversary")[["cosine", "classes"]].median().loc[names]
    text = listed(pd.Series(ranks)[rules])
    caption = f"""One point an adversary and seed: the cosine between the mean update that it trains for itself and that
        of honest clients, without attack, and what it costs. Rank correlation: {text}. Median cosine:
        {listed(middle["cosine"])}. Half the absolute difference of class shares: {listed(middle["classes"])}."""
    return describe(fig, caption=caption, alt=f"Accuracy lost against cosine, one panel a rule. Correlation: {text}.")
