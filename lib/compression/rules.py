"""How the claims on searches, subsets, transfer and thresholds are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.compression.experiments.methods import cache_savings
from lib.compression.noise import time_factor, timing_noise
from lib.compression.reward import ddc
from lib.report import Claim, Verdict, grade, need
from lib.report.claims import NOT_JUDGED, NOT_REPRODUCED

Tables = Mapping[str, pd.DataFrame]
Rule = Callable[[Tables], Verdict]
OURS, RELATIVES = "DDC", ("N2N", "DDC, hard targets", "fixed student")


def by_seed(values: pd.Series | np.ndarray, digits: int = 3, *, sign: bool = True) -> str:
    """Return the values as text, one a seed."""
    return ", ".join(f"{value:{'+' if sign else ''}.{digits}f}" for value in np.asarray(values, dtype=float))


def paired(table: pd.DataFrame, one: str, other: str, value: str, *, on: str = "method") -> pd.Series:
    """Return `value` of `one` minus that of `other`, seed by seed; NaN where a seed lacks either."""
    need(table, **{on: (one, other)})
    wide = table[table[on].isin((one, other))].set_index(["seed", on])[value].unstack(on)  # noqa: PD010
    return wide[one] - wide[other]


def loss(name: str, published: float, *, least: float = 5.0) -> Rule:
    """Judge the accuracy that the method's student loses, at `least` times fewer parameters.

    `published` is the largest loss of the paper's tables; to lose nothing is no feat for a student hardly compressed.
    """

    def rule(tables: Tables) -> Verdict:
        table = tables[name]
        need(table, method=OURS)
        rows = table[table["method"] == OURS]
        lost = float((rows["test_teacher"] - rows["test"]).median(skipna=False))
        smaller = float(rows["compression"].median(skipna=False))
        return grade(
            lost + smaller,
            reproduced=lost <= published and smaller >= least,
            close=lost <= published + 0.04 and smaller >= least / 2,
            measured=f"{lost:+.3f} at {smaller:.1f}x fewer parameters",
        )

    return rule


def order(name: str) -> Rule:
    """Judge the order of the methods in compression."""

    def rule(tables: Tables) -> Verdict:
        table = tables[name]
        need(table, method=(OURS, "N2N", "fixed student"))
        middle = table.groupby("method")["compression"].median()
        ours, n2n, fixed = middle[OURS], middle["N2N"], middle["fixed student"]
        return grade(
            ours + n2n + fixed,
            reproduced=ours >= 0.95 * n2n and n2n > fixed,
            close=min(ours, n2n) > fixed,
            measured=f"DDC {ours:.2f}x, N2N {n2n:.2f}x, fixed student {fixed:.2f}x",
        )

    return rule


def fastest(name: str) -> Rule:
    """Judge whether the method's student is the fastest of the searched and distilled ones."""

    def rule(tables: Tables) -> Verdict:
        table = tables[name]
        need(table, method=(OURS, *RELATIVES))
        middle = table.groupby("method")["t"].median()
        ours, others = middle[OURS], middle[list(RELATIVES)]
        measured = f"time of the teacher's: DDC {ours:.3f}, " + ", ".join(f"{k} {v:.3f}" for k, v in others.items())
        return grade(
            ours + others.sum(skipna=False),
            reproduced=ours <= others.min(),
            close=ours <= 1.05 * others.min(),
            measured=measured,
        )

    return rule


def distilled(name: str) -> Rule:
    """Judge whether distillation gives the more accurate student at no loss of compression."""

    def rule(tables: Tables) -> Verdict:
        gain = paired(tables[name], OURS, "DDC, hard targets", "test")
        middle = tables[name].groupby("method")["compression"].median()
        share = middle[OURS] / middle["DDC, hard targets"]
        found = float(gain.median(skipna=False))
        measured = f"accuracy {by_seed(gain)}; compression {share:.2f} times that with hard targets"
        return grade(found, reproduced=found > 0.005 and share >= 0.95, close=found >= -0.005, measured=measured)

    return rule


def beyond(name: str, other: str) -> Rule:
    """Judge whether the search is rewarded better than `other`, by more than 5 %, in every seed."""

    def rule(tables: Tables) -> Verdict:
        table = tables[name]
        gain = paired(table, OURS, other, "reward")
        level = table[table["method"] == other].set_index("seed")["reward"]
        relative = gain / level.reindex(gain.index)
        worst = float(relative.min(skipna=False))
        return grade(
            worst,
            reproduced=worst > 0.05,
            close=relative.median() > 0,
            measured=f"reward over that of {other}, by seed: {by_seed(relative, 2)} (relative)",
        )

    return rule


def limited(claim: Claim) -> Claim:
    """Return `claim` with a verdict that says so where a table it rests on has one seed, and so no spread.

    Where a table of `claim.uses`, one of more seeds, is at hand, it is the one that the claim rests on (`with_more`).
    """

    def holds(tables: Tables) -> Verdict:
        verdict = claim.holds(tables)
        rests = [name for name in claim.uses if name in tables] or claim.needs
        seeds = [tables[name]["seed"].nunique() for name in rests if "seed" in tables[name]]
        return replace(verdict, measured=f"{verdict.measured} (one seed)") if 1 in seeds else verdict

    return replace(claim, holds=holds)


def with_more(name: str, more: str, make: Callable[[str], Rule]) -> Rule:
    """Return the rule that `make` makes of table `more`, which has more seeds, where it is at hand, else of `name`."""
    return lambda tables: make(more if more in tables else name)(tables)


def grows(tables: Tables) -> Verdict:
    """Judge how the mean reward of drawn students grows from the first to the last fifth of the iterations."""
    first, last = _ends(tables["history"], "reward")
    ratio = last / first
    worst = float(ratio.min(skipna=False))
    measured = f"last fifth over first fifth, by seed: {by_seed(ratio, 1, sign=False)}"
    return grade(worst, reproduced=worst >= 3, close=ratio.median() >= 1.5, measured=measured)


def floor(tables: Tables) -> Verdict:
    """Judge whether drawn students end at the floor: at most a tenth above the fewest parameters possible.

    The floor is known from the minimal students that were drawn; where none was, no student counts as near it.
    """
    history = tables["history"]
    valid = history[history["valid"]]
    least = valid.loc[valid["minimal"], "c"].min() if valid["minimal"].any() else 0.0
    _, last = _ends(valid.assign(near=np.where(valid["c"].isna(), np.nan, valid["c"] <= 1.1 * least)), "near")
    worst = float(last.min(skipna=False))
    measured = f"share of the last fifth's students within 10 % of the floor, by seed: {by_seed(last, 2, sign=False)}"
    return grade(worst, reproduced=worst >= 0.5, close=last.median() >= 0.2, measured=measured)


def cache(tables: Tables) -> Verdict:
    """Judge how many trainings the cache saves in the paper's method, in table ``drawn`` where it is at hand."""
    table = cache_savings(tables["drawn"]) if "drawn" in tables else tables["savings"]
    need(table, method=OURS)
    ratio = table[table["method"] == OURS]["savings"]
    worst = float(ratio.min(skipna=False))
    measured = f"students drawn per training, by seed: {by_seed(ratio, 2, sign=False)}"
    return grade(worst, reproduced=worst >= 1.3, close=ratio.median() >= 1.1, measured=measured)


def long_enough(name: str, rule: Rule, *, least: int = 20) -> Rule:
    """Return `rule`, "not judged" where the searches of table `name` had fewer than `least` iterations.

    `least` is the paper's number for transferred policies. The table has a column iterations, or iteration and method,
    of which only the rows of the paper's method count.
    """

    def judged(tables: Tables) -> Verdict:
        table, verdict = tables[name], rule(tables)
        if "iterations" in table:
            column = table["iterations"]
        else:
            need(table, method=OURS)
            column = table.loc[table["method"] == OURS, "iteration"] + 1
        if not column.notna().any():
            return Verdict(NOT_REPRODUCED, verdict.measured, "the measurement is not a number")
        if column.max() >= least:
            return verdict
        found = f"{column.max():.0f} of the {least} iterations from which on it is judged"
        return Verdict(NOT_JUDGED, verdict.measured, "; ".join(filter(None, (found, verdict.detail))))

    return judged


def same_effort(name: str, rule: Rule, *, other: str = "random search", least: float = 0.9) -> Rule:
    """Return `rule`, "not judged" unless `other` trained at least `least` as many students as the method.

    Table `name` has a column trainings; where it has none, or holds no numbers, nothing is known and nothing judged.
    """

    def judged(tables: Tables) -> Verdict:
        table, verdict = tables[name], rule(tables)
        need(table, method=(OURS, other))
        counts = table["trainings"] if "trainings" in table else pd.Series(np.nan, table.index)
        fewest = counts[table["method"] == other].min(skipna=False)
        most = counts[table["method"] == OURS].max(skipna=False)
        if fewest >= least * most:
            return verdict
        known = f"{fewest:.0f} students by {other}, {most:.0f} by the search" if fewest + most > 0 else "unknown"
        detail = f"trainings: {known}; judged from {least:g} of the search's on"
        return Verdict(NOT_JUDGED, verdict.measured, detail)

    return judged


def steady(name: str, history: str, rule: Rule, *, of: tuple[str, str] = ("method", OURS), times: str = "") -> Rule:
    """Return `rule`, "not judged" where times as noisy as those of one record would change its verdict on table `name`.

    The record's `history` (and table `times`) tell by which factor times of the same network differ
    (`lib.compression.noise.time_factor`). The verdict has to be the same with the relative times of the rows `of` a
    column and value that much longer and shorter, and with the rewards that follow.
    """

    def judged(tables: Tables) -> Verdict:
        verdict, before = rule(tables), tables[times] if times else None
        factor = time_factor(tables[history], times=before)
        if factor != factor:
            return Verdict(NOT_REPRODUCED, verdict.measured, "the measurement is not a number")
        if factor == 1:
            return verdict
        others = {rule({**tables, name: _retimed(tables[name], of, by)}).status for by in (factor, 1 / factor)}
        noise = timing_noise(tables[history], times=before).strip()
        same = others == {verdict.status}
        detail = f"{noise} With times of {of[1]} {factor:.2g} times as long or as short the verdict would be "
        detail += "the same" if same else "another"
        status = verdict.status if same else NOT_JUDGED
        return Verdict(status, verdict.measured, "; ".join(filter(None, (verdict.detail, detail))))

    return judged


def beyond_in_record(record: str, other: str, *, times: str = "") -> Rule:
    """Return `beyond` in tables of `record`, if `long_enough`, `steady` and, against random search, `same_effort`."""
    final = f"{record}_final"
    rule = steady(final, f"{record}_history", beyond(final, other), times=times)
    rule = same_effort(final, rule) if other == "random search" else rule
    return long_enough(f"{record}_history", rule)


def _retimed(table: pd.DataFrame, of: tuple[str, str], factor: float) -> pd.DataFrame:
    """Return `table` with the relative times of the rows `of` multiplied by `factor`, and the rewards that follow."""
    time = table["t"].where(table[of[0]] != of[1], factor * table["t"])
    if "reward" not in table:
        return table.assign(t=time)
    return table.assign(t=time, reward=table["reward"] * ddc(1, time, 0) / ddc(1, table["t"], 0))


def on(name: str, rule: Rule) -> Rule:
    """Return `rule`, which judges table ``history``, for table `name` in its place."""
    return lambda tables: rule({"history": tables[name]})


def _ends(history: pd.DataFrame, value: str) -> tuple[pd.Series, pd.Series]:
    """Return the means of `value` over the first and the last fifth of the iterations of the method, by seed."""
    need(history, method=OURS)
    rows = history[(history["method"] == OURS) & history["valid"]]
    fifth = max(1.0, np.round((rows["iteration"].max() + 1) / 5))
    early, late = rows["iteration"] < fifth, rows["iteration"] > rows["iteration"].max() - fifth
    return tuple(rows[part].groupby("seed")[value].agg(lambda v: v.mean(skipna=False)) for part in (early, late))
