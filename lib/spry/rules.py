"""The rules that judge the claims about methods: one function a claim, from tables to a verdict."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.report import Missing, Verdict, at, grade, last_round, need
from lib.report.claims import NOT_JUDGED, STATUSES
from lib.report.grids import ends_of
from lib.spry.experiments.arms import MORE, operations_to
from lib.spry.experiments.real import TITLES

Tables = Mapping[str, pd.DataFrame]
Rule = Callable[[Tables], Verdict]
ZERO_ORDER = ("FedMeZO", "Baffle+", "FwdLLM+")
RIVALS = ("FedAvg", "FedYogi")  # of backpropagation
FLOOR = 0.05  # what accuracy must be above the commonest label's share for a comparison to say something


def judged_at(table: str) -> Callable[[Rule], Rule]:
    """Return the decorator of a rule that puts the scale of `table`, seeds and rounds, behind what was measured."""

    def decorate(rule: Rule) -> Rule:
        @functools.wraps(rule)
        def judged(tables: Tables) -> Verdict:
            verdict, rows = rule(tables), tables[table]
            seeds, rounds = rows["seed"].nunique(), rows["round"].max()
            return replace(verdict, measured=f"{verdict.measured}; {seeds} seed{'s' * (seeds > 1)}, {rounds} rounds")

        return judged

    return decorate


def finals(table: pd.DataFrame) -> dict[float, pd.DataFrame]:
    """Return the final accuracy by alpha: one row a seed, one column a method."""
    wide = last_round(table).pivot_table(index=["alpha", "seed"], columns="method", values="accuracy", dropna=False)
    return {alpha: wide.xs(alpha, level="alpha") for alpha in sorted(table["alpha"].unique(), reverse=True)}


def gains(table: pd.DataFrame, first: str, second: str) -> dict[float, np.ndarray]:
    """Return the paired difference in final accuracy of two methods by alpha, one number a seed."""
    need(last_round(table), method=(first, second))
    return {alpha: (wide[first] - wide[second]).to_numpy() for alpha, wide in finals(table).items()}


def listed(values: Mapping[float, float]) -> str:
    """Return numbers by alpha as they are read."""
    return ", ".join(f"{value:+.3f} (alpha={alpha:g})" for alpha, value in values.items())


def _over_best(table: pd.DataFrame, rivals: tuple[str, ...], ours: str = "Spry") -> dict[float, float]:
    """Return by alpha the median over seeds of our final accuracy minus that of the best rival (by median)."""
    return {alpha: float(np.median(values)) for alpha, values in by_seed(table, rivals, ours).items()}


def by_seed(table: pd.DataFrame, rivals: tuple[str, ...], ours: str = "Spry") -> dict[float, np.ndarray]:
    """Return by alpha each seed's final accuracy of ours minus that of the rival whose median is best."""
    need(last_round(table), method=(ours, *rivals))
    found = {}
    for alpha, wide in finals(table).items():
        best = wide[list(rivals)].median().fillna(-np.inf).idxmax()
        found[alpha] = (wide[ours] - wide[best]).to_numpy()
    return found


@judged_at("comparison")
def accuracy(tables: Tables) -> Verdict:
    """Spry against the best zero-order method at each alpha, after the same number of rounds."""
    gain = _over_best(tables["comparison"], ZERO_ORDER)
    worst = min(gain.values())
    detail = "Baffle+ and FwdLLM+ take several perturbations a minibatch here as in the authors' code, Spry one"
    measured = f"Spry minus the best zero-order method: {listed(gain)}"
    if MORE in set(tables["comparison"]["method"]):
        equal = _over_best(tables["comparison"], ZERO_ORDER, MORE)
        measured += f"; with as many directions {listed(equal)}"
    return grade(sum(gain.values()), reproduced=worst >= 0.052, close=worst > 0, measured=measured, detail=detail)


@judged_at("comparison")
def accuracy_backprop(tables: Tables) -> Verdict:
    """How far Spry is below the best backpropagation method at each alpha, in every seed."""
    seeds = {alpha: -gain for alpha, gain in by_seed(tables["comparison"], RIVALS).items()}
    gap = {alpha: float(np.median(values)) for alpha, values in seeds.items()}
    low, high = min(values.min() for values in seeds.values()), max(gap.values())
    measured = f"best of {' and '.join(RIVALS)} minus Spry: {listed(gap)}"
    return grade(low + high, reproduced=low >= 0 and high <= 0.0616, close=low >= 0 and high <= 0.12, measured=measured)


@judged_at("comparison")
def convergence_time(tables: Tables) -> Verdict:
    """Operations until the median accuracy is nine tenths of Spry's final one, zero-order methods over Spry.

    Not judged where one of them is there at the first record, since when it got there is then not known.
    """
    ratios, targets, early = {}, {}, []
    for alpha, part in tables["comparison"].groupby("alpha", sort=False):
        need(last_round(part), method=("Spry", *ZERO_ORDER))
        target = 0.9 * last_round(part)[last_round(part)["method"] == "Spry"]["accuracy"].median()
        spent, targets[alpha] = operations_to(part, target), target
        if np.isinf(spent["Spry"]):  # only where Spry's accuracy is not a number
            return grade(np.nan, reproduced=False, close=False, measured="no accuracy")
        early += [f"{name}, alpha={alpha:g}" for name in ("Spry", *ZERO_ORDER) if np.isnan(spent[name])]
        ratios |= {f"{name}, alpha={alpha:g}": spent[name] / spent["Spry"] for name in ZERO_ORDER}
    if early:
        return Verdict(NOT_JUDGED, f"the target is met at the first record: {'; '.join(early)}")
    worst = min(ratios.values())
    measured = ", ".join(f"{value:.2f} ({name})" for name, value in ratios.items())
    aims = ", ".join(f"{target:.2f} (alpha={alpha:g})" for alpha, target in targets.items())
    detail = f"operations stand for time, a pass with a tangent for two forward passes; target {aims}"
    return grade(worst, reproduced=worst >= 1.2, close=worst > 1, measured=measured, detail=detail)


@judged_at("comparison")
def per_iteration(tables: Tables) -> Verdict:
    """Spry with one communication an iteration against one an epoch, paired, at Dirichlet 1."""
    both = pd.concat([tables["comparison"], tables["protocols"]])
    gain = at(pd.Series(gains(both, "Spry per iteration", "Spry")), 1.0, "alpha")
    measured = f"gain by seed: {', '.join(f'{value:+.3f}' for value in np.sort(gain))}"
    return grade(gain.sum(), reproduced=gain.min() > 0.01, close=gain.min() > 0, measured=measured)


def _swept(table: pd.DataFrame, sweep: str) -> pd.Series:
    rows = last_round(table)
    need(rows, sweep=sweep)
    return rows[rows["sweep"] == sweep].groupby("value")["accuracy"].median().sort_index()


@judged_at("sweeps")
def perturbations(tables: Tables) -> Verdict:
    """Accuracy gained by up to ten directions, and from there on."""
    found = _swept(tables["sweeps"], "K")
    if found.index[-1] <= 10:
        raise Missing("more than ten perturbations")
    ten = at(found, 10, "perturbations")
    early, late = ten - at(found, 1, "perturbations"), found.iloc[-1] - ten
    measured = "; ".join(f"K={k} {value:.3f}" for k, value in found.items())
    good = early > 0.02 and abs(late) <= 0.01
    return grade(early + late, reproduced=good, close=early > 0 and abs(late) <= early / 4, measured=measured)


@judged_at("sweeps")
def more_clients(tables: Tables) -> Verdict:
    """Final accuracy against the number of clients a round."""
    found = _swept(tables["sweeps"], "M")
    steps = np.diff(found)
    measured = "; ".join(f"M={m} {value:.3f}" for m, value in found.items())
    rises = found.iloc[-1] > found.iloc[0]
    return grade(steps.sum(), reproduced=steps.min() > 0 and rises, close=rises, measured=measured)


@judged_at("comparison")
def split_backprop(tables: Tables) -> Verdict:
    """FedAvg against FedAvgSplit, paired."""
    gap = gains(tables["comparison"], "FedAvg", "FedAvgSplit")
    measured = f"median gap {listed({alpha: float(np.median(values)) for alpha, values in gap.items()})}"
    lowest, middle = min(v.min() for v in gap.values()), min(np.median(v) for v in gap.values())
    measured += f", smallest in a seed {lowest:+.3f}"
    tie = abs(middle - 0.05) < 1e-9  # shares of texts: what is equal may differ in the last binary digit
    good = (middle > 0.05 or tie) and lowest > 0
    detail = "at the bound itself: a gap of 0.05 is enough, one test example less would not be" if tie else ""
    return grade(lowest + middle, reproduced=good, close=middle > 0.01, measured=measured, detail=detail)


@judged_at("comparison")
def no_split(tables: Tables) -> Verdict:
    """Spry against FedFGD whose clients draw directions of their own, and against one that shares them, paired."""
    own, shared = (gains(tables["comparison"], "Spry", name) for name in ("FedFGD", "FedFGD shared"))
    middle = {alpha: float(np.median(values)) for alpha, values in own.items()}
    other = {alpha: float(np.median(values)) for alpha, values in shared.items()}
    measured = f"own directions: {listed(middle)}; shared directions: {listed(other)}"
    worst, lowest = min(middle.values()), min(values.min() for values in own.values())
    detail = "which of the two the paper ran is not known to us; the rule takes own directions"
    good = worst > 0.05 and lowest > 0
    return grade(worst + lowest, reproduced=good, close=lowest > 0, measured=measured, detail=detail)


def on_texts(
    rule: Rule,
    *data: str,
    whose: str,
    others: tuple[str, ...] = (),
    time: bool = False,
    table: str = "texts",
    trained: str = "",
) -> Rule:
    """Return the rule that `rule` holds for the comparison on each of the `data` sets of `experiments.real_tables`.

    `table` is the table's name, and `trained`, where it has such a column, names the rows that count. A data set is
    not judged where `whose` accuracy (with `time`, nine tenths of it, which is the target) is less than `FLOOR` above
    the share of the commonest label. The verdict is the worst of those that are judged. The detail names where `whose`
    rate, or that of the `others` it is compared with, is the lowest or the highest that any arm of the table has.
    """

    def each(tables: Tables) -> Verdict:
        whole, rates = tables[table], tables[table]["lr"]
        need(whole, data=data, **({"trained": trained} if trained else {}))
        whole = whole[whole["trained"] == trained] if trained else whole
        parts = {name: whole[whole["data"] == name] for name in data}
        found = {name: _unless_near_floor(rule, rows, whose, time) for name, rows in parts.items()}
        judged = [verdict for verdict in found.values() if verdict.status != NOT_JUDGED]
        worst = max(judged or found.values(), key=lambda verdict: STATUSES.index(verdict.status))
        measured = "; ".join(f"{TITLES[name]}: {verdict.measured}" for name, verdict in found.items())
        remarks = [
            f"{TITLES[name]}: {'not judged, ' * (verdict.status == NOT_JUDGED)}{verdict.detail}".rstrip(", ")
            for name, verdict in found.items()
            if verdict.detail or verdict.status == NOT_JUDGED
        ]
        levels = "; ".join(f"{TITLES[name]} {_levels(rows)}" for name, rows in parts.items())
        remarks += [f"best method's median accuracy: {levels}", at_ends(whole, (whose, *others), rates)]
        return Verdict(worst.status, measured, "; ".join(filter(None, remarks)))

    return each


def _unless_near_floor(rule: Rule, rows: pd.DataFrame, whose: str, time: bool) -> Verdict:
    verdict = rule({"comparison": rows, "protocols": rows.iloc[:0]})
    low = _near_floor(rows, whose, 0.9 if time else 1.0)
    if not low:
        return verdict
    reason = f"nine tenths of the accuracy of {whose} is" if time else f"{whose} is"
    detail = f"{reason} within {FLOOR:g} of the commonest label's share: {'; '.join(low)}"
    return Verdict(NOT_JUDGED, verdict.measured, detail)


def _near_floor(table: pd.DataFrame, whose: str, share: float) -> list[str]:
    """Return where `share` of a method's final median accuracy is hardly above the share of the commonest label."""
    rows = last_round(table)
    need(rows, method=whose)
    middle = rows[rows["method"] == whose].groupby("alpha", sort=False)[["accuracy", "majority"]].median()
    low = middle[share * middle["accuracy"] < middle["majority"] + FLOOR]
    return [f"alpha={alpha:g} ({row.accuracy:.2f} of {row.majority:.2f})" for alpha, row in low.iterrows()]


def _levels(table: pd.DataFrame) -> str:
    """Return the final median accuracy of the best method at each alpha, and the share of the commonest label."""
    rows = last_round(table)
    middle = rows.groupby(["alpha", "method"])["accuracy"].median().groupby("alpha").max().sort_index(ascending=False)
    floor = rows.groupby("alpha")["majority"].median()
    return ", ".join(f"{value:.2f} against {floor[a]:.2f} (alpha={a:g})" for a, value in middle.items())


def at_ends(table: pd.DataFrame, methods: tuple[str, ...], rates: pd.Series) -> str:
    """Say which of the `methods` have the lowest or the highest of `rates`: they might do better beyond.

    Of the rates tried a table of runs has the chosen ones alone, so its ends stand for theirs.
    """
    ends = ends_of(rates)
    rows = table[table["method"].isin(methods) & table["lr"].isin(ends)].drop_duplicates(["data", "alpha", "method"])
    if rows.empty:
        return ""
    words = [f"{r.method}, {TITLES[r.data]}, alpha={r.alpha:g} ({ends[r.lr]}, {r.lr:g})" for r in rows.itertuples()]
    where = "at an end of the learning rates that were chosen anywhere"
    return f"{where}, which may be one of those tried, so perhaps better beyond: {'; '.join(words)}"
