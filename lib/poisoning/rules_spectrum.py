"""The rules that judge the claims about adversaries: one function a claim, from tables to a verdict."""

import functools
from collections.abc import Callable, Mapping

import pandas as pd

from lib.poisoning.experiments.spectrum import impact
from lib.report import Missing, Verdict, grade, median_interval, need

Tables = Mapping[str, pd.DataFrame]
Rule = Callable[[Tables], Verdict]
FAKES = ("MPAF", "MPAF 1", "noise", "random", "history", "PoisonedFL")  # clients without data, of any attack
ROBUST = ("median", "trimmed mean", "norm bound", "Multi-Krum")
GUESS = 0.1  # accuracy of a guess among ten classes
LIMITS = (0.03, 0.06)  # differences in accuracy that count as little, and nearly so


def drops(table: pd.DataFrame, adversary: str, value: str = "best_impact") -> pd.DataFrame:
    """Return the accuracy that `adversary` costs each robust rule, one row a seed and one column a rule."""
    need(table, adversary=("none", adversary), rule=ROBUST)
    found = impact(table)
    rows = found[(found["adversary"] == adversary) & found["rule"].isin(ROBUST)]
    wide = rows.pivot_table(index="seed", columns="rule", values=value, dropna=False)
    if not set(ROBUST) <= set(wide):
        raise Missing(f"adversary = {adversary} under every rule")
    return wide[list(ROBUST)]


def of(tables: Tables, data: str) -> pd.DataFrame:
    """Return the spectrum on `data`: the digits' own table, or that part of the real one."""
    if data == "digits":
        return tables["spectrum"]
    need(tables["real"], data=data)
    return tables["real"][tables["real"]["data"] == data]


def learnt(table: pd.DataFrame) -> str:
    """Return what the rules reach without attack, and in how many rounds: what an attack could take at most."""
    best = unharmed(table)
    told = ", ".join(f"{rule} {best[rule]:.2f}" for rule in ROBUST)
    rounds = table.loc[table["adversary"] == "none", "round"].max()
    return f"best accuracy without attack in {rounds} rounds: {told}"


def unharmed(table: pd.DataFrame) -> pd.Series:
    """Return the best accuracy of each robust rule without attack, the median over seeds."""
    clean = table[(table["adversary"] == "none") & table["rule"].isin(ROBUST)]
    return clean.groupby(["rule", "seed"])["accuracy"].max().groupby("rule").median()[list(ROBUST)]


def listed(values: pd.Series) -> str:
    """Return ``"median +0.12, trimmed mean +0.30"`` of a series over rules."""
    return ", ".join(f"{rule} {value:+.3f}" for rule, value in values.items())


def fakes_are_weak(data: str) -> Rule:
    """Return the rule on the best accuracy lost to MPAF under each robust rule, in points and of what was learnt."""

    def rule(tables: Tables) -> Verdict:
        table = of(tables, data)
        lost = drops(table, "MPAF").median()
        weak = int(((lost < 0.10) & (lost < (unharmed(table) - GUESS) / 5)).sum())
        measured = f"accuracy lost: {listed(lost)}"
        enough = {"reproduced": weak == len(ROBUST), "close": weak >= 3}
        return grade(lost.sum(), **enough, measured=measured, detail=learnt(table))

    return rule


def ahead(adversary: str, rival: str, margin: float, data: str = "digits") -> Rule:
    """Return the rule that `adversary` costs more than `rival` by `margin`, everywhere; close if in every median."""

    def rule(tables: Tables) -> Verdict:
        table = of(tables, data)
        gap = drops(table, adversary) - drops(table, rival)
        measured = f"median difference in accuracy lost: {listed(gap.median())}; smallest {gap.min().min():+.3f}"
        enough = {"reproduced": bool((gap >= margin).all().all()), "close": bool((gap.median() > 0).all())}
        return grade(gap.sum().sum(), **enough, measured=measured, detail=learnt(table))

    return rule


def beats_strongest_fakes(tables: Tables) -> Verdict:
    """The hybrid against the strongest fakes without data, chosen anew for every rule and seed."""
    table = tables["spectrum"]
    rivals = {name: drops(table, name) for name in FAKES if (table["adversary"] == name).any()}
    if len(rivals) < 2:
        raise Missing("fakes other than MPAF")
    strongest = functools.reduce(lambda one, other: one.where(one >= other, other), rivals.values())
    gap = drops(table, "hybrid 5") - strongest
    measured = f"median difference in accuracy lost: {listed(gap.median())}; smallest {gap.min().min():+.3f}"
    every = bool((gap >= 0.02).all().all())
    enough = {"reproduced": every, "close": bool((gap.median() > 0).all())}
    same = "noise" in rivals and (drops(table, "hybrid 5") - rivals["noise"]).median().equals(gap.median())
    told = "; the medians are those against noise alone (data-beats-noise)" if same else ""
    return grade(gap.sum().sum(), **enough, measured=measured, detail=_strongest(rivals, strongest) + told)


def _strongest(rivals: Mapping[str, pd.DataFrame], most: pd.DataFrame) -> str:
    """Return in how many of the runs, one a rule and seed, each of `rivals` costs the `most`."""
    wins = {name: int((lost == most).sum().sum()) for name, lost in rivals.items()}
    told = ", ".join(f"{name} {count}" for name, count in sorted(wins.items(), key=lambda one: -one[1]) if count)
    return f"strongest fakes, of {most.size} runs with ties counted twice: {told}"


def approaches_compromised(data: str) -> Rule:
    """Return the rule on the hybrid's impact as a share of that of four times as many compromised clients."""

    def rule(tables: Tables) -> Verdict:
        ours, theirs = (drops(of(tables, data), name).median() for name in ("hybrid 5", "compromised 20 %"))
        share = ours / theirs.where(theirs >= 0.02)  # of an attack that does no harm there is no share
        told = (f"{rule} {value:.0%}" if value == value else f"{rule} no harm" for rule, value in share.items())
        measured = f"share of the impact: {', '.join(told)}"
        good = bool((share >= 0.75).all())
        close = int((share >= 0.5).sum()) >= 3
        return grade(ours.sum() + theirs.sum(), reproduced=good, close=close, measured=measured)

    return rule


def depends_on_rule(tables: Tables) -> Verdict:
    """How much the rules differ in what the hybrid costs them."""
    lost = drops(tables["spectrum"], "hybrid 5").median()
    ratio, apart = lost.max() / max(lost.min(), 1e-3), lost.max() - lost.min()
    measured = f"accuracy lost to the hybrid: {listed(lost)}; largest less smallest {apart:.2f}"
    good, close = ratio >= 2 and apart >= 0.1, ratio >= 1.5 and apart >= 0.05
    return grade(ratio + lost.sum(), reproduced=good, close=close, measured=measured)


def little_between(first: str, second: str, data: str = "digits") -> Rule:
    """Return the rule that two adversaries cost nearly the same: the interval of the median paired difference."""

    def rule(tables: Tables) -> Verdict:
        gap = (drops(of(tables, data), first) - drops(of(tables, data), second)).to_numpy().ravel()
        middle, low, high = median_interval(gap)
        far = max(abs(low), abs(high))
        measured = f"{first} less {second}: median {middle:+.3f}, interval {low:+.3f} to {high:+.3f}"
        if low > 0 or high < 0:
            measured += f", which leaves zero out: {first} does {'more' if low > 0 else 'less'} harm"
        few, more = LIMITS
        return grade(middle + gap.sum(), reproduced=far < few, close=far < more, measured=measured, detail=_edge(far))

    return rule


def _edge(far: float) -> str:
    """Return how near the end of an interval lies to the limit that decides the verdict."""
    limit = min(LIMITS, key=lambda one: abs(far - one))
    told = f"the interval ends {abs(far - limit):.3f} {'above' if far >= limit else 'below'} the limit of {limit}"
    hint = "; the verdict rests at the edge, another few seeds may change it" if abs(far - limit) < 0.0125 else ""
    return f"{told}{hint}; runs of one population are not independent, so that the true interval is wider"


def fixed_beats_omniscient(tables: Tables) -> Verdict:
    """A fixed fifth of the clients against the round's honest updates, as what the attack is built on."""
    gap = (drops(tables["spectrum"], "compromised 20 %") - drops(tables["spectrum"], "omniscient")).median()
    more = int((gap > 0.02).sum())
    measured = f"compromised 20 % less omniscient: {listed(gap)}"
    return grade(gap.sum(), reproduced=more == len(ROBUST), close=more == len(ROBUST) - 1, measured=measured)


def mean_breaks(tables: Tables) -> Verdict:
    """Final accuracy of the plain mean under MPAF."""
    table = tables["mean"]
    rows = table[(table["rule"] == "mean") & (table["adversary"] == "MPAF")]
    final = rows[rows["round"] == rows["round"].max()]["accuracy"]
    if final.empty:
        raise KeyError("mean under MPAF")
    measured = f"final accuracy at most {final.max():.2f}"
    return grade(final.sum(), reproduced=final.max() <= 0.2, close=final.median() <= 0.2, measured=measured)


def alike_clients_resist(tables: Tables) -> Verdict:
    """Impact of the omniscient attack where clients are alike, over that where they differ."""
    table = tables["alike"]
    need(table, beta=1.0)
    differ = drops(tables["spectrum"], "omniscient").median()
    alike = drops(table[table["beta"] == 1.0], "omniscient").median()
    ratio = alike / differ.where(differ >= 0.05)  # where clients differ the attack must have done something
    told = ", ".join(f"{rule} {value:.2f}" for rule, value in ratio.dropna().items())
    measured = f"impact at beta 1 over beta 0.1: {told}"
    small = int((ratio < 0.5).sum())
    return grade(alike.sum() + differ.sum(), reproduced=small >= 3, close=small >= 2, measured=measured)


def memorizes(tables: Tables) -> Verdict:
    """Distance of diffusion samples to the images learnt from, over that of held-out images, one client taken over."""
    table = tables["nearness"]
    need(table, compromised=1, source=("ddpm", "held out"))
    wide = table[table["compromised"] == 1].pivot_table(index="seed", columns="source", values="distance", dropna=False)
    ratio = wide["ddpm"] / wide["held out"]
    measured = f"distance over that of held-out images: {', '.join(f'{value:.2f}' for value in ratio)}"
    return grade(ratio.sum(), reproduced=ratio.max() < 0.8, close=ratio.median() < 1, measured=measured)


def best_hides(tables: Tables) -> Verdict:
    """Best less final accuracy under the tailored attacks: what the usual figure does not show."""
    final = drops(tables["spectrum"], "omniscient", "final_impact").median()
    gap = final - drops(tables["spectrum"], "omniscient").median()
    measured = f"final less best impact, omniscient: {listed(gap)}"
    more = int((gap > 0.02).sum())
    return grade(gap.sum(), reproduced=more >= 3, close=more >= 1, measured=measured)


def nearer_is_worse(tables: Tables) -> Verdict:
    """Rank correlation, by rule, between the cosine of an attacker's own updates to honest ones and what it costs."""
    table = tables["quality"]
    need(table, rule=ROBUST)
    groups = table[table["rule"].isin(ROBUST)].groupby("rule")
    ranks = pd.Series({rule: rows["cosine"].corr(rows["best_impact"], "spearman") for rule, rows in groups})
    blank = table[["cosine", "best_impact"]].isna().any().any()
    middle = float("nan") if blank else float(ranks.median())
    measured = f"rank correlation: {listed(ranks[list(ROBUST)])}"
    return grade(middle, reproduced=middle >= 0.8, close=middle >= 0.5, measured=measured)
