"""The rules that judge the claims about label skew on the digits: one function a claim, from tables to a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.fedper.experiments.rates import judging, tuned
from lib.report import Claim, Missing, Verdict, at, grade, last_round, need
from lib.report.claims import NOT_JUDGED
from lib.report.grids import ends_of

Tables = Mapping[str, pd.DataFrame]
LEARNT = 0.4  # accuracy of FedAvg among like clients from which on the digits count as learnt
TIE = 0.005  # accuracies that close are equally good
NOT_LEARNT = "stricter: before, it was also judged where FedAvg had not learnt"


def paired(table: pd.DataFrame, first: str, second: str, value: str = "accuracy", **where: object) -> np.ndarray:
    """Return the difference of `value` between two methods in the last round, one number a seed.

    A seed that lacks one of the two gives NaN, so that nothing follows. Raises `Missing` where no seed has a method.
    """
    rows = last_round(judging(table))
    for column, wanted in where.items():
        rows = rows[rows[column] == wanted]
    wide = rows.pivot_table(index="seed", columns="method", values=value, dropna=False)
    if rows.empty or first not in wide or second not in wide:
        raise Missing(f"{first} beside {second} {where or ''}".strip())
    return (wide[first] - wide[second]).to_numpy()


def middles(table: pd.DataFrame, method: str, by: str = "classes_per_client") -> pd.Series:
    """Return the median final accuracy of `method` over seeds, by `by` in ascending order; `Missing` without it."""
    rows = last_round(judging(table))
    need(rows, method=method)
    return rows[rows["method"] == method].groupby(by)["accuracy"].median().sort_index()


def listed(values: np.ndarray) -> str:
    """Return the values with signs and three digits, in ascending order."""
    return ", ".join(f"{value:+.3f}" for value in np.sort(values))


def if_learnt(claim: Claim) -> Claim:
    """Return `claim` on the digits, not judged where FedAvg has learnt nothing with eight classes or more.

    That demand came after the first verdicts, so the claim says that it was changed.
    """

    def judged(tables: Tables) -> Verdict:
        table = last_round(tables["classes"])
        easy = table[(table["method"] == "FedAvg") & (table["classes_per_client"] >= 8)]["accuracy"]
        return learnt(claim.holds(tables), easy)

    rule = f"{claim.rule}; not judged where FedAvg ran with eight or more classes a client and is below {LEARNT:g}"
    changed = "; ".join(filter(None, [claim.changed, NOT_LEARNT]))
    return replace(claim, rule=rule, holds=judged, changed=changed)


def learnt(verdict: Verdict, easy: pd.Series) -> Verdict:
    """Return `verdict`, or "not judged" if FedAvg's median of `easy` accuracies, of like clients, is below `LEARNT`.

    An accuracy that is not a number makes it "not reproduced"; without any `easy` accuracy nothing is asked.
    """
    if easy.isna().any():
        return grade(float("nan"), reproduced=False, close=False, measured=verdict.measured)
    if len(easy) and easy.median() < LEARNT:
        detail = f"FedAvg is at {easy.median():.2f} where clients are alike: nothing was learnt, give more rounds"
        return Verdict(NOT_JUDGED, verdict.measured, detail)
    return verdict


def heterogeneity(tables: Tables) -> Verdict:
    """FedPer against FedAvg on the digits with two classes a client, paired by seed."""
    gain = paired(tables["classes"], "FedPer 2", "FedAvg", classes_per_client=2)
    measured = f"gain at k=2, by seed: {listed(gain)}"
    detail = beside_alone(tables["classes"], "FedPer 2", 2)
    good, near = gain.min() > 0.1, np.median(gain) > 0.05
    return grade(gain.min(), reproduced=good, close=near, measured=measured, detail=detail)


def order_in_k(name: str, *, slack: float):
    """Return the rule that FedPer falls and FedAvg rises with the number of classes a client, on table `name`."""

    def rule(tables: Tables) -> Verdict:
        ours, theirs = middles(tables[name], "FedPer 2"), middles(tables[name], "FedAvg")
        falls, rises = np.diff(ours), np.diff(theirs)
        measured = "; ".join(
            f"{label} {', '.join(f'{value:.3f} (k={k})' for k, value in values.items())}"
            for label, values in (("FedPer 2", ours), ("FedAvg", theirs))
        )
        strict = bool((falls < slack).all() and (rises > -slack).all())
        ends = ours.iloc[0] > ours.iloc[-1] and theirs.iloc[0] < theirs.iloc[-1]
        ahead = ", ".join(str(k) for k in ours.index if ours[k] > theirs[k]) or "none"
        detail = f"the order alone is judged; FedPer 2 is ahead of FedAvg at k = {ahead}"
        return grade(falls.max(), reproduced=strict and ends, close=ends, measured=measured, detail=detail)

    return rule


def any_units(table: pd.DataFrame, *ks: int) -> Verdict:
    """The smallest paired gain over FedAvg of one to three personal units with each number of classes a client."""
    gains = {
        (k, units): np.median(paired(table, f"FedPer {units}", "FedAvg", classes_per_client=k))
        for k in ks
        for units in (1, 2, 3)
    }
    worst = min(gains, key=gains.get)
    measured = f"smallest median gain {gains[worst]:+.3f} (k={worst[0]}, FedPer {worst[1]})"
    good = sum(gain > 0.02 for gain in gains.values())
    detail = beside_alone(table, f"FedPer {worst[1]}", worst[0])
    return grade(
        sum(gains.values()),
        reproduced=good == len(gains),
        close=3 * good >= 2 * len(gains),
        measured=measured,
        detail=detail,
    )


def units_matter_little(table: pd.DataFrame) -> Verdict:
    """The range over one to three personal units against the gain over FedAvg, with four classes a client."""
    rows = {units: at(middles(table, f"FedPer {units}"), 4) for units in (1, 2, 3)}
    gain = float(np.median(list(rows.values()))) - at(middles(table, "FedAvg"), 4)
    share = (max(rows.values()) - min(rows.values())) / gain
    best = {k: _best_units(table, k) for k in sorted(table["classes_per_client"].unique())}
    measured = f"range {share:.0%} of the gain over FedAvg; best of one to three units " + ", ".join(
        f"{units} (k={k})" for k, units in best.items()
    )
    return grade(share, reproduced=0 <= share <= 0.5, close=0 <= share <= 1, measured=measured)


def _best_units(table: pd.DataFrame, k: int) -> int:
    return max((1, 2, 3), key=lambda units: middles(table, f"FedPer {units}")[k])


def less_spread(tables: Tables) -> Verdict:
    """The standard deviation over clients of FedPer against that of FedAvg, paired, with two and four classes."""
    change = {k: paired(tables["classes"], "FedPer 2", "FedAvg", "spread", classes_per_client=k) for k in (2, 4)}
    measured = "; ".join(f"k={k}: {listed(values)}" for k, values in change.items()) + " (FedPer 2 minus FedAvg)"
    every = all((values < 0).all() for values in change.values())
    middle = float(np.max([np.median(values) for values in change.values()]))  # NaN if any is
    return grade(middle, reproduced=every, close=middle < 0, measured=measured)


def near_identical(tables: Tables) -> Verdict:
    """How far FedPer is from FedAvg with all ten classes at every client, on digits and CIFAR-10: the worse decides."""
    gaps = {
        name: np.median(paired(tables[table], "FedPer 2", "FedAvg", classes_per_client=10))
        for name, table in (("digits", "classes"), ("CIFAR-10", "cifar10"))
    }
    measured = "FedPer 2 minus FedAvg at k=10: " + ", ".join(f"{gap:+.3f} ({name})" for name, gap in gaps.items())
    worst = float(np.max(np.abs(list(gaps.values()))))  # NaN if any is
    ends = rates_at_ends(tables["cifar10"], ("FedPer 2", "FedAvg"), 10)
    detail = f"CIFAR-10: {ends}" if ends else ""
    return grade(worst, reproduced=worst <= 0.03, close=worst <= 0.06, measured=measured, detail=detail)


def beats_local(table: pd.DataFrame) -> Verdict:
    """FedPer against local training with four, eight and ten classes a client, in a table of one task."""
    gain = {k: np.median(paired(table, "FedPer 2", "local only", classes_per_client=k)) for k in (4, 8, 10)}
    measured = ", ".join(f"{value:+.3f} (k={k})" for k, value in gain.items())
    alone = at(middles(table, "local only"), 4)
    detail = "" if gain[4] > 0 else f"training alone is at {alone:.2f} with four classes: a client needs no one else"
    values = np.array(list(gain.values()))
    good, most = bool((values > 0.02).all()), int((values > 0).sum()) >= 2
    return grade(values.min(), reproduced=good, close=most, measured=measured, detail=detail)


def crossover(tables: Tables) -> Verdict:
    """The sign of FedPer's gain at both ends of the skew, by classes a client and by Dirichlet shares."""
    skew = tables["skew"]
    low, high = skew["alpha"].min(), skew["alpha"].max()
    ends = {
        "k=2": np.median(paired(tables["classes"], "FedPer 1", "FedAvg", classes_per_client=2)),
        "k=10": np.median(paired(tables["classes"], "FedPer 1", "FedAvg", classes_per_client=10)),
        f"alpha={low:g}": np.median(paired(skew, "FedPer 1", "FedAvg", alpha=low)),
        f"alpha={high:g}": np.median(paired(skew, "FedPer 1", "FedAvg", alpha=high)),
    }
    gain_k, loss_k, gain_a, loss_a = ends.values()
    measured = ", ".join(f"{value:+.3f} ({name})" for name, value in ends.items())
    both = min(gain_k, gain_a) > 0.01 and max(loss_k, loss_a) < -0.01
    return grade(sum(ends.values()), reproduced=both, close=gain_k > 0 > loss_k, measured=measured)


def finetuned_fedavg(tables: Tables) -> Verdict:
    """FedAvg with a few fine-tuning steps against FedPer, with two and four classes a client."""
    change = {k: np.median(paired(tables["classes"], "FedAvg + FT", "FedPer 1", classes_per_client=k)) for k in (2, 4)}
    measured = ", ".join(f"{value:+.3f} (k={k})" for k, value in change.items())
    worst = float(np.min(list(change.values())))  # NaN if any is
    return grade(worst, reproduced=worst >= -0.02, close=worst >= -0.05, measured=measured)


def best_units(tables: Tables) -> Verdict:
    """How the best number of personal units moves with the number of classes a client (0 is FedAvg)."""
    rows = last_round(tables["classes"])
    rows = rows[~rows["method"].str.endswith("FT")]
    need(rows, method=("FedAvg", "local only"))
    wide = rows.pivot_table(
        index="classes_per_client", columns="personal_units", values="accuracy", aggfunc="median", dropna=False
    )
    if wide.shape[0] < 2 or wide.shape[1] < 3:
        raise Missing("two numbers of classes a client and three of personal units")
    if wide.isna().any(axis=None):
        return grade(float("nan"), reproduced=False, close=False, measured="some runs have no accuracy")
    good = wide.ge(wide.max(axis=1) - TIE, axis=0)
    best = good.idxmax(axis=1)  # the fewest units of those
    inner = [k for k in best.index if best[k] > 0 and not good.loc[k, wide.columns.max()]]
    told = ", ".join(f"{units:g} (k={k})" for k, units in best.items())
    measured = f"best units (the fewest within {TIE:g} of the best): {told}"
    falls = bool((np.diff(best) <= 0).all()) and best.iloc[0] > best.iloc[-1]
    detail = f"sharing some and keeping some is best at k = {', '.join(map(str, inner)) or 'none'}"
    return grade(best.iloc[0], reproduced=falls and bool(inner), close=falls, measured=measured, detail=detail)


def fedrep(tables: Tables) -> Verdict:
    """FedRep against FedPer 1 on the same partitions with four classes a client, and each at its own learning rate."""
    both = pd.concat([tables["classes"], tables["others"]])
    gain = paired(both, "FedRep", "FedPer 1", classes_per_client=4)
    own = _tuned_fedrep(tables["rates"])
    measured = f"FedRep minus FedPer 1 at k=4, by seed: {listed(gain)}; each at its own learning rate "
    measured += ", ".join(f"{value:+.3f} (k={k})" for k, value in own.items())
    detail = "the published figures are of CIFAR-100; FedRep trains its head for half as many steps besides"
    detail += ", longer heads were not tried"
    below = [value < 0 for value in own.values()]
    close = np.median(gain) > 0 and not all(below)
    good = close and gain.min() > 0 and not any(below)
    lowest = float(np.min([np.median(gain), *own.values()]))
    return grade(lowest, reproduced=good, close=close, measured=measured, detail=detail)


def _tuned_fedrep(table: pd.DataFrame) -> dict[int, float]:
    rows = tuned(table)
    ks = sorted(rows["classes_per_client"].unique())
    return {k: float(np.median(paired(rows, "FedRep", "FedPer 1", classes_per_client=k))) for k in ks}


def tuned_order(tables: Tables) -> Verdict:
    """FedPer 1 against FedAvg, each at the rate that was best on other partitions, with four and ten classes."""
    rows = tuned(tables["rates"])
    arms = rows[rows["method"].isin(["FedPer 1", "FedAvg"])]
    arms = arms.assign(method=arms["method"] + " with k =")
    gains = {k: paired(rows, "FedPer 1", "FedAvg", classes_per_client=k) for k in (4, 10)}
    gain = {k: round(float(np.median(values)), 6) for k, values in gains.items()}  # ties with a limit are not beyond it
    measured = "; ".join(f"k={k}, by seed: {listed(values)}" for k, values in gains.items())
    good = gain[4] > 0.01 and gain[10] < -0.01
    ends = at_ends(tables["rates"], arms, ["method", "classes_per_client"])
    return grade(
        gain[4] + gain[10],
        reproduced=good,
        close=gain[4] > 0 > gain[10],
        measured=measured,
        detail="; ".join(filter(None, [beside_alone(rows, "FedPer 1", 4), ends])),
    )


def beside_alone(table: pd.DataFrame, name: str, k: int) -> str:
    """Say by how much `name` beats training alone with `k` classes a client, in the median of paired differences."""
    rows = table[table["classes_per_client"] == k]
    if not (rows["method"] == "local only").any():
        return f"training alone was not run (k={k})"
    worth = float(np.median(paired(table, name, "local only", classes_per_client=k)))
    return f"{name} minus training alone {worth:+.3f} (k={k})"


def rates_at_ends(table: pd.DataFrame, methods: Sequence[str], *ks: int, column: str = "lr") -> str:
    """Say which of `methods` have a rate (`column`) at an end of those tried, with `ks` classes a client."""
    rows = judging(table)
    rows = rows[rows["method"].isin(methods) & rows["classes_per_client"].isin(ks)]
    if column not in rows:
        return ""
    return at_ends(table, rows.assign(method=rows["method"] + " with k ="), ["method", "classes_per_client"], column)


def at_ends(table: pd.DataFrame, chosen: pd.DataFrame, by: list[str], column: str = "lr") -> str:
    """Say which arms of `chosen` have a rate (`column`) at an end of those tried: they might do better beyond."""
    rates = table.loc[table["use"] == "tuning", column]
    arms = chosen.loc[chosen[column].isin(ends_of(rates)), by].drop_duplicates()
    names = "; ".join(" ".join(map(str, arm)) for arm in arms.itertuples(index=False))
    return f"at an end of the learning rates tried, so perhaps better beyond: {names}" if names else ""


def timing(tables: Tables) -> Verdict:
    """The sign of what aggregation does to accuracy, for FedPer with four classes and FedAvg with ten, early on."""
    table = tables["classes"]
    rounds = sorted(table["round"].unique())
    if len(rounds) < 2:
        raise Missing("second evaluated round")
    early = rounds[1]
    rows = table[(table["round"] == early) & table["local_accuracy"].notna()]
    change = (rows["accuracy"] - rows["local_accuracy"]).groupby([rows["method"], rows["classes_per_client"]]).median()
    loss, gain = (at(change, key, "method and classes a client") for key in (("FedPer 1", 4), ("FedAvg", 10)))
    measured = f"round {early}: {loss:+.3f} (FedPer 1, k=4), {gain:+.3f} (FedAvg, k=10)"
    others = {key: change[key] for key in (("FedAvg", 4), ("FedPer 1", 10)) if key in change.index}
    detail = ", ".join(f"{value:+.3f} ({name}, k={k})" for (name, k), value in others.items())
    detail = f"the other way round: {detail}" if detail else ""
    good, near = loss < -0.02 and gain > 0.02, loss < 0 < gain
    return grade(gain, reproduced=good, close=near, measured=measured, detail=detail)
