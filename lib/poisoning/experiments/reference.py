"""What honest training without attack shows: how far its updates agree, and how near an attacker's own come to them."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from lib.federated.model import Model
from lib.federated.types import ClientData, Tensors
from lib.poisoning.attackers import Attacker, TrainingAttacker
from lib.poisoning.baselines import make_attacker
from lib.poisoning.experiments.spectrum import impact
from lib.poisoning.experiments.track import Progress, track
from lib.poisoning.federations import CLASSES, Population, population
from lib.poisoning.plan import Plan
from lib.poisoning.theory import krum_angle_sine
from lib.poisoning.vectors import flat, unflat

LEARNERS = ("noise", "hybrid 1", "hybrid 5", "DCGAN 5", "bootstrap 5", "compromised 20 %")


def krum_guarantee(
    *, betas: Sequence[float] = (0.1, 1.0), f: int = 5, plan: Plan | None = None, seeds: int = 3, seed: int = 0
) -> pd.DataFrame:
    """Return by how much updates on the digits miss the condition of Krum's guarantee, round by round without attack.

    Returns:
        One row a beta, seed and round: beta, seed, round, ratio (`lib.poisoning.theory.krum_angle_sine` of a cohort's
        updates; the guarantee holds below one).
    """
    plan = plan or Plan()
    rows = [
        {"beta": beta, "seed": s, "round": round, "ratio": krum_angle_sine(updates, f)}
        for beta in betas
        for s in range(seed, seed + seeds)
        for round, _, updates in honest_rounds(population("digits", beta=beta, seed=s), plan, s)
    ]
    return pd.DataFrame(rows)


def reference_quality(
    *,
    adversaries: Sequence[str] = LEARNERS,
    beta: float = 0.1,
    plan: Plan | None = None,
    every: int = 5,
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return how the updates that attackers train for themselves compare with honest ones from the same weights.

    Returns:
        The columns of `compared_rounds`, and adversary.
    """
    plan, rows = plan or Plan(), []
    for s in track(range(seed, seed + seeds), "reference updates", progress):
        clients = population("digits", beta=beta, seed=s)
        attackers = {name: make_attacker(name, clients, plan, seed=s) for name in adversaries}
        rows.append(compared_rounds(attackers, clients, plan, every=every, seed=s))
    return pd.concat(rows, ignore_index=True).rename(columns={"name": "adversary"})


def compared_rounds(
    attackers: Mapping[str, Attacker], clients: Population, plan: Plan, *, every: int, seed: int
) -> pd.DataFrame:
    """Return how the updates that `attackers` train compare with honest ones in every so many rounds and the last.

    Returns:
        One row an attacker and compared round: name, seed, round, cosine (of the two means), length (the attacker's
        mean over the honest one's, Euclidean), spread (the same of the mean standard deviation), classes (total
        variation between the class shares of the attacker's images and of the honest clients').
    """
    rows, honest = [], class_shares(clients.honest.clients)
    apart = {name: _variation(class_shares(_learnt_from(one, clients)), honest) for name, one in attackers.items()}
    for round, weights, updates in honest_rounds(clients, plan, seed):
        if round % every == 0 or round == plan.rounds:
            for name, attacker in attackers.items():
                own = attacker.reference(weights, updates, np.random.default_rng([seed, 17, round]))
                row = {"name": name, "seed": seed, "round": round} | compared(own, updates)
                rows.append(row | {"classes": apart[name]})
    return pd.DataFrame(rows)


def _learnt_from(attacker: Attacker, clients: Population) -> Sequence[ClientData]:
    """Return the data behind an attacker's reference updates: its own, or the honest clients' if it is omniscient."""
    return attacker.shards if isinstance(attacker, TrainingAttacker) else clients.honest.clients


def _variation(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().sum() / 2)


def class_shares(datas: Sequence[ClientData]) -> torch.Tensor:
    """Return the share ``(classes,)`` of each class among the training examples of `datas`."""
    labels = torch.cat([one.train_y for one in datas]).cpu()
    return torch.bincount(labels, minlength=CLASSES) / len(labels)


def compared(own: torch.Tensor, honest: torch.Tensor) -> dict[str, float]:
    """Return cosine and ratio of lengths of the means of two sets of updates ``(n, d)``, and the ratio of spreads."""
    ours, theirs = own.mean(dim=0), honest.mean(dim=0)
    return {
        "cosine": float(ours @ theirs / (ours.norm() * theirs.norm())),
        "length": float(ours.norm() / theirs.norm()),
        "spread": float(own.std(dim=0).mean() / honest.std(dim=0).mean()),
    }


def quality_and_impact(quality: pd.DataFrame, spectrum: pd.DataFrame) -> pd.DataFrame:
    """Return, for each rule, adversary and seed of both tables, the median cosine and the best accuracy lost.

    Returns:
        One row each: rule, adversary, seed, cosine, classes (see `compared_rounds`), best_impact.
    """
    cosine = quality.groupby(["adversary", "seed"])[["cosine", "classes"]].median().reset_index()
    lost = impact(spectrum)[["rule", "adversary", "seed", "best_impact"]]
    return lost.merge(cosine, on=["adversary", "seed"])


def honest_rounds(clients: Population, plan: Plan, seed: int) -> Iterator[tuple[int, Tensors, torch.Tensor]]:
    """Yield round, weights before it and a cohort's updates ``(cohort, d)`` of plain averaging without attack."""
    model, rng = Model(clients.net), np.random.default_rng([seed, 19])
    weights, datas = model.init(seed), clients.honest.clients
    trainer = TrainingAttacker(malicious=0, model=model, local=plan.local, shards=datas)
    for round in range(1, plan.rounds + 1):
        chosen = [datas[i] for i in sorted(rng.choice(len(datas), size=plan.cohort, replace=False))]
        updates = trainer.trained(weights, chosen, rng)
        yield round, weights, updates
        weights = unflat(flat(weights) + updates.mean(dim=0), weights)
