"""How the claims on class subsets, transfer, heads and thresholds are judged."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.compression.experiments.frontier import LADDER, label, preferred
from lib.compression.rules import Rule, Tables, by_seed
from lib.report import Missing, Verdict, grade, need

WORST_ROW = 0.032  # accuracy lost by transfer in the worst row: animals, table 9 against table 6
STEPS = tuple(label(at) for at in LADDER)  # every setting of the thresholds in the tables, from tight to loose


def gains(table: pd.DataFrame, one: str, other: str, value: str) -> dict[str, np.ndarray]:
    """Return by subset the values of `value` of arm `one` minus those of `other`, by seed (and network)."""
    need(table, arm=(one, other))
    pairs = [name for name in ("seed", "network") if name in table]
    found = {}
    for subset, rows in table.groupby("subset", sort=False):
        if not {one, other} <= set(rows["arm"]):
            raise Missing(f"arm {one} or {other} of subset {subset}")
        by_arm = {arm: rows[rows["arm"] == arm].set_index(pairs)[value] for arm in (one, other)}
        found[str(subset)] = (by_arm[one] - by_arm[other]).to_numpy()
    return found


def _text(found: dict[str, np.ndarray]) -> str:
    return "; ".join(f"{subset}: {by_seed(values)}" for subset, values in found.items())


def _all(found: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate(list(found.values()))


def subset_faster(name: str) -> Rule:
    """Judge whether the policy of the subset finds faster students than the policy of all classes."""

    def rule(tables: Tables) -> Verdict:
        found = gains(tables[name], "subset policy", "full policy", "t")
        worst, middle = _all(found).max(), max(np.median(v) for v in found.values())
        measured = f"relative time, subset minus full policy: {_text(found)}"
        return grade(float(worst), reproduced=worst < 0, close=middle < 0, measured=measured)

    return rule


def subset_accuracy(name: str) -> Rule:
    """Judge whether it finds more accurate ones in most cases; a tie is none, as in the paper (8 better of 11)."""

    def rule(tables: Tables) -> Verdict:
        found = gains(tables[name], "subset policy", "full policy", "test")
        values = _all(found)
        share = float(np.mean(values > 0)) if np.isfinite(values).all() else float("nan")
        measured = f"more accurate in {share:.0%} of the cases; {_text(found)}"
        return grade(share, reproduced=share >= 8 / 11, close=share >= 0.5, measured=measured)

    return rule


def transfer_smaller(name: str) -> Rule:
    """Judge whether a transferred policy finds smaller and faster students than one from scratch at the same budget."""

    def rule(tables: Tables) -> Verdict:
        size = gains(tables[name], "transfer", "scratch", "c")
        time = gains(tables[name], "transfer", "scratch", "t")
        worst = max(_all(size).max(), _all(time).max())
        middle = max(np.median(v) for found in (size, time) for v in found.values())
        measured = f"parameters: {_text(size)}; time: {_text(time)} (relative to the teacher, transfer minus scratch)"
        return grade(float(worst), reproduced=worst < 0, close=middle <= 0, measured=measured)

    return rule


def transfer_comparable(name: str) -> Rule:
    """Judge whether a transferred policy's student is as good as that of a longer search from scratch."""

    def rule(tables: Tables) -> Verdict:
        test = gains(tables[name], "transfer", "subset policy", "test")
        time = gains(tables[name], "transfer", "subset policy", "t")
        lost, slower = -min(np.median(v) for v in test.values()), max(np.median(v) for v in time.values())
        measured = f"transfer minus longer search, accuracy: {_text(test)}; relative time: {_text(time)}"
        return grade(
            float(lost + slower),
            reproduced=lost <= WORST_ROW and slower <= 0.05,
            close=lost <= 2 * WORST_ROW and slower <= 0.1,
            measured=measured,
        )

    return rule


def transfer_reward(name: str) -> Rule:
    """Judge whether the mean reward of all students drawn is higher with transfer, in every seed and subset."""

    def rule(tables: Tables) -> Verdict:
        table = tables[name]
        drawn = table[table["valid"] & table["arm"].isin(("transfer", "scratch"))]
        means = drawn.groupby(["subset", "arm", "seed"])["reward"].agg(lambda v: v.mean(skipna=False)).reset_index()
        found = gains(means, "transfer", "scratch", "reward")
        worst, middle = _all(found).min(), min(np.median(v) for v in found.values())
        measured = f"mean reward of drawn students, transfer minus scratch: {_text(found)}"
        return grade(float(worst), reproduced=worst > 0, close=middle > 0, measured=measured)

    return rule


def _teachers(table: pd.DataFrame) -> str:
    """Return a remark if all trainings, a hundred seeds a teacher, had one teacher."""
    return " (one teacher)" if len(set(table["seed"] // 100)) == 1 else ""


def masking(tables: Tables) -> Verdict:
    """Judge what a mask on the outputs of absent classes is worth without any training."""
    table = tables["heads"]
    need(table, head=("full", "masked"))
    found = gains(table.rename(columns={"head": "arm"}), "masked", "full", "test")
    worst = min(np.median(values) for values in found.values())
    measured = f"accuracy, masked minus full: {_text(found)}{_teachers(table)}"
    return grade(float(worst), reproduced=worst > 0.005, close=worst > 0, measured=measured)


def slicing(tables: Tables) -> Verdict:
    """Judge whether a classifier cut to the subset's classes is as accurate as a masked one, with fewer parameters."""
    table = tables["heads"].rename(columns={"head": "arm"})
    found = gains(table, "sliced", "masked", "test")
    size = _all(gains(table, "sliced", "masked", "parameters")).max()
    worst = min(np.median(values) for values in found.values())
    measured = f"accuracy, sliced minus masked: {_text(found)}; parameters at least {-size:.0f} fewer"
    measured += _teachers(table)
    return grade(
        float(worst + 0 * size),
        reproduced=worst >= -0.005 and size < 0,
        close=worst >= -0.015 and size < 0,
        measured=measured,
    )


def control(name: str, *, drawn: str = "") -> Rule:
    """Judge whether looser thresholds of time and size lead to larger, slower and more accurate students.

    Students are those of table `name`, or the preferred ones of the histories `drawn` where they are at hand.
    """

    def rule(tables: Tables) -> Verdict:
        table = preferred(tables[drawn]) if drawn in tables else tables[name]
        need(table, thresholds=STEPS)
        middle = table.groupby("thresholds")[["a", "t", "c"]].agg(lambda v: v.median(skipna=False)).loc[list(STEPS)]
        steps = middle.diff().iloc[1:]
        rising = (steps >= 0).all() & (middle.iloc[-1] > middle.iloc[0])
        measured = "; ".join(f"({key}): a {row.a:.3f}, t {row.t:.3f}, c {row.c:.3f}" for key, row in middle.iterrows())
        return grade(
            float(middle.to_numpy().sum()),
            reproduced=bool(rising.all()),
            close=bool(rising["t"] and rising["c"]),
            measured=measured,
        )

    return rule
