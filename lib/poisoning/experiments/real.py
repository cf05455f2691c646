"""The spectrum on real images: many short runs, each a job that any process can do.

The notebook does the jobs one after the other, ``python -m lib.poisoning.real`` several at once.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from lib.poisoning.baselines import GENERATORS, PUBLISHED, make_attacker
from lib.poisoning.experiments.memorization import image_rows
from lib.poisoning.experiments.spectrum import TUNING_SEED, Rates, accuracy_by_round, tuned
from lib.poisoning.experiments.track import Progress, track
from lib.poisoning.federations import population
from lib.poisoning.plan import Plan
from lib.poisoning.theory import RULES

ROBUST = ("median", "trimmed mean", "norm bound", "Multi-Krum")
LATER = ("centred clipping", "bucketing + trimmed mean", "AFA", "FoolsGold")  # jobs of their own: records lack them
OTHERS = tuple(name for name in RULES if name not in ("mean", *ROBUST, *LATER))
KNOWN = ("mnist", "femnist-digits", "cifar10")
RATES = (0.1, 0.03, 0.01)
SIZED = ("mnist",)  # where the number of clients taken over varies
SWEPT = ("mnist", "cifar10")  # where shares, directions and further rules vary
SPECTRUM = ("none", "MPAF", "MPAF 1", "noise", "compromised 5", "bootstrap 5", "compromised 20 %", "omniscient")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """Federated runs on one data set against one adversary, one a rule; `table` is where their rows belong."""

    table: str
    data: str
    adversary: str
    rules: tuple[str, ...] = ROBUST
    seed: int = 0
    beta: float = 0.1
    share: float = 0.2
    kind: str = "unit"
    rate: float | None = None


def tuning_jobs(data_sets: Sequence[str], *, rules: Sequence[str], rates: Sequence[float] = RATES) -> list[Job]:
    """Return the runs without attack that choose each rule's learning rate."""
    shared = {"table": "real_rates", "adversary": "none", "seed": TUNING_SEED}
    return [Job(data=data, rules=(rule,), rate=lr, **shared) for data in data_sets for rule in rules for lr in rates]


def attack_jobs(
    data_sets: Sequence[str], *, taken: Sequence[int], seeds: int, whole: Sequence[str] = KNOWN
) -> list[Job]:
    """Return the runs under attack, the longest and the most telling first; all but the spectrum only on `whole`.

    The spectrum and its generators fill the table real, with every number of `taken` clients on `SIZED` and five on the
    others. Further attacks fill real_attacks, clients that are alike real_alike, and on `SWEPT` other malicious shares
    real_shares, other directions real_directions and other rules real_rules.
    """
    found: list[Job] = []

    def add(table: str, adversaries: Iterable[str], among: Iterable[str] = KNOWN, **options: object) -> None:
        chosen = [data for data in data_sets if data in among and (table == "real" or data in whole)]
        shared = [{"table": table, "seed": s, "data": data} for s in range(seeds) for data in chosen]
        found.extend(Job(adversary=one, **options, **place) for place in shared for one in adversaries)

    others = [count for count in taken if count != 5]
    for kind in ("hybrid", "DCGAN"):
        add("real", [f"{kind} 5"])
        add("real", [f"{kind} {count}" for count in others], among=SIZED)
    add("real", SPECTRUM)
    add("real", [f"bootstrap {count}" for count in others], among=SIZED)
    add("real", ["none", "MPAF"], rules=("mean",))
    add("real_attacks", PUBLISHED)
    add("real_alike", ["none", "MPAF", "bootstrap 5", "omniscient"], beta=np.inf)
    for kind in ("std", "sign"):
        add("real_directions", ["bootstrap 5", "omniscient"], kind=kind, among=SWEPT)
    for rules in (OTHERS, LATER):
        add("real_rules", ["none", "MPAF", "bootstrap 5", "omniscient"], rules=rules, among=SWEPT)
    for share in (0.08, 0.4):
        add("real_shares", ["MPAF", "noise", "bootstrap 5"], share=share, among=SWEPT)
    return found


def left(jobs: Sequence[Job], tables: Mapping[str, pd.DataFrame]) -> list[Job]:
    """Return those of `jobs` of which `tables`, as `do` returns them, have no rows yet."""
    known = set()
    for name, table in tables.items():
        if name != "real_images":
            apart = "rate" if name == "real_rates" else "share"
            keys = table[["data", "adversary", "kind", "seed", "rule", apart]].drop_duplicates()
            known |= {(name, *row) for row in keys.itertuples(index=False)}

    def done(job: Job) -> bool:
        apart = job.rate if job.table == "real_rates" else 0.0 if job.adversary == "none" else job.share
        return all((job.table, job.data, job.adversary, job.kind, job.seed, rule, apart) in known for rule in job.rules)

    return [job for job in jobs if not done(job)]


def do(job: Job, plan: Plan, rates: Rates, *, device: str = "cpu") -> dict[str, pd.DataFrame]:
    """Return the tables of one job: its own, and real_images of an adversary that synthesizes images.

    Generators work on `device`; what clients train stays on the processor, because those steps are too small for an
    accelerator that jobs share. An infinite beta is ten where a data set has no users.

    Returns:
        Its own table has one row a rule and evaluated round: data, rule, adversary, kind, beta, share, seed, rate,
        round, accuracy. real_images: see `lib.poisoning.experiments.memorization.image_rows`.
    """
    beta = 10.0 if job.beta == np.inf and job.data != "femnist-digits" else job.beta
    clients = population(job.data, beta=beta, seed=job.seed)
    plan = dataclasses.replace(plan, share=job.share, kind=job.kind)
    kind, _, amount = job.adversary.partition(" ")
    learns = kind in ("hybrid", "DCGAN")
    attacker = make_attacker(job.adversary, clients, plan, seed=job.seed, device=device if learns else "cpu")
    attacker = attacker.to("cpu") if attacker else None
    parts = []
    for rule in job.rules:
        own = dataclasses.replace(plan, lr=job.rate or rates[job.data, rule])
        curve = accuracy_by_round(clients, rule, attacker, own, seed=job.seed)
        labels = {"data": job.data, "rule": rule, "adversary": job.adversary, "kind": job.kind, "beta": beta}
        labels |= {"share": 0.0 if attacker is None else job.share, "seed": job.seed, "rate": own.lr}
        parts.append(curve.assign(**labels)[[*labels, "round", "accuracy"]])
    tables = {job.table: pd.concat(parts, ignore_index=True)}
    if learns and job.table == "real":
        rows = image_rows(attacker, clients, int(amount), GENERATORS[kind], others=kind == "hybrid")
        tables["real_images"] = rows.assign(data=job.data, seed=job.seed)
    return tables


def real_tables(
    data_sets: Sequence[str],
    *,
    taken: Sequence[int] = (1, 5, 10),
    plan: Plan | None = None,
    seeds: int = 3,
    whole: bool = False,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables of `tuning_jobs` and `attack_jobs` on those of `data_sets` that are `KNOWN`, by name.

    Raises ValueError for a data set that is neither known nor the digits.
    """
    unknown = sorted(set(data_sets) - {"digits", *KNOWN})
    if unknown:
        raise ValueError(f"unknown data set {unknown[0]!r}: choose from digits, {', '.join(KNOWN)}")
    plan, wanted = plan or Plan(), [name for name in data_sets if name in KNOWN]
    if not wanted:
        return {}
    rules = ("mean", *ROBUST, *OTHERS, *LATER) if whole else ("mean", *ROBUST)
    tables = collected(
        do(job, plan, {}, device=device) for job in track(tuning_jobs(wanted, rules=rules), "learning rates", progress)
    )
    rates = tuned(tables["real_rates"])
    jobs = attack_jobs(wanted, taken=taken, seeds=seeds, whole=wanted if whole else ())
    return tables | collected(do(job, plan, rates, device=device) for job in track(jobs, "real data", progress))


def collected(found: Iterable[Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """Return the tables of several jobs, those of one name together."""
    parts: dict[str, list[pd.DataFrame]] = {}
    for tables in found:
        for name, table in tables.items():
            parts.setdefault(name, []).append(table)
    return {name: pd.concat(tables, ignore_index=True) for name, tables in parts.items()}
