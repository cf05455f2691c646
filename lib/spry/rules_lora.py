"""The rules that judge what LoRA adds to the classifier alone: one function a claim, from tables to a verdict.

Without LoRA there is one unit, the classifier, and all six clients of a round train it. With LoRA there are three, and
splitting leaves the classifier two of the six. So Spry alone is FedFGD alone, and FedFGD with LoRA differs from it by
the adapters and by nothing else, as FedAvg with LoRA differs from FedAvg alone.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lib.report import Verdict, grade, last_round, need
from lib.report.claims import NOT_JUDGED
from lib.spry.experiments.adapted import HEAD, LORA
from lib.spry.experiments.arms import MORE
from lib.spry.experiments.real import TITLES
from lib.spry.rules import FLOOR, Tables, judged_at

Arm = tuple[str, str]  # method, and what it trains: `LORA` or `HEAD`
DATA = ("ag-news", "sst2")
SPLIT = (("Spry", LORA), ("Spry", HEAD))
UNSPLIT = (("FedFGD", LORA), ("Spry", HEAD))  # all clients train the classifier on both sides
SEVERAL = ((MORE, LORA), (MORE, HEAD))
BACKPROP = (("FedAvg", LORA), ("FedAvg", HEAD))


def _gains(table: pd.DataFrame, first: Arm, second: Arm) -> dict[str, np.ndarray]:
    """Return the paired difference in final accuracy of two arms by data set and alpha, one number a seed."""
    found = {}
    for where, part in _cells(table):
        sides = [_arm(part, arm).set_index("seed")["accuracy"] for arm in (first, second)]
        found[where] = (sides[0] - sides[1]).to_numpy()  # NaN for a seed that lacks one of them
    return found


def _cells(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    need(table, data=DATA)
    cells = last_round(table).groupby(["data", "alpha"], sort=False)
    return [(f"{TITLES[name]}, alpha={alpha:g}", part) for (name, alpha), part in cells]


def _arm(rows: pd.DataFrame, arm: Arm) -> pd.DataFrame:
    method, trained = arm
    rows = rows[rows["trained"] == trained]
    need(rows, method=method)
    return rows[rows["method"] == method]


def _near_floor(table: pd.DataFrame, arms: Sequence[Arm]) -> dict[str, str]:
    """Return where the best of `arms` is hardly above the share of the commonest label, and what it is at there."""
    low = {}
    for where, part in _cells(table):
        best = np.max([np.median(_arm(part, arm)["accuracy"]) for arm in arms])
        floor = part["majority"].median()
        if best < floor + FLOOR:
            low[where] = f"{where} ({best:.2f} of {floor:.2f})"
    return low


def _medians(gains: Mapping[str, np.ndarray]) -> str:
    return "; ".join(f"{np.median(values):+.3f} ({where})" for where, values in gains.items())


def _not_judged(low: Mapping[str, str]) -> str:
    words = f"not judged, as the better side is within {FLOOR:g} of the commonest label's share"
    return f"{words}: {'; '.join(low.values())}" if low else ""


@judged_at("lora")
def lora_gain(tables: Tables) -> Verdict:
    """Spry with LoRA against Spry with the classifier alone, paired, on every data set and at every alpha."""
    table = tables["lora"]
    gain, several, unsplit = (_gains(table, *pair) for pair in (SPLIT, SEVERAL, UNSPLIT))
    low = _near_floor(table, SPLIT)
    judged = [values for where, values in gain.items() if where not in low]
    measured = f"Spry: {_medians(gain)}; {MORE}: {_medians(several)}"
    remarks = [
        _not_judged(low),
        "with LoRA splitting leaves the classifier two of six clients, which costs it the other four",
        f"without splitting (FedFGD with LoRA minus Spry alone): {_medians(unsplit)}",
    ]
    detail = "; ".join(filter(None, remarks))
    if not judged:
        return Verdict(NOT_JUDGED, measured, detail)
    middle, lowest = (float(np.min([f(values) for values in judged])) for f in (np.median, np.min))  # NaN if any is
    good = lowest > 0 and middle > 0.01
    return grade(middle + lowest, reproduced=good, close=middle > 0, measured=measured, detail=detail)


@judged_at("lora")
def lora_backprop_alone(tables: Tables) -> Verdict:
    """What LoRA brings FedAvg against what it brings forward gradients without splitting, in the same rounds."""
    table = tables["lora"]
    theirs, ours = _gains(table, *BACKPROP), _gains(table, *UNSPLIT)
    low = _near_floor(table, BACKPROP + UNSPLIT)
    middles = [(np.median(theirs[where]), np.median(ours[where])) for where in theirs if where not in low]
    measured = f"FedAvg: {_medians(theirs)}; FedFGD with LoRA minus Spry alone: {_medians(ours)}"
    detail = "; ".join(filter(None, [_not_judged(low), "with a single unit Spry is FedFGD"]))
    if not middles:
        return Verdict(NOT_JUDGED, measured, detail)
    good = all(back >= 0.02 and forward <= back / 2 for back, forward in middles)
    near = all(back > max(forward, 0) for back, forward in middles)
    return grade(float(np.sum(middles)), reproduced=good, close=near, measured=measured, detail=detail)
