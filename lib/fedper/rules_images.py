"""The rules that judge the claims about label skew on CIFAR and on a hundred clusters, from tables to a verdict."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.fedper.experiments.images import by_units
from lib.fedper.experiments.normalization import FEDBN, GROUP, normalizations
from lib.fedper.rules import (
    Tables,
    any_units,
    beside_alone,
    listed,
    middles,
    paired,
    rates_at_ends,
    units_matter_little,
)
from lib.report import Verdict, at, grade
from lib.report.claims import NOT_JUDGED

KEPT = ("averaged", "kept")
OURS = ("FedPer 1", "FedPer 2", "FedPer 1 + FT")


def cifar10_gain(tables: Tables) -> Verdict:
    """FedPer against FedAvg on CIFAR-10 with four classes a client, paired by seed."""
    gain = paired(tables["cifar10"], "FedPer 2", "FedAvg", classes_per_client=4)
    level = [at(middles(tables["cifar10"], name), 4) for name in ("FedPer 2", "FedAvg")]
    measured = f"FedPer 2 {level[0]:.2f}, FedAvg {level[1]:.2f}; gain by seed {listed(gain)}"
    detail = "a far smaller network and only the batches at hand: the levels do not compare"
    ends = rates_at_ends(tables["cifar10"], ("FedPer 2", "FedAvg"), 4)
    detail += f"; {ends}" if ends else ""
    learnt = level[1] > 0.3
    if not learnt:
        detail += "; FedAvg has hardly learnt in so few rounds, which widens the gap"
    detail += f"; {beside_alone(tables['cifar10'], 'FedPer 2', 4)}"
    good = learnt and gain.min() > 0.1
    return grade(gain.min(), reproduced=good, close=gain.min() > 0.05, measured=measured, detail=detail)


def cifar10_crossover(tables: Tables) -> Verdict:
    """The sign of FedPer's gain on CIFAR-10 with four and with all ten classes a client."""
    gain = {k: np.median(paired(tables["cifar10"], "FedPer 2", "FedAvg", classes_per_client=k)) for k in (4, 8, 10)}
    measured = ", ".join(f"{value:+.3f} (k={k})" for k, value in gain.items())
    ends = rates_at_ends(tables["cifar10"], ("FedPer 2", "FedAvg"), 4, 10)
    return grade(
        sum(gain.values()),
        reproduced=gain[4] > 0.01 and gain[10] < -0.01,
        close=gain[4] > 0.01 and gain[10] < gain[4] / 2,
        measured=measured,
        detail="; ".join(filter(None, [beside_alone(tables["cifar10"], "FedPer 2", 4), ends])),
    )


def cifar10_any_units(tables: Tables) -> Verdict:
    """One to three personal units against FedAvg on CIFAR-10 with four classes a client."""
    table = by_units(tables["cifar10"], tables["cifar10_units"])
    return _with_ends(any_units(table, 4), _both(tables), ("FedPer 1", "FedPer 2", "FedPer 3", "FedAvg"))


def cifar10_units_matter_little(tables: Tables) -> Verdict:
    """The range over one to three personal units on CIFAR-10 with four classes a client."""
    verdict = units_matter_little(by_units(tables["cifar10"], tables["cifar10_units"]))
    return _with_ends(verdict, _both(tables), ("FedPer 1", "FedPer 2", "FedPer 3", "FedAvg"))


def _both(tables: Tables) -> pd.DataFrame:
    return pd.concat([tables["cifar10"], tables["cifar10_units"]], ignore_index=True)


def _with_ends(verdict: Verdict, table: pd.DataFrame, methods: Sequence[str]) -> Verdict:
    """Return `verdict` with the methods named whose rate is at an end of those tried (four classes a client)."""
    detail = "; ".join(filter(None, [verdict.detail, rates_at_ends(table, methods, 4)]))
    return replace(verdict, detail=detail)


def cifar10_skew(tables: Tables) -> Verdict:
    """The sign of FedPer's gain on CIFAR-10 at the least and the largest Dirichlet concentration."""
    table = tables["cifar10_skew"]
    alphas = sorted(table["alpha"].unique())
    gain = {alpha: np.median(paired(table, "FedPer 2", "FedAvg", alpha=alpha)) for alpha in alphas}
    measured = ", ".join(f"{value:+.3f} (alpha={alpha:g})" for alpha, value in gain.items())
    worth = np.median(paired(table, "FedPer 2", "local only", alpha=alphas[0]))
    first, last = gain[alphas[0]], gain[alphas[-1]]
    return grade(
        first + last,
        reproduced=first > 0.01 and last < -0.01,
        close=first > 0.01 and last < first / 2,
        measured=measured,
        detail=f"FedPer 2 minus training alone {worth:+.3f} (alpha={alphas[0]:g})",
    )


def batch_norm(tables: Tables) -> Verdict:
    """FedPer 2 against FedAvg by what happens to running statistics, beside the network with group normalization."""
    table = normalizations(tables["cifar10"], tables["cifar10_norm"])
    ways = {"group norm": GROUP.values(), **{way: [f"{name}, statistics {way}" for name in GROUP] for way in KEPT}}
    gain = {
        (way, k): np.median(paired(table, ours, theirs, classes_per_client=k))
        for way, (theirs, ours) in ways.items()
        for k in (4, 10)
    }
    measured = ", ".join(f"{value:+.3f} ({way}, k={k})" for (way, k), value in gain.items())
    crossing = {way: gain[way, 4] > 0.01 and gain[way, 10] < -0.01 for way in ways}
    bn = np.median(paired(table, FEDBN, GROUP["FedPer 2"], classes_per_client=4))
    detail = f"FedBN minus FedPer 2 with group norm {bn:+.3f} (k=4)"
    if not crossing["group norm"] and not np.isnan(sum(gain.values())):
        return Verdict(NOT_JUDGED, measured, f"with group normalization the sign does not change; {detail}")
    same = [crossing[way] for way in KEPT]
    return grade(sum(gain.values()), reproduced=all(same), close=any(same), measured=measured, detail=detail)


def cifar100_gain(tables: Tables) -> Verdict:
    """FedPer against FedAvg on CIFAR-100 with ten classes a client, paired by seed."""
    gain = paired(tables["cifar100"], "FedPer 1", "FedAvg", classes_per_client=10)
    level = at(middles(tables["cifar100"], "FedAvg"), 10)
    measured = f"FedAvg {level:.2f}; gain by seed {listed(gain)}"
    detail = "few images a class where only the subset is at hand"
    learnt = level > 0.1
    if not learnt:
        detail += "; FedAvg has hardly learnt in so few rounds, which widens the gap"
    detail += f"; {beside_alone(tables['cifar100'], 'FedPer 1', 10)}"
    ends = rates_at_ends(tables["cifar100"], ("FedPer 1", "FedAvg"), 10)
    detail += f"; {ends}" if ends else ""
    good = learnt and gain.min() > 0.1
    return grade(gain.min(), reproduced=good, close=gain.min() > 0.02, measured=measured, detail=detail)


def cifar10_finetuned(tables: Tables) -> Verdict:
    """FedAvg with tuned fine-tuning against the best of FedPer, fine-tuned too, with four and with eight classes."""
    table = tables["cifar10"]
    change = {
        k: np.min([np.median(paired(table, "FedAvg + FT", name, classes_per_client=k)) for name in OURS])
        for k in (4, 8)
    }
    measured = ", ".join(f"{value:+.3f} (k={k})" for k, value in change.items())
    worst = float(np.min(list(change.values())))  # NaN if any is
    detail = "all layers are fine-tuned after FedAvg, the head after FedPer 1, nothing after FedPer 2"
    tuned = ("FedAvg + FT", "FedPer 1 + FT")
    ends = rates_at_ends(table, tuned, 4, 8), rates_at_ends(table, tuned, 4, 8, column="finetune_lr")
    detail += "".join(f"; {what} {found}" for what, found in zip(("trained", "fine-tuned"), ends, strict=True) if found)
    return grade(worst, reproduced=worst >= -0.02, close=worst >= -0.05, measured=measured, detail=detail)


def many_classes(tables: Tables) -> Verdict:
    """FedPer 1 against FedAvg on a hundred clusters, with ten and with all hundred classes a client."""
    table = tables["many_classes"]
    gain = {k: paired(table, "FedPer 1", "FedAvg", classes_per_client=k) for k in (10, 100)}
    measured = "; ".join(f"k={k}, by seed: {listed(values)}" for k, values in gain.items())
    tuned = np.median(paired(table, "FedPer 1 + FT", "FedPer 1", classes_per_client=10))
    detail = f"{beside_alone(table, 'FedPer 1', 10)}; fine-tuning its head adds {tuned:+.3f} there"
    few, all_ = float(np.median(gain[10])), float(np.median(gain[100]))
    good = gain[10].min() > 0.1 and gain[100].max() < -0.01
    return grade(few + all_, reproduced=good, close=few > 0 > all_, measured=measured, detail=detail)


def networks(tables: Tables) -> Verdict:
    """FedPer 2 against FedAvg on each of the paper's networks, with four and ten classes a client.

    Nothing follows from networks that have not learnt: with all ten classes FedAvg must be well above chance.
    """
    table = tables["cifar10_networks"]
    gains = {
        name: [np.median(paired(rows, "FedPer 2", "FedAvg", classes_per_client=k)) for k in (4, 10)]
        for name, rows in table.groupby("network")
    }
    measured = "; ".join(f"{name} {few:+.3f} (k=4), {all_:+.3f} (k=10)" for name, (few, all_) in gains.items())
    level = min(at(middles(rows, "FedAvg"), 10) for _, rows in table.groupby("network"))
    if level < 0.3:
        return Verdict(NOT_JUDGED, measured, f"FedAvg is at {level:.2f} with all classes: too few rounds to judge")
    both = len({name.split(" / ")[0] for name in gains}) >= 2  # whatever their width
    good = both and all(few > 0.05 and all_ < 0.02 for few, all_ in gains.values())
    close = all(few > 0 and all_ < few / 2 for few, all_ in gains.values())
    detail = "" if both else "only one of the paper's two networks was run"
    few = min(at(middles(rows, "FedAvg"), 4) for _, rows in table.groupby("network"))
    if few < 0.3:
        detail += f"; FedAvg is at {few:.2f} with four classes: most of the gain is knowing a client's classes"
    for name, rows in table.groupby("network"):
        if "local only" in set(rows["method"]):
            detail += f"; {name}: {beside_alone(rows, 'FedPer 2', 4)}"
    return grade(float(np.sum(list(gains.values()))), reproduced=good, close=close, measured=measured, detail=detail)
