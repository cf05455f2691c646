"""What the hybrid adversary's own numbers do: virtual clients, images of each, and its real updates among them."""

import dataclasses
from collections.abc import Sequence

import pandas as pd

from lib.poisoning.baselines import make_attacker
from lib.poisoning.experiments.reference import compared_rounds
from lib.poisoning.experiments.spectrum import Rates, beside, impact, spectrum
from lib.poisoning.experiments.track import Progress, track
from lib.poisoning.federations import population
from lib.poisoning.plan import Plan


def ablation(
    known: pd.DataFrame,
    *,
    adversary: str = "bootstrap 5",
    virtual: Sequence[int] = (5, 40),
    images_each: Sequence[int] = (5, 80),
    rules: Sequence[str] = ("trimmed mean",),
    beta: float = 0.1,
    plan: Plan | None = None,
    rates: Rates | None = None,
    seeds: int = 2,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return what `adversary` costs on the digits with other numbers than those of `plan`, one changed at a time.

    Runs as in `plan` and without attack are those of the spectrum `known`.

    Returns:
        One row a rule, variant and seed: rule, virtual, images_each, own (whether the clients taken over train as
        well), seed, best_impact, and of the reference updates, medians over rounds: cosine, length, spread, classes
        (see `lib.poisoning.experiments.reference.compared_rounds`).
    """
    plan = plan or Plan()
    variants = [plan, *(dataclasses.replace(plan, virtual=count) for count in virtual)]
    variants += [dataclasses.replace(plan, images_each=count) for count in images_each]
    variants.append(dataclasses.replace(plan, own=True))
    lost = [_lost(known[known["rule"].isin(rules) & (known["seed"] < seeds)], adversary).assign(name="0")]
    for number, own in track(list(enumerate(variants))[1:], "ablation", progress):
        runs = spectrum(rules=rules, adversaries=[adversary], beta=beta, plan=own, rates=rates, seeds=seeds)
        lost.append(_lost(beside(runs, known, ["none"]), adversary).assign(name=str(number)))
    quality = pd.concat([_quality(variants, adversary, beta, plan, seed) for seed in range(seeds)])
    found = pd.concat(lost, ignore_index=True).merge(quality, on=["name", "seed"])
    for column in ("virtual", "images_each", "own"):
        found[column] = [getattr(variants[int(name)], column) for name in found["name"]]
    return found[
        ["rule", "virtual", "images_each", "own", "seed", "best_impact", *quality.columns.drop(["name", "seed"])]
    ]


def _lost(runs: pd.DataFrame, adversary: str) -> pd.DataFrame:
    found = impact(runs)
    return found.loc[found["adversary"] == adversary, ["rule", "seed", "best_impact"]]


def _quality(variants: Sequence[Plan], adversary: str, beta: float, plan: Plan, seed: int) -> pd.DataFrame:
    clients = population("digits", beta=beta, seed=seed)
    made = {str(i): make_attacker(adversary, clients, one, seed=seed) for i, one in enumerate(variants)}
    table = compared_rounds(made, clients, plan, every=5, seed=seed)
    return table.drop(columns="round").groupby(["name", "seed"]).median().reset_index()


HEADINGS = {
    "virtual": "virtual clients", "images_each": "images each", "own": "own clients train",
    "best_impact": "loss of best accuracy",
    "cosine": "cosine with honest", "length": "length / honest", "spread": "spread / honest",
    "classes": "class shares apart",
}  # fmt: skip


def ablation_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return the medians over seeds of `ablation` as they are read, under `HEADINGS`.

    One row a rule and variant, the first as everywhere else.
    """
    keys = ["rule", "virtual", "images_each", "own"]
    shown = table.groupby(keys, sort=False).median().drop(columns="seed").reset_index()
    return shown.assign(own=shown["own"].map({True: "yes", False: "no"})).rename(columns=HEADINGS)
