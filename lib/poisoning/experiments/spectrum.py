"""The spectrum of adversaries against robust rules: accuracy round by round."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import pandas as pd

from lib.federated.model import Model
from lib.federated.run import run
from lib.poisoning.attackers import Attacker
from lib.poisoning.baselines import ADVERSARIES, make_attacker
from lib.poisoning.experiments.track import Progress, track
from lib.poisoning.federations import Population, population
from lib.poisoning.plan import Plan
from lib.poisoning.robust_averaging import RobustAveraging

RULES = ("mean", "median", "trimmed mean", "norm bound", "Multi-Krum")
PLAIN = ("trimmed mean", "Multi-Krum")  # told of no attacker they are the mean
TUNING_SEED = 1000  # another population, so that nothing is tuned on what is judged
Rates = Mapping[tuple[str, str], float]


def spectrum(
    *,
    rules: Sequence[str] = RULES,
    adversaries: Sequence[str] = ADVERSARIES,
    data: str = "digits",
    beta: float = 0.1,
    plan: Plan | None = None,
    rates: Rates | None = None,
    seeds: int = 3,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the accuracy of the global model on test images of `data`, by rule, adversary, seed and round.

    Adversaries are "none", "MPAF" (fakes; "MPAF 1" with that scale), "noise" (fakes that train on noise), "compromised
    C" (C of the genuine clients, in a cohort as often as they are drawn), "compromised P %" (that share of every
    cohort, and as many clients within reach train for the reference), "omniscient" (the round's honest updates), and
    "hybrid C", "DCGAN C", "bootstrap C" (C clients taken over, the rest of the malicious share fakes). These send the
    attack tailored to the rule, MPAF excepted. Others are the published attacks of
    `lib.poisoning.baselines.PUBLISHED`. `rates` are learning rates by data set and rule, see `tuned`; where there is
    none, that of `plan` counts.

    Returns:
        One row a rule, adversary, seed and evaluated round: rule, adversary, kind (direction), beta, share, seed, rate,
        round, accuracy.
    """
    plan = plan or Plan()
    parts = []
    jobs = [(s, name) for s in range(seed, seed + seeds) for name in adversaries]
    for s, name in track(jobs, "spectrum", progress):
        clients = population(data, beta=beta, seed=s)
        attacker = make_attacker(name, clients, plan, seed=s, device=device)
        share = 0.0 if attacker is None else plan.share
        for rule in rules:
            own = dataclasses.replace(plan, lr=(rates or {}).get((data, rule), plan.lr))
            curve = accuracy_by_round(clients, rule, attacker, own, seed=s, device=device)
            labels = {"rule": rule, "adversary": name, "kind": plan.kind, "beta": beta, "share": share}
            labels |= {"seed": s, "rate": own.lr}
            parts.append(curve.assign(**labels)[[*labels, "round", "accuracy"]])
    return pd.concat(parts, ignore_index=True)


def accuracy_by_round(
    clients: Population, rule: str, attacker: Attacker | None, plan: Plan, *, seed: int, device: str = "cpu"
) -> pd.DataFrame:
    """Return round and accuracy of one federated run on `device` under `rule`, the attacker's data being there too.

    Clients of an attacker train as the honest ones do. Without an attacker runs are kept, and rules that are the mean
    when they are told of nobody share them.
    """
    if attacker is None:
        told = plan.tolerated in ("oracle", "expected")
        return _unattacked(clients, "mean" if told and rule in PLAIN else rule, plan, seed, device).copy()
    return _accuracy_by_round(clients, rule, attacker, plan, seed, device)


@functools.lru_cache(maxsize=32)
def _unattacked(clients: Population, rule: str, plan: Plan, seed: int, device: str) -> pd.DataFrame:
    return _accuracy_by_round(clients, rule, None, plan, seed, device)


def _accuracy_by_round(
    clients: Population, rule: str, attacker: Attacker | None, plan: Plan, seed: int, device: str
) -> pd.DataFrame:
    if hasattr(attacker, "local"):
        attacker = dataclasses.replace(attacker, local=plan.local)
    algorithm = RobustAveraging(
        model=Model(clients.net),
        local=plan.local,
        cohort_size=plan.cohort,
        defence=rule,
        attacker=attacker,
        tolerated=plan.tolerated,
        attack_seed=seed,
    )
    history = run(
        algorithm,
        clients.honest,
        rounds=plan.rounds,
        cohort_size=plan.cohort,
        seed=seed,
        evaluate_every=plan.evaluate_every,
        device=device,
    )
    table = history.table
    table = table[table["global_accuracy"].notna()]
    return table[["round", "global_accuracy"]].rename(columns={"global_accuracy": "accuracy"})


def learning_rates(
    *,
    rules: Sequence[str] = RULES,
    rates: Sequence[float] = (0.1, 0.03, 0.01),
    data: str = "digits",
    beta: float = 0.1,
    plan: Plan | None = None,
    seed: int = TUNING_SEED,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy without attack under every rule at every learning rate, on a population of its own.

    Returns:
        The columns of `spectrum`, and data.
    """
    plan, parts = plan or Plan(), []
    for lr in track(rates, "learning rates", progress):
        own = dataclasses.replace(plan, lr=lr)
        parts.append(spectrum(rules=rules, adversaries=["none"], data=data, beta=beta, plan=own, seeds=1, seed=seed))
    return pd.concat(parts, ignore_index=True).assign(data=data)


def tuned(table: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return the learning rate of the best accuracy without attack, by data set and rule."""
    best = table.groupby(["data", "rule", "rate"])["accuracy"].max().reset_index()
    rows = best.loc[best.groupby(["data", "rule"])["accuracy"].idxmax()]
    return {(row.data, row.rule): row.rate for row in rows.itertuples()}


def by_direction(
    known: pd.DataFrame,
    *,
    kinds: Sequence[str] = ("std", "sign"),
    adversaries: Sequence[str] = ("omniscient",),
    plan: Plan | None = None,
    rates: Rates | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return runs along other directions beside those of the spectrum `known`, on the digits.

    Rules, seeds and beta are those of `known`, whose rows without attack and against `adversaries` come first.
    """
    plan, parts = plan or Plan(), []
    rules, seeds = list(dict.fromkeys(known["rule"])), known["seed"].unique()
    shared = {"rules": rules, "adversaries": adversaries, "beta": float(known["beta"].iloc[0]), "rates": rates}
    for kind in track([kind for kind in kinds if kind != plan.kind], "directions", progress):
        own = dataclasses.replace(plan, kind=kind)
        parts.append(spectrum(plan=own, seeds=len(seeds), seed=int(min(seeds)), **shared))
    return beside(pd.concat(parts, ignore_index=True), known, ("none", *adversaries))


def by_beta(
    betas: Sequence[float], *, seeds: int = 2, progress: Progress | None = None, **options: object
) -> pd.DataFrame:
    """Return the table of `spectrum`, called with `options`, at every one of `betas`: how much clients differ."""
    parts = [spectrum(beta=beta, seeds=seeds, **options) for beta in track(betas, "heterogeneity", progress)]
    return pd.concat(parts, ignore_index=True)


def beside(table: pd.DataFrame, known: pd.DataFrame, adversaries: Sequence[str]) -> pd.DataFrame:
    """Return the rows of `known` against `adversaries` under the rules and seeds of `table`, and then `table`."""
    same = known["rule"].isin(table["rule"]) & known["seed"].isin(table["seed"])
    return pd.concat([known[same & known["adversary"].isin(adversaries)], table], ignore_index=True)


def impact(table: pd.DataFrame) -> pd.DataFrame:
    """Return, per rule, adversary and seed, what the attack costs: best and final accuracy, and the drops.

    Columns: those that identify a run, best, final, and the same under no attack less these (best_impact,
    final_impact). The best over the rounds is what the literature reports; it hides a late collapse.
    """
    keys = [name for name in table.columns if name not in ("round", "accuracy")]
    ordered = table.sort_values("round")
    found = ordered.groupby(keys, sort=False)["accuracy"].agg(best="max", final="last").reset_index()
    same = ["rule", "beta", "seed"]
    clean = found[found["adversary"] == "none"].set_index(same)[["best", "final"]].add_prefix("clean_")
    joined = found.join(clean, on=same)
    drops = {f"{name}_impact": joined[f"clean_{name}"] - joined[name] for name in ("best", "final")}
    return joined.assign(**drops).drop(columns=["clean_best", "clean_final"])
