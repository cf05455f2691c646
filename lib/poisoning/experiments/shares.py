"""Impact against the malicious share of a cohort, and what each adversary costs for its impact."""

import dataclasses
from collections.abc import Mapping, Sequence

import pandas as pd

from lib.poisoning.adversary import Adversary, Costs, cost
from lib.poisoning.baselines import make_attacker
from lib.poisoning.experiments.spectrum import Rates, accuracy_by_round, impact
from lib.poisoning.experiments.track import Progress, track
from lib.poisoning.federations import population
from lib.poisoning.plan import Plan


def by_share(
    *,
    shares: Sequence[float] = (0.0, 0.08, 0.2, 0.4),
    rules: Sequence[str] = ("trimmed mean", "Multi-Krum"),
    adversaries: Sequence[str] = ("MPAF", "noise", "bootstrap 5"),
    beta: float = 0.1,
    plan: Plan | None = None,
    rates: Rates | None = None,
    known: pd.DataFrame | None = None,
    seeds: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy on the digits by rule, adversary, beta, share of a cohort, seed and round, see `spectrum`.

    Share zero is no attack. A generator is trained once and serves every share. Runs that are in `known`, the table of
    `spectrum` at the same beta and plan, are taken from there.
    """
    plan = plan or Plan()
    parts = []
    jobs = [(s, name) for s in range(seed, seed + seeds) for name in adversaries]
    for s, name in track(jobs, "malicious share", progress):
        clients = population("digits", beta=beta, seed=s)
        attacker = make_attacker(name, clients, plan, seed=s)
        for share in shares:
            count = round(share * plan.cohort)
            present = dataclasses.replace(attacker, malicious=count) if count else None
            for rule in rules:
                own = dataclasses.replace(plan, lr=(rates or {}).get(("digits", rule), plan.lr))
                curve = _taken_from(known, rule, name if count else "none", share, s)
                curve = accuracy_by_round(clients, rule, present, own, seed=s) if curve.empty else curve
                labels = {"rule": rule, "adversary": name, "beta": beta, "share": share, "seed": s}
                parts.append(curve.assign(**labels)[[*labels, "round", "accuracy"]])
    return pd.concat(parts, ignore_index=True)


def _taken_from(known: pd.DataFrame | None, rule: str, adversary: str, share: float, seed: int) -> pd.DataFrame:
    """Return round and accuracy of one run of the spectrum, no rows if it is not there."""
    if known is None:
        return pd.DataFrame({"round": [], "accuracy": []})
    same = (known["rule"] == rule) & (known["adversary"] == adversary) & (known["seed"] == seed)
    return known.loc[same & (known["share"] == share), ["round", "accuracy"]]


# Adversaries of the spectrum by name: how many clients they take over, and whether fakes make up the rest.
PLACES: Mapping[str, tuple[int, bool]] = {
    "MPAF": (0, True),
    "noise": (0, True),
    "compromised 5": (5, False),
    "hybrid 1": (1, True),
    "hybrid 5": (5, True),
    "DCGAN 5": (5, True),
    "bootstrap 5": (5, True),
}


def placed(name: str, *, genuine: int = 100, share: float = 0.2) -> Adversary | None:
    """Return the adversary of the spectrum called `name` on the axes; None where it has no place in the population.

    Fakes join the `genuine` clients until malicious clients are `share` of all.
    """
    if name.startswith("compromised") and name.endswith("%"):
        return Adversary(clients="compromised", data="own", compromised=round(share * genuine))
    if name not in PLACES:
        return None
    taken, fake = PLACES[name]
    # taken + fakes is `share` of genuine + fakes
    fakes = round((share * genuine - taken) / (1 - share)) if fake else 0
    kind = {(True, True): "hybrid", (True, False): "compromised", (False, True): "fake"}[taken > 0, fakes > 0]
    data = {"MPAF": "none", "noise": "noise"}.get(name, "synthetic" if name[:2] in ("hy", "DC") else "own")
    return Adversary(clients=kind, data=data, compromised=taken, fakes=fakes)


def placement(*, genuine: int = 100, share: float = 0.2) -> pd.DataFrame:
    """Return where the adversaries of the spectrum stand: adversary, clients, data, compromised, fakes.

    Numbers are those that make malicious clients `share` of a population with `genuine` genuine ones ("compromised 5"
    stays below).
    """
    rows = []
    for name in (*PLACES, f"compromised {share:.0%}".replace("%", " %")):
        place = placed(name, genuine=genuine, share=share)
        counts = {"compromised": place.compromised, "fakes": place.fakes}
        rows.append({"adversary": name, "clients": place.clients, "data": place.data} | counts)
    return pd.DataFrame(rows)


def cost_and_impact(table: pd.DataFrame, *, ratios: Sequence[float] = (1, 10, 100, 1000)) -> pd.DataFrame:
    """Return cost and impact of the adversaries in `table`, that of the spectrum, at several price ratios.

    Returns:
        One row a rule, adversary and ratio of a compromised client's price to a fake's: rule, adversary, ratio, cost
        (in fakes), best_impact (median over seeds), front (no cheaper adversary does more harm to that rule).
    """
    middle = impact(table).groupby(["rule", "adversary"], sort=False)["best_impact"].median().reset_index()
    rows = []
    for ratio in ratios:
        prices = Costs(compromised=ratio, fake=1.0)
        for row in middle.itertuples():
            place = placed(row.adversary)
            if place is not None:
                priced = {"ratio": ratio, "cost": cost(place, prices), "best_impact": row.best_impact}
                rows.append({"rule": row.rule, "adversary": row.adversary} | priced)
    found = pd.DataFrame(rows)
    groups = found.groupby(["rule", "ratio"], sort=False)
    front = [_on_front(row, groups.get_group((row.rule, row.ratio))) for row in found.itertuples()]
    return found.assign(front=front)


def _on_front(row, others: pd.DataFrame) -> bool:
    cheaper = (others["cost"] <= row.cost) & (others["best_impact"] >= row.best_impact)
    better = (others["cost"] < row.cost) | (others["best_impact"] > row.best_impact)
    return not bool((cheaper & better).any())
