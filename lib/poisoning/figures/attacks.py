"""Figures of what else may vary: the attack, its direction, the number of clients taken over."""

import pandas as pd
from matplotlib.figure import Figure

from lib.poisoning.experiments.spectrum import impact
from lib.poisoning.figures.parts import (
    ADVERSARY_ORDER,
    RULE_ORDER,
    curve,
    dots,
    grid,
    listed,
    matrix,
    ordered,
    unattacked,
)
from lib.report.style import describe, new_figure
from lib.seeds import over_seeds, seeds_of

KINDS = ("unit", "std", "sign")


def attacks(table: pd.DataFrame, *, data: str = "the digits") -> Figure:
    """Draw the best accuracy that every attack in `table` costs every rule on `data`, as a matrix with numbers."""
    found = impact(table)
    lost = grid(found[found["adversary"] != "none"], "adversary", "rule", "best_impact")
    lost = lost[ordered(found["rule"], RULE_ORDER)]
    lost = lost.loc[lost.mean(axis=1).sort_values(ascending=False).index]
    fig, axes = new_figure(width=1.15 * lost.shape[1] + 2.6, height=0.27 * len(lost) + 1.1)
    matrix(fig, axes[0, 0], lost, label="best accuracy lost")
    worst = ", ".join(f"{rule}: {lost[rule].idxmax()} ({lost[rule].max():.2f})" for rule in lost)
    seeds = found["seed"].nunique()
    caption = f"""Best accuracy lost on {data} to attacks of the literature and to some of the spectrum, medians over
        {seeds} {"seed" if seeds == 1 else "seeds"}, the most harmful first. Worst by rule: {worst}. Accuracy without
        attack: {unattacked(found)}."""
    return describe(fig, caption=caption, alt=f"Matrix of accuracy lost by attack and rule. Worst: {worst}.")


def other_rules(table: pd.DataFrame, *, data: str) -> Figure:
    """Draw the best accuracy on `data` under every rule in `table`, without attack and under each adversary."""
    found = impact(table)
    best = grid(found, "rule", "adversary", "best")
    best = best.loc[ordered(found["rule"], RULE_ORDER), ordered(found["adversary"], ADVERSARY_ORDER)]
    fig, axes = new_figure(width=1.15 * best.shape[1] + 3.2, height=0.27 * len(best) + 1.1)
    matrix(fig, axes[0, 0], best, label="best accuracy", reverse=True)
    worst = best.drop(columns="none").min(axis=1)
    text = "; ".join(f"{rule} {best.loc[rule, 'none']:.2f} and {worst[rule]:.2f}" for rule in best.index)
    caption = f"""Best accuracy on {data} under further rules, medians over {found["seed"].nunique()} seeds. Without
        attack and under the worst of these: {text}. Rules that mix first (NNM) meet the attack tailored to the rule
        behind the mixing, which is not the strongest against both together."""
    return describe(fig, caption=caption, alt=f"Matrix of accuracy by rule and adversary: {text}.")


def directions(table: pd.DataFrame, *, data: str = "the digits") -> Figure:
    """Draw what the tailored attack costs every rule on `data` along each direction, one panel an adversary."""
    found = impact(table)
    found = found[found["adversary"] != "none"]
    names, rules = sorted(found["adversary"].unique()), ordered(found["rule"], RULE_ORDER)
    kinds = [kind for kind in KINDS if kind in set(found["kind"])]
    cells = [f"{rule}, {kind}" for rule in rules for kind in kinds]
    fig, axes = new_figure(1, len(names), width=3.4 * len(names) + 1.4, height=0.24 * len(cells) + 1.0, sharey=True)
    for axis, name in zip(axes[0], names, strict=True):
        part = found[found["adversary"] == name]
        part = part.assign(cell=part["rule"] + ", " + part["kind"])
        dots(axis, part, cells, "cell", "best_impact", order=KINDS)
        axis.axvline(0, color="#6B6B6B", linewidth=0.8)
        axis.set(title=name, xlabel="best accuracy lost")
    middle = grid(found[found["adversary"] == names[-1]], "rule", "kind", "best_impact").loc[rules, kinds]
    text = "; ".join(f"{rule}: {listed(row)}" for rule, row in middle.iterrows())
    caption = f"""The same attack along three directions on {data}: minus the mean brought to length one, minus the
        standard deviation, minus the sign of the mean. {names[-1].capitalize()}: {text}. {seeds_of(table)}"""
    return describe(fig, caption=caption, alt=f"Accuracy lost by rule and direction. {text}.")


def taken_over(table: pd.DataFrame, *, data: str) -> Figure:
    """Draw what the hybrid and its controls cost on `data` against the clients taken over, one panel a rule."""
    found = impact(table)
    found = found[found["adversary"].str.match(r"(hybrid|DCGAN|bootstrap) \d+$")]
    named = found["adversary"].str.split(" ", expand=True)
    found = found.assign(source=named[0], count=named[1].astype(int))
    rules = ordered(found["rule"], RULE_ORDER)
    fig, axes = new_figure(1, len(rules), width=2.2 * len(rules) + 0.6, height=2.7, sharey=True)
    for axis, rule in zip(axes[0], rules, strict=True):
        for index, name in enumerate(("hybrid", "DCGAN", "bootstrap")):
            rows = found[(found["rule"] == rule) & (found["source"] == name)]
            if len(rows):
                curve(axis, rows, "count", "best_impact", label=name, index=index)
        axis.axhline(0, color="#6B6B6B", linewidth=0.8)
        axis.set(title=rule, xlabel="clients taken over")
    axes[0, 0].set_ylabel("best accuracy lost")
    axes[0, -1].legend(fontsize=7)
    middle = grid(found, "source", "count", "best_impact")
    text = "; ".join(f"{name}: {listed(row.dropna())}" for name, row in middle.iterrows())
    caption = f"""Best accuracy lost on {data} against the number of clients taken over, whose data the diffusion model
        (hybrid) or the adversarial network learns, or the bootstrap draws again. Medians over rules and seeds, by
        number: {text}. In each panel: {over_seeds([table["seed"].nunique()])}."""
    return describe(fig, caption=caption, alt=f"Accuracy lost against clients taken over, one panel a rule. {text}.")


def variants(first: pd.DataFrame, second: pd.DataFrame) -> Figure:
    """Draw the best accuracy lost under two rules to the same adversaries, side by side."""
    found = pd.concat([impact(first), impact(second)], ignore_index=True)
    found = found[found["adversary"] != "none"]
    rules, names = list(dict.fromkeys(found["rule"])), ordered(found["adversary"], ADVERSARY_ORDER)
    fig, axes = new_figure(1, len(rules), width=3.2 * len(rules) + 1.0, height=0.3 * len(names) + 1.0, sharey=True)
    for axis, rule in zip(axes[0], rules, strict=True):
        dots(axis, found[found["rule"] == rule], names, "adversary", "best_impact", order=ADVERSARY_ORDER)
        axis.axvline(0, color="#6B6B6B", linewidth=0.8)
        axis.set(title=rule, xlabel="best accuracy lost")
    middle = grid(found, "rule", "adversary", "best_impact").loc[rules, names]
    text = "; ".join(f"{rule}: {listed(row)}" for rule, row in middle.iterrows())
    apart = (middle.max() - middle.min()).max()
    caption = f"""Two rules of one name. {text}. They differ by up to {apart:.2f} under the same attacker.
        {seeds_of(found)}"""
    return describe(fig, caption=caption, alt=f"Accuracy lost under variants of one rule. {text}.")
