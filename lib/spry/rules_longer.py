"""The rules on the longer tables: the digits by label skew, and ways to finetune."""

import functools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.report import Missing, Verdict, grade, last_round, need
from lib.report.claims import NOT_JUDGED
from lib.spry.experiments.adapted import HEAD
from lib.spry.experiments.finetuning import METHODS, RANKS
from lib.spry.rules import FLOOR, RIVALS, Rule, Tables, at_ends, by_seed, judged_at, listed

RANK_ONE = next(iter(RANKS))  # the released script's
OTHERS = ("IA3", "BitFit", HEAD)


def at_every_skew(rule: Rule) -> Rule:
    """Return the rule that `rule` holds on the table skew instead of the page's comparison."""

    @functools.wraps(rule)
    def judged(tables: Tables) -> Verdict:
        if tables["skew"]["alpha"].nunique() < 2:
            raise Missing("more than one alpha")
        return rule({"comparison": tables["skew"]})

    return judged


@judged_at("skew")
def skew_gap(tables: Tables) -> Verdict:
    """How much farther Spry is below backpropagation at the smallest alpha than at the largest, paired by seed."""
    gaps = {alpha: -gain for alpha, gain in by_seed(tables["skew"], RIVALS).items()}
    if len(gaps) < 2:
        raise Missing("more than one alpha")
    growth = gaps[min(gaps)] - gaps[max(gaps)]
    middle, lowest = float(np.median(growth)), float(growth.min())
    gap = {alpha: float(np.median(values)) for alpha, values in gaps.items()}
    measured = f"best of {' and '.join(RIVALS)} minus Spry: {listed(gap)}; growth by seed "
    measured += ", ".join(f"{value:+.3f}" for value in np.sort(growth))
    return grade(middle + lowest, reproduced=middle >= 0.02 and lowest > 0, close=middle > 0, measured=measured)


def _finals(table: pd.DataFrame, method: str) -> dict[float, pd.DataFrame]:
    """Return by alpha the final accuracy under `method`: one row a seed, one column a way."""
    rows = last_round(table)
    need(rows, method=method, trained=(RANK_ONE, *OTHERS))
    rows = rows[rows["method"] == method]
    wide = rows.pivot_table(index=["alpha", "seed"], columns="trained", values="accuracy", dropna=False)
    return {alpha: wide.xs(alpha, level="alpha") for alpha in sorted(rows["alpha"].unique(), reverse=True)}


def _over_others(table: pd.DataFrame, method: str) -> dict[float, np.ndarray]:
    """Return by alpha what LoRA of rank one has over the best (by median) of the other ways, one number a seed."""
    found = {}
    for alpha, wide in _finals(table, method).items():
        best = wide[list(OTHERS)].median().fillna(-np.inf).idxmax()
        found[alpha] = (wide[RANK_ONE] - wide[best]).to_numpy()
    return found


def _near_floor(table: pd.DataFrame, method: str) -> list[str]:
    """Return where the best way under `method` is hardly above the share of the commonest label."""
    floor = last_round(table).groupby("alpha")["majority"].median()
    best = {alpha: wide.median().max() for alpha, wide in _finals(table, method).items()}
    return [f"alpha={a:g} ({value:.2f} of {floor[a]:.2f})" for a, value in best.items() if value < floor[a] + FLOOR]


@judged_at("peft")
def lora_best(tables: Tables) -> Verdict:
    """LoRA of rank one against the best of IA3, BitFit and the classifier alone, under Spry, paired by seed."""
    table = tables["peft"]
    gains = {method: _over_others(table, method) for method in METHODS}
    middles = {method: {a: float(np.median(v)) for a, v in gain.items()} for method, gain in gains.items()}
    measured = "; ".join(f"{method}: {listed(values)}" for method, values in middles.items())
    middle, lowest = min(middles["Spry"].values()), min(values.min() for values in gains["Spry"].values())
    good, total = middle > 0.01 and lowest > 0, sum(float(values.sum()) for values in gains["Spry"].values())
    return _with_remarks(table, grade(total, reproduced=good, close=middle > 0, measured=measured))


@judged_at("peft")
def finetuning_size(tables: Tables) -> Verdict:
    """Rank correlation of accuracy with the number of trained weights over the ways, under Spry and FedAvg."""
    table = tables["peft"]
    found = {method: _by_size(table, method) for method in METHODS}
    measured = "; ".join(f"{method}: {listed(values)}" for method, values in found.items())
    ours, theirs = found["Spry"], found["FedAvg"]
    good = all(ours[a] <= -0.5 and theirs[a] >= 0 for a in ours)
    near = all(ours[a] <= -0.25 and ours[a] < theirs[a] for a in ours)
    total = sum(ours.values()) + sum(theirs.values())
    return _with_remarks(table, grade(total, reproduced=good, close=near, measured=f"rank correlation {measured}"))


def _with_remarks(table: pd.DataFrame, verdict: Verdict) -> Verdict:
    """Return `verdict`, not judged where Spry has hardly learnt, with the arms whose rate is at an end."""
    low = _near_floor(table, "Spry")
    floor = f"Spry is within {FLOOR:g} of the commonest label's share: {'; '.join(low)}" if low else ""
    arms = table.assign(method=table["method"] + " with " + table["trained"])
    detail = "; ".join(filter(None, [floor, at_ends(arms, tuple(arms["method"].unique()), table["lr"])]))
    return replace(verdict, status=NOT_JUDGED if low else verdict.status, detail=detail)


def _by_size(table: pd.DataFrame, method: str) -> Mapping[float, float]:
    """Return by alpha the rank correlation of median accuracy with size; zero where all are equally accurate."""
    sizes, found = table.groupby("trained")["weights"].first().rank(), {}
    for alpha, wide in _finals(table, method).items():
        first = sizes[wide.columns] - sizes[wide.columns].mean()
        second = wide.median(skipna=False).rank() - wide.median(skipna=False).rank().mean()
        length = np.linalg.norm(first) * np.linalg.norm(second)
        found[alpha] = 0.0 if length == 0 else float(first @ second / length)
    return found
