"""The rules that judge the claims about adversaries: one function a claim, from tables to a verdict."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from lib.poisoning.experiments.spectrum import impact
from lib.report import Verdict, grade

Tables = Mapping[str, pd.DataFrame]
ROBUST = ("median", "trimmed mean", "norm bound", "Multi-Krum")


def drops(table: pd.DataFrame, adversary: str, value: str = "best_impact") -> pd.DataFrame:
    """Return the accuracy that `adversary` costs each robust rule, one row a seed and one column a rule."""
    found = impact(table)
    rows = found[(found["adversary"] == adversary) & found["rule"].isin(ROBUST)]
    wide = rows.pivot_table(index="seed", columns="rule", values=value, dropna=False)
    return wide[list(ROBUST)]


def listed(values: pd.Series) -> str:
    """Return ``"median +0.12, trimmed mean +0.30"`` of a series over rules."""
    return ", ".join(f"{rule} {value:+.3f}" for rule, value in values.items())


def fakes_are_weak(tables: Tables) -> Verdict:
    """Best accuracy lost to MPAF under each robust rule."""
    lost = drops(tables["spectrum"], "MPAF").median()
    weak = int((lost < 0.10).sum())
    measured = f"accuracy lost: {listed(lost)}"
    return grade(lost.sum(), reproduced=weak == len(ROBUST), close=weak >= 3, measured=measured)


def ahead(adversary: str, rival: str, margin: float, *, table: str = "spectrum") -> Callable[[Tables], Verdict]:
    """Return the rule that `adversary` costs more than `rival` by `margin`, everywhere; close if in every median."""

    def rule(tables: Tables) -> Verdict:
        gap = drops(tables[table], adversary) - drops(tables[table], rival)
        measured = f"median difference in accuracy lost: {listed(gap.median())}; smallest {gap.min().min():+.3f}"
        every = bool((gap >= margin).all().all())
        return grade(gap.sum().sum(), reproduced=every, close=bool((gap.median() > 0).all()), measured=measured)

    return rule


def approaches_compromised(tables: Tables) -> Verdict:
    """The hybrid's impact as a share of that of four times as many compromised clients."""
    ours, theirs = (drops(tables["spectrum"], name).median() for name in ("hybrid 5", "compromised 20 %"))
    share = ours / theirs
    measured = f"share of the impact: {', '.join(f'{rule} {value:.0%}' for rule, value in share.items())}"
    good = bool((share >= 0.75).all())
    return grade(share.sum(), reproduced=good, close=int((share >= 0.5).sum()) >= 3, measured=measured)


def depends_on_rule(tables: Tables) -> Verdict:
    """How much the rules differ in what the hybrid costs them."""
    lost = drops(tables["spectrum"], "hybrid 5").median()
    ratio = lost.max() / max(lost.min(), 1e-3)
    measured = f"accuracy lost to the hybrid: {listed(lost)}; largest over smallest {ratio:.1f}"
    return grade(ratio + lost.sum(), reproduced=ratio >= 2, close=ratio >= 1.5, measured=measured)


def little_between(first: str, second: str, *, table: str = "spectrum") -> Callable[[Tables], Verdict]:
    """Return the rule that two adversaries cost nearly the same: median paired difference and its range."""

    def rule(tables: Tables) -> Verdict:
        gap = (drops(tables[table], first) - drops(tables[table], second)).to_numpy().ravel()
        middle = float(np.median(gap))
        measured = f"{first} less {second}: median {middle:+.3f}, from {gap.min():+.3f} to {gap.max():+.3f}"
        return grade(middle, reproduced=abs(middle) < 0.03, close=abs(middle) < 0.06, measured=measured)

    return rule


def fixed_beats_omniscient(tables: Tables) -> Verdict:
    """A fixed fifth of the clients against the round's honest updates, as what the attack is built on."""
    gap = (drops(tables["spectrum"], "compromised 20 %") - drops(tables["spectrum"], "omniscient")).median()
    more = int((gap > 0).sum())
    measured = f"compromised 20 % less omniscient: {listed(gap)}"
    return grade(gap.sum(), reproduced=more >= 2, close=more == 1, measured=measured)


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
    differ, alike = (drops(tables[name], "omniscient").median() for name in ("spectrum", "alike"))
    ratio = alike / differ
    measured = f"impact at beta 1 over beta 0.1: {', '.join(f'{rule} {value:.2f}' for rule, value in ratio.items())}"
    small = int((ratio < 0.5).sum())
    return grade(ratio.sum(), reproduced=small >= 3, close=small >= 2, measured=measured)


def memorizes(tables: Tables) -> Verdict:
    """Distance of diffusion samples to the images learnt from, over that of held-out images, one client taken over."""
    table = tables["nearness"]
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
