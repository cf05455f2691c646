"""The rules that judge what happens over the rounds, and over the malicious share of a cohort."""

from collections.abc import Mapping

import pandas as pd

from lib.poisoning.experiments.spectrum import impact
from lib.poisoning.rules_spectrum import Rule, of
from lib.report import Missing, Verdict, grade, need

Tables = Mapping[str, pd.DataFrame]
FAKES = ("MPAF", "noise")
DATA = "bootstrap 5"  # the adversary of the sweeps over shares that has data: the hybrid without a generator
MANY = 0.4  # the share at which the curves are said to meet


def recovers(tables: Tables) -> Verdict:
    """How far the accuracy under the trimmed mean ends below its best, by adversary."""
    names = ("MPAF", "hybrid 5", "omniscient")
    need(tables["spectrum"], rule="trimmed mean", adversary=("none", *names))
    found = impact(tables["spectrum"][tables["spectrum"]["rule"] == "trimmed mean"])
    late = (found["best"] - found["final"]).groupby(found["adversary"]).median()[list(names)]
    measured = f"last accuracy below the best: {', '.join(f'{name} {value:.3f}' for name, value in late.items())}"
    behind = float(late[1:].min() - late["MPAF"])
    good = late["MPAF"] <= 0.02 and behind >= 0.02
    return grade(late.sum(), reproduced=good, close=behind > 0, measured=measured)


def swept(tables: Tables, data: str) -> pd.DataFrame:
    """Return the runs of the sweep over shares on `data`: the digits' own table, or that part of the real one."""
    if data == "digits":
        return tables["by_share"]
    need(tables["real_shares"], data=data)
    return tables["real_shares"][tables["real_shares"]["data"] == data]


def best_by_share(table: pd.DataFrame) -> pd.DataFrame:
    """Return the best accuracy, the median over seeds: one row a rule and share above zero, one column an adversary."""
    need(table, adversary=(*FAKES, DATA))
    table = table[table["adversary"].isin((*FAKES, DATA)) & (table["share"] > 0)]
    runs = table.groupby(["rule", "share", "adversary", "seed"])["accuracy"].agg(lambda one: one.max(skipna=False))
    medians = runs.groupby(["rule", "share", "adversary"]).agg(lambda one: one.median(skipna=False))
    return pd.DataFrame({name: medians.xs(name, level="adversary") for name in (*FAKES, DATA)})


def leads_at_few(data: str) -> Rule:
    """Return the rule that up to a share of one fifth the adversary with data does more harm than fakes without."""

    def rule(tables: Tables) -> Verdict:
        table = swept(tables, data)
        if data != "digits":  # whose sweep has the share of the spectrum as well
            known = of(tables, data)
            table = pd.concat([table, known[known["rule"].isin(table["rule"])]], ignore_index=True)
        wide = best_by_share(table)
        wide = wide[wide.index.get_level_values("share") <= 0.2]
        if wide.empty:
            raise Missing("a share of attackers up to 20 %")
        lead = wide[list(FAKES)].min(axis=1, skipna=False) - wide[DATA]
        told = ", ".join(f"{name} at {share:.0%} {value:+.3f}" for (name, share), value in lead.items())
        ahead = int((lead >= 0.02).sum())
        enough = {"reproduced": ahead == len(lead), "close": bool((lead > 0).all())}
        return grade(lead.sum(skipna=False), **enough, measured=f"ahead of the stronger fakes: {told}")

    return rule


def meets_at_many(data: str) -> Rule:
    """Return the rule that at a share of two fifths all adversaries leave nearly the same accuracy."""

    def rule(tables: Tables) -> Verdict:
        wide = best_by_share(swept(tables, data))
        wide = wide[wide.index.get_level_values("share") == MANY].droplevel("share")
        if wide.empty:
            raise Missing(f"share = {MANY}")
        apart = wide.max(axis=1, skipna=False) - wide.min(axis=1, skipna=False)
        rows = (f"{name}: {', '.join(f'{who} {row[who]:.2f}' for who in wide)}" for name, row in wide.iterrows())
        enough = {"reproduced": bool((apart < 0.1).all()), "close": bool((apart < 0.2).all())}
        return grade(apart.sum(skipna=False), **enough, measured=f"best accuracy, {'; '.join(rows)}")

    return rule
