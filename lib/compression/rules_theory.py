"""How the companion's propositions are judged."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from lib.report import Verdict, at, grade, need
from lib.report.claims import NOT_JUDGED

Tables = Mapping[str, pd.DataFrame]
PAIR, GREEDY = ("DDC", "random search"), "greedy removal"


def floors(tables: Tables) -> Verdict:
    """Compare the closed forms with the counts of the specification."""
    table = tables["floors"].set_index("network")
    ten, hundred = at(table, "ResNet-18, 10 classes"), at(table, "ResNet-18, 100 classes")
    exact = ten["floor"] == 1_728_970 and hundred["floor"] == 1_775_140
    measured = f"at most {ten['most_compression']:.2f}x (10 classes) and {hundred['most_compression']:.2f}x (100)"
    sure = float(ten["most_compression"] + hundred["most_compression"])
    return grade(sure, reproduced=exact, close=False, measured=measured)


def exchange(tables: Tables) -> Verdict:
    """Compare the closed form of the exchange rate with differences, and the reward after the loss is repaid."""
    table = tables["exchange"]
    need(table, t=1.0)
    teacher = float(table.loc[table["t"] == 1, "rate"].iloc[0])
    apart = float((table["differences"] / table["rate"] - 1).abs().max(skipna=False))
    left = float((table["reward_left"] - 1).abs().max(skipna=False))
    measured = (
        f"{teacher:.2f} at the teacher, {table['rate'].iloc[-1]:.2f} at a time of {table['t'].iloc[-1]:g}; differences "
        f"agree to {apart:.0e}, the reward after the gain to {left:.0e}"
    )
    exact = apart <= 1e-6 and left <= 1e-6
    return grade(apart + left, reproduced=exact and 5.45 <= teacher <= 5.55, close=exact, measured=measured)


def variance(tables: Tables) -> Verdict:
    """Judge the variance of the shared advantage over that of the own one at five students an iteration."""
    table = tables["noise"]
    need(table, rollouts=5)
    rows = table[table["rollouts"] == 5].set_index("advantage")
    exact = float(rows.loc["shared", "ratio"])
    seen = float(rows.loc["shared", "simulated"] / rows.loc["own", "simulated"])
    inside = [4 <= ratio <= 6 for ratio in (exact, seen)]
    measured = f"exact {exact:.2f}, simulated {seen:.2f} at 5 students"
    return grade(exact + seen, reproduced=all(inside), close=any(inside), measured=measured)


def slow_start(tables: Tables) -> Verdict:
    """Judge how much smaller a fresh policy's reward is than the smallest network's, under both rewards."""
    table = tables["first"].set_index("reward_name")
    ours, n2n = float(at(table, "DDC")["ratio"]), float(at(table, "N2N")["ratio"])
    measured = f"smallest network over fresh policy: DDC {ours:.0f} times, N2N {n2n:.1f} times"
    return grade(ours + n2n, reproduced=ours >= 10 and n2n <= 3, close=ours >= 3 * n2n, measured=measured)


def updates(tables: Tables) -> Verdict:
    """Judge how much longer the released code's update takes to 90 % of the smallest network's reward (surrogate)."""
    table = tables["speed"]
    rows = table[table["reward_name"] == "DDC"]
    need(rows, update=("own advantage", "released code"))
    middle = rows.groupby("update")["iterations"].agg(lambda v: v.median(skipna=False))
    own, code = float(middle["own advantage"]), float(middle["released code"])
    measured = f"iterations: own advantage {own:.0f}, released code {'never' if np.isinf(code) else f'{code:.0f}'}"
    return grade(
        0.0 if np.isfinite(own) and code == code else float("nan"),
        reproduced=code >= 2 * own,
        close=code > own,
        measured=measured,
    )


def transfer(tables: Tables) -> Verdict:
    """Judge whether a transferred policy is at 90 % of the smallest network's reward at once (surrogate)."""
    table = tables["transfer_speed"]
    need(table, arm=("transfer", "scratch"))
    middle = table.groupby("arm")["iterations"].agg(lambda v: v.median(skipna=False))
    moved, fresh = float(middle["transfer"]), float(middle["scratch"])
    measured = f"iterations: transfer {moved:.0f}, scratch {fresh:.0f}"
    return grade(
        moved + fresh,
        reproduced=moved <= 1 and fresh >= 5,
        close=moved <= fresh / 5,
        measured=measured,
    )


def latency(tables: Tables) -> Verdict:
    """Judge whether layers kept rank latency better than parameters in every runtime, beyond chance over students."""
    table = tables["predictors"]
    need(table, predictor=("kept", "parameters"))
    at_setting = table.set_index(["predictor", "runtime", "batch"])
    layers, size = at_setting.loc["kept"], at_setting.loc["parameters"]
    gain = layers["rank_correlation"] - size["rank_correlation"]
    measured = "; ".join(
        f"{runtime}, batch {batch}, {row['students']:.0f} students: layers {row['rank_correlation']:.2f}, parameters "
        f"{size.loc[(runtime, batch), 'rank_correlation']:.2f} (gain {row['gain_low']:+.2f} to {row['gain_high']:+.2f})"
        for (runtime, batch), row in layers.iterrows()
    )
    sure, worst = float(layers["gain_low"].min(skipna=False)), float(gain.min(skipna=False))
    return grade(sure + worst, reproduced=sure > 0, close=worst > 0, measured=measured)


def oracle(tables: Tables) -> Verdict:
    """Judge whether the search finds the best of all students more often than random search with as many trainings.

    Beyond chance: by a one-sided sign test over the seeds in which only one of the two found it.
    """
    table = tables["oracle"]
    need(table, method=("DDC", "random search"))
    ends = table.sort_values("trainings").groupby(["method", "seed"]).last()
    found = (ends["best"] >= 1).unstack("method")  # noqa: PD010
    wins, losses = ((found[one] > found[other]).sum() for one, other in (PAIR, PAIR[::-1]))
    p = binomtest(int(wins), int(wins + losses), alternative="greater").pvalue if wins + losses else 1.0
    share, count = found.mean(), ends.groupby("method")["trainings"].max()
    names = [name for name in (*PAIR, GREEDY) if name in share]
    told = (f"{name} {share[name]:.0%} with at most {count[name]:.0f} trainings" for name in names)
    ours, chance = (float(share[name]) for name in PAIR)
    return grade(
        float(ends["best"].sum(skipna=False)),
        reproduced=ours >= 0.8 and p <= 0.05,
        close=ours > chance,
        measured=f"best of all found, of {len(found)} seeds: {', '.join(told)}; sign test p = {p:.2f}",
    )


def cold(tables: Tables) -> Verdict:
    """Judge how much longer the first pass of a process takes than a warm one of the same network.

    Not judged where the first pass tried the convolutions' algorithms, or the record does not say that it did not.
    """
    row = tables["gpu_times"].iloc[0]
    ratio, gain = float(row["first_pass_s"] / row["teacher_s"]), float(row["teacher_s"] / row["minimal_s"])
    alike = "" if "half" in row else ", first pass in float32 and warm ones in bfloat16: too large a ratio"
    measured = (
        f"first pass {ratio:.1f} times the warm one; minimal student {gain:.1f} times as fast once warm "
        f"(one process{alike})"
    )
    if ratio + gain == ratio + gain and ("algorithms_tried" not in row or bool(row["algorithms_tried"])):
        return Verdict(NOT_JUDGED, measured, "the first pass held the trial of all convolution algorithms as well")
    return grade(ratio + gain, reproduced=ratio >= 2, close=ratio >= 1.3, measured=measured)


def cold_here(tables: Tables) -> Verdict:
    """Judge the same on fresh processes of this run, and tell what it does to the minimal student's speed-up."""
    table = tables["cold"]
    need(table, network=("teacher", "minimal student"))
    by = table.set_index(["network", "process"])[["first_s", "warm_s"]]
    teacher, small = by.loc["teacher"], by.loc["minimal student"]
    ratios = teacher["first_s"] / teacher["warm_s"]
    mixed, fair = ((teacher[value] / small["warm_s"]).median() for value in ("first_s", "warm_s"))
    measured = (
        f"first pass {', '.join(f'{ratio:.1f}' for ratio in ratios)} times the warm one, by process; minimal student "
        f"{mixed:.1f} times as fast against the teacher's first pass, {fair:.1f} times once both are warm"
    )
    worst = float(ratios.min(skipna=False) + mixed + fair)
    return grade(worst, reproduced=ratios.min() >= 2, close=ratios.median() >= 1.3, measured=measured)


def edge(tables: Tables) -> Verdict:
    """Judge the latency of the minimal student in ONNX Runtime, relative to the teacher's."""
    table = tables["edge"]
    need(table, model="minimal")
    rows = table[(table["model"] == "minimal") & (table["precision"] == "float32")]
    ratio = float(rows["time_ratio"].iloc[0])
    measured = f"minimal student {ratio:.2f} of the teacher's time at batch 1 in ONNX Runtime (one network each)"
    return grade(ratio, reproduced=0.1 <= ratio <= 0.5, close=ratio < 0.7, measured=measured)
