"""Figures of what can be proved or counted: strength, breakdown, robustness constants, cohorts."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.poisoning.figures.parts import RULE_ORDER, curve, grid, listed, ordered
from lib.poisoning.theory import UNPROMISED
from lib.report.style import COLOURS, GUIDE, describe, new_figure


def strength(table: pd.DataFrame) -> Figure:
    """Draw how far every rule is moved against the strength of the attack, in two panels of rules."""
    rules = ordered(table["rule"], RULE_ORDER)
    selecting = [name for name in rules if "Krum" in name or name in ("DnC", "Bulyan", "AFA") or name.startswith("NNM")]
    fig, axes = new_figure(1, 2, width=8.8, sharey=True)
    peak = table[table["rule"].isin(selecting)]["moved"].max()
    panels = ([name for name in rules if name not in selecting], selecting)
    for axis, names, title in zip(axes[0], panels, ("averaging", "selecting"), strict=True):
        for name in names:
            curve(axis, table[table["rule"] == name], "strength", "moved", label=name, index=rules.index(name))
            axis.lines[-1].set(markersize=0)
        axis.axhline(table["plateau"].median(), **GUIDE)
        axis.set(title=title, xscale="log", xlabel=r"strength $\gamma$", ylim=(-1, 1.1 * peak))
        axis.legend(fontsize=7, loc="upper left" if names is panels[0] else "upper right")
    axes[0, 0].set_ylabel("aggregate moved along the attack")
    middle = table.pivot_table(index="strength", columns="rule", values="moved", aggfunc="median")
    last, top = middle.iloc[-1], middle.max()
    names = [name for name in ("median", "trimmed mean", "geometric median", "norm bound") if name in last]
    picked = [name for name in ("Krum", "Multi-Krum", "Bulyan") if name in last]
    at = ", ".join(f"{name} {top[name]:.1f} at {middle[name].idxmax():.2g}" for name in picked)
    few = "trimmed mean, one too few"
    told = f" (told of one attacker too few, so does the trimmed mean: {last[few]:.1f})" if few in last else ""
    caption = f"""Three shapes: the mean moves without end{told}, coordinate-wise and norm-based rules level off
        ({listed(last[names], 1)};
        the dashed line is the closed form for the trimmed mean, {table["plateau"].median():.2f}), and rules that select
        are moved farthest just before they notice ({at}) and hardly after. Medians over {table["seed"].nunique()}
        draws."""
    alt = "Displacement against attack strength: the mean grows, robust rules level off or return to zero."
    return describe(fig, caption=caption, alt=alt)


def breakdown(table: pd.DataFrame) -> Figure:
    """Draw which rules survive how many attackers at a great distance, as a matrix with what each promises."""
    rules = ordered(table["rule"], RULE_ORDER)
    survives = grid(table, "rule", "f", "survives", "min").loc[rules].astype(bool)
    refused = grid(table.assign(refused=table["moved"].isna()), "rule", "f", "refused", "min").loc[rules].astype(bool)
    fig, axes = new_figure(width=6.4, height=0.28 * len(rules) + 0.9)
    axis = axes[0, 0]
    axis.grid(False)
    state = np.where(refused, 1, np.where(survives, 0, 2))
    for kind, (colour, label) in enumerate(((COLOURS[4], "stands"), ("#E3E3E3", "refuses"), (COLOURS[1], "falls"))):
        rows, columns = np.nonzero(state == kind)
        axis.scatter(columns, rows, marker="s", s=110, color=colour, label=label)
    promised = table.groupby("rule")["tolerated"].first().loc[rules]
    axis.step(np.append(promised + 0.5, promised.iloc[-1] + 0.5), np.arange(len(rules) + 1) - 0.5, where="pre",
              color="#000000", linewidth=1.2, label="promise")  # fmt: skip
    axis.set_yticks(range(len(rules)), rules)
    axis.set(xlabel="attackers $f$", ylim=(len(rules) - 0.5, -0.5), xlim=(-0.6, survives.columns.max() + 0.6))
    axis.set_xticks(survives.columns)
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    stood = survives.cumprod(axis=1).sum(axis=1) - 1
    text = ", ".join(f"{name} {value:.0f}" for name, value in stood.items())
    free = [name for name in UNPROMISED if name in rules]
    again = [name for name in rules if survives.loc[name].sum() > stood[name] + 1]
    more = f" Against larger numbers these stand again: {', '.join(again)}." if again else ""
    caption = f"""Equal updates at a great distance, {table["seed"].nunique()} draws: the most attackers that each
        rule stood, and all smaller numbers, is {text}.{more} The line is what each rule promises; beyond it our rules
        refuse to answer, except those that promise nothing ({", ".join(free)})."""
    return describe(fig, caption=caption, alt=f"Matrix of rules and attackers. Most attackers stood: {text}.")


def robustness(table: pd.DataFrame, points: pd.DataFrame) -> Figure:
    """Draw the largest error over variance against the number of attackers, with bounds and the exact lower one."""
    rules = [name for name in ordered(table["rule"], RULE_ORDER) if name != "mean"]
    first = [name for name in rules if name in ("median", "trimmed mean", "geometric median", "Krum", "NNM + Krum")]
    fig, axes = new_figure(1, 2, width=8.8, sharey=True)
    for axis, names in zip(axes[0], (first, [name for name in rules if name not in first]), strict=True):
        for name in names:
            rows, index = table[table["rule"] == name], rules.index(name) + 1
            worst = rows.groupby(["f", "seed"])["kappa"].max().reset_index()
            curve(axis, worst, "f", "kappa", label=name, index=index)
            bound = rows.groupby("f")["bound"].first().dropna()
            axis.plot(bound.index, bound, color=COLOURS[index % len(COLOURS)], linewidth=0.8, linestyle=":")
        exact = points.groupby("f")["exact"].first()
        axis.plot(exact.index, exact, label="two points", **GUIDE)
        axis.set(yscale="log", xlabel="attackers $f$")
        axis.legend(fontsize=7)
    axes[0, 0].set_ylabel(r"largest error over variance $\hat\kappa$")
    worst = grid(table, "rule", "f", "kappa", "max")
    few, many = worst.columns.min(), worst.columns.max()
    share = (table["kappa"] / table["bound"]).max()
    caption = f"""Worst attack found, {few} to {many} attackers. Dotted: known upper bounds, of which
        at most
        {share:.0%} is reached; dashed: the error on two points, which no rule can avoid in general and every robust
        rule has there
        exactly. With one attacker: {listed(worst.loc[rules, few].dropna())}. The mean reaches
        {worst.loc["mean", few]:.0e}."""
    alt = "Largest error over variance against attackers on a log scale, all below their bounds."
    return describe(fig, caption=caption, alt=alt)


def cohorts(table: pd.DataFrame) -> Figure:
    """Draw the chances of any attacker, of more than the server assumes, and of a majority, against the share."""
    fig, axes = new_figure(1, 3, width=8.8, height=2.8, sharey=True)
    titles = {"any": "at least one attacker", "more": "more than assumed (20 %)", "majority": "a majority"}
    for axis, (column, title) in zip(axes[0], titles.items(), strict=True):
        for index, (cohort, rows) in enumerate(table.groupby("cohort")):
            curve(axis, rows, "share", column, label=f"cohort of {cohort}", index=index)
        axis.set(title=title, xlabel="malicious share", xscale="log", ylim=(-0.02, 1.02))
    axes[0, 0].set_ylabel("probability a round")
    axes[0, 2].legend(fontsize=7)
    at = table[table["share"] == 0.2].set_index("cohort")
    caption = f"""Exact probabilities for cohorts of a thousand clients. With one client in five malicious the
        assumed number is
        exceeded in {", ".join(f"{row.more:.0%} (cohort of {row.Index})" for row in at.itertuples())} of the rounds: a
        server that is told the true number, as in most evaluations, is better off than any real one."""
    return describe(fig, caption=caption, alt="Three panels of probability against malicious share, by cohort size.")
