"""The rules that judge the claims about who gains and who is harmed: one function a claim, from tables to a verdict."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.flow.baselines.methods import UNTUNED
from lib.flow.outcomes import by_run
from lib.report import Missing, Verdict, grade, need
from lib.report.claims import NOT_JUDGED

Tables = Mapping[str, pd.DataFrame]
AIM = 0.03  # gain over fine-tuning that would confirm the paper at rho = 0.25
SHARES = (0.25, 0.5, 0.75)  # values of rho that rules ask for
FINE_TUNED = ("FedAvg + FT", UNTUNED)


def values(table: pd.DataFrame, method: str, value: str, **where: object) -> pd.Series:
    """Return the mean over clients of `value` in each run of `method`, by seed."""
    for column, wanted in where.items():
        table = table[table[column] == wanted]
    rows = table[table["method"] == method]
    if rows.empty:
        raise Missing(f"{method} {where or ''}".strip())
    return by_run(rows, ["seed"]).set_index("seed")[value] if "client" in rows else rows.set_index("seed")[value]


def paired(table: pd.DataFrame, first: str, second: str, value: str = "personal", **where: object) -> np.ndarray:
    """Return the difference of `value` between two methods, one number a seed that has both."""
    sides = [values(table, name, value, **where) for name in (first, second)]
    both = pd.concat(sides, axis=1, join="inner")
    if both.empty:
        raise Missing(f"{first} beside {second} {where or ''}".strip())
    return (both.iloc[:, 0] - both.iloc[:, 1]).to_numpy()


def by_seed(numbers: np.ndarray) -> str:
    """Return the median of the numbers, one a seed, and all of them, smallest first."""
    if not len(numbers):
        return "no seed"
    return f"median {np.median(numbers):+.3f} of " + ", ".join(f"{number:+.3f}" for number in np.sort(numbers))


def missed(gain: float) -> str:
    """Return ``"the median misses three points by 0.20 of a point"``; nothing where a gain in accuracy reaches them."""
    return "" if gain >= AIM else f"the median misses three points by {100 * (AIM - gain):.2f} of a point"


def accuracy(other: str):
    """Return the rule on Flow against `other`, a fine-tuned FedAvg, at rho = 0.25, paired by seed."""

    def rule(tables: Tables) -> Verdict:
        gain = paired(tables["clients"], "Flow", other, rho=0.25, delta=1.0)
        measured = f"Flow minus {other}, {by_seed(gain)}"
        detail = missed(np.median(gain))
        return grade(gain.min(), reproduced=gain.min() >= AIM, close=gain.min() > 0, measured=measured, detail=detail)

    return rule


def harmed(tables: Tables) -> Verdict:
    """Clients harmed by Flow and by fine-tuning at rho = 0.25."""
    where = {"rho": 0.25, "delta": 1.0}
    ours, theirs = (values(tables["clients"], name, "harmed", **where) for name in ("Flow", "FedAvg + FT"))
    both = pd.concat([ours, theirs], axis=1, keys=["ours", "theirs"], join="inner")
    measured = f"harmed: Flow {both['ours'].median():.0%}, FedAvg + FT {both['theirs'].median():.0%} of the clients"
    if both["theirs"].median() == 0:
        return Verdict(NOT_JUDGED, measured, "fine-tuning harms nobody here, so nobody can be spared")
    half = (both["ours"] <= both["theirs"] / 2).all()
    less = both["ours"].median() < both["theirs"].median()
    total = both["ours"].sum(skipna=False) + both["theirs"].sum(skipna=False)
    return grade(total, reproduced=bool(half), close=bool(less), measured=measured)


def global_accuracy(tables: Tables) -> Verdict:
    """The global branch of Flow against FedAvg's model, over all shares of local instances."""
    rhos = sorted(tables["clients"]["rho"].unique())
    change = {r: np.median(paired(tables["clients"], "Flow", "FedAvg", "global", rho=r, delta=1.0)) for r in rhos}
    measured = "median change " + ", ".join(f"{value:+.3f} (rho={r:g})" for r, value in change.items())
    worst = min(change.values())
    detail = "the global branch takes FedAvg's steps at FedAvg's learning rate, on minibatches drawn anew"
    return grade(worst, reproduced=worst > 0.005, close=worst > 0, measured=measured, detail=detail)


def every_rho(tables: Tables) -> Verdict:
    """Flow above both forms of fine-tuning, and not more clients harmed, for every share of local instances."""
    clients, least, middle, more, notes = tables["clients"], [], [], [], []
    need(clients, rho=SHARES)
    for rho in SHARES:
        where = {"rho": rho, "delta": 1.0}
        gains = {name: paired(clients, "Flow", name, **where) for name in FINE_TUNED}
        rival = closest(gains)
        more.append(np.median(paired(clients, "Flow", rival, "harmed", **where)))
        least += [gain.min() for gain in gains.values()]
        middle += [np.median(gain) for gain in gains.values()]
        notes.append(f"rho={rho:g}: Flow minus {rival}, {by_seed(gains[rival])}, harmed {more[-1]:+.2f}")
    good = min(least) > 0 and max(more) <= 0
    value = sum(least) + sum(more)
    return grade(value, reproduced=good, close=min(middle) > 0, measured="; ".join(notes))


def closest(gains: Mapping[str, np.ndarray]) -> str:
    """Return the method over which the median gain is least."""
    return min(gains, key=lambda name: np.median(gains[name]))


def auc(tables: Tables) -> Verdict:
    """How well the mean local probability tells the types apart, at rho 0.25 and 0.5."""
    found = {}
    for r in (0.25, 0.5):
        found[r] = values(tables["routes"], "Flow", "auc", rho=r, delta=1.0)
    low = min(float(part.min(skipna=False)) for part in found.values())
    middle = min(float(part.median()) for part in found.values())
    measured = "; ".join(f"rho={r:g}: {part.median():.3f}, least {part.min():.3f}" for r, part in found.items())
    return grade(low, reproduced=low >= 0.95, close=middle >= 0.9, measured=measured)


def ensemble(tables: Tables) -> Verdict:
    """How far the plain ensembles stay behind Flow, for every share of local instances."""
    clients, gap = tables["clients"], {}
    for r in SHARES:
        gaps = [
            np.median(paired(clients, "Flow", name, rho=r, delta=1.0)) for name in ("ensemble", "ensemble, own weight")
        ]
        gap[r] = min(gaps)
    measured = "Flow minus the better ensemble: " + ", ".join(f"{value:+.3f} (rho={r:g})" for r, value in gap.items())
    worst = max(gap.values())
    return grade(worst, reproduced=worst <= 0.02, close=worst <= 0.04, measured=measured)


def by_client(tables: Tables) -> Verdict:
    """Routing by instance against routing by client at rho = 0.25, paired by seed."""
    gain = paired(tables["granularity"], "Flow", "Flow by client", rho=0.25, delta=1.0)
    measured = f"Flow minus Flow by client, {by_seed(gain)}"
    return grade(gain.min(), reproduced=gain.min() > 0.02, close=gain.min() > 0, measured=measured)
