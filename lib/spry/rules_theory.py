"""The rules that judge the claims about theory, protocols and the released code."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.report import Missing, Verdict, fitted_slope, grade, need
from lib.spry.experiments.methods import RELEASED
from lib.spry.experiments.splitting import best_rates
from lib.spry.rules import gains

Tables = Mapping[str, pd.DataFrame]


def unbiased(tables: Tables) -> Verdict:
    """The average of drawn estimates against its standard error, clients alike and skewed; the bias by alpha."""
    middle = tables["bias"].groupby("alpha")["bias2"].median().sort_index()
    sampled = tables["sampled"]
    need(sampled, alpha=(np.inf,))
    over = (sampled["error2"] / sampled["chance2"]).groupby(sampled["alpha"])
    alike, skewed = over.max()[np.inf], over.min().sort_index().iloc[0]
    falls, ends = bool((np.diff(middle) < 0).all()), middle.iloc[-1] < middle.iloc[0]
    measured = f"squared distance from the gradient, over {sampled['draws'].iloc[0]} draws, at most {alike:.2f} times "
    measured += f"the squared standard error with clients alike, at least {skewed:.0f} times at "
    measured += f"alpha={sampled['alpha'].min():g}{_homogeneous(over)}; squared bias "
    measured += ", ".join(f"{value:.1f} (alpha={alpha:g})" for alpha, value in middle.items())
    measured += f"; {tables['bias']['seed'].nunique()} partitions each"
    detail = "alike are clients that hold the same examples: those of few examples differ within a label, a bias too"
    good, near = alike <= 1.2 and skewed >= 4 and falls, alike <= 2 and skewed >= 4 and ends
    total = alike + skewed + middle.sum(skipna=False)
    return grade(total, reproduced=good, close=near, measured=measured, detail=detail)


def _homogeneous(over: pd.core.groupby.SeriesGroupBy) -> str:
    """Say what the estimate is at the alpha that the released code calls homogeneous, where it was drawn."""
    found = over.median()
    if 1.0 not in found.index:
        return ""
    word = "biased" if over.min()[1.0] > 2 else "not told from unbiased"
    return f', and {found[1.0]:.0f} times at alpha=1, the authors\' own "homogeneous" setting, so {word} there'


def rate(tables: Tables) -> Verdict:
    """Slope of ||grad f||^2 after round 50 for nearly even labels, and the floor that skew adds with fixed blocks."""
    table = tables["floor"]
    high, low = table["alpha"].max(), table["alpha"].min()
    if table["round"].max() <= 50:
        raise Missing("more than 50 rounds")
    need(table, map="fixed")
    late = table[(table["alpha"] == high) & (table["round"] >= 50) & (table["map"] == "fixed")]
    falling = late.groupby("round")["norm2"].median()
    slope = fitted_slope(falling.index.to_numpy(), falling.to_numpy())
    end = table[table["round"] == table["round"].max()]
    end = end[end["map"] == "fixed"].groupby("alpha")["norm2"].median()
    floor = end[low] / end[high]
    measured = f"slope {slope:.2f} at alpha={high:g}; {floor:.1f} times as much left at alpha={low:g}"
    measured += f"; {table['seed'].nunique()} seeds, {table['round'].max()} rounds"
    good = slope <= -0.9 and floor >= 1.5
    return grade(slope + floor, reproduced=good, close=slope <= -0.5 and floor > 1, measured=measured)


def variance(tables: Tables) -> Verdict:
    """The largest distance of a cell's median error from the closed form."""
    middle = tables["estimator"].groupby(["dimension", "perturbations", "clients"])[["mse", "mse_theory"]].median()
    off = (middle["mse"] / middle["mse_theory"] - 1).abs()
    measured = f"at most {off.max():.1%} away over {len(middle)} cells"
    total = off.sum(skipna=False)
    return grade(total, reproduced=off.max() <= 0.1, close=off.max() <= 0.2, measured=measured)


def one_step(tables: Tables) -> Verdict:
    """The error of one synchronous step: split over unsplit with own directions, at the most clients."""
    table = tables["one_step"]
    need(table, method=("split", "own directions"))
    most = table[table["clients"] == table["clients"].max()].groupby("method")["mse"].median()
    ratio = most["split"] / most["own directions"]
    measured = f"split {most['split']:.1f}, own directions {most['own directions']:.1f} times the squared gradient"
    return grade(ratio, reproduced=ratio >= 0.95, close=ratio >= 0.8, measured=measured)


def local_steps(tables: Tables) -> Verdict:
    """Rounds of unsplit clients with own directions over those of split ones, at few and at many local steps."""
    need(tables["splitting"], method=("split", "own directions"))
    best = best_rates(tables["splitting"])
    wide = best.pivot_table(
        index="steps", columns="method", values="rounds", aggfunc="median", dropna=False
    ).sort_index()
    gain = wide["own directions"] / wide["split"]
    first, final = gain.iloc[0], gain.iloc[-1]
    measured = ", ".join(f"{value:.2f} (T={steps})" for steps, value in gain.items())
    return grade(first + final, reproduced=first <= 1.1 and final >= 1.5, close=final > first, measured=measured)


def averaged_bias(tables: Tables) -> Verdict:
    """The squared bias of the average over cohorts against what chance leaves of it."""
    table = tables["bias"]
    ratio = (table["averaged2"] / table["averaged2_theory"]).groupby(table["alpha"]).median()
    low, high = ratio.min(), ratio.max()
    measured = f"{low:.2f} to {high:.2f} of the remainder that chance leaves, over {len(ratio)} values of alpha"
    total = ratio.sum(skipna=False)
    return grade(total, reproduced=low >= 0.8 and high <= 1.2, close=low >= 0.5 and high <= 2, measured=measured)


def dropout(tables: Tables) -> Verdict:
    """Correlation with the exact derivative: two masks at the smallest step, one mask at its best step."""
    need(tables["dropout"], mode=("as_released", "shared_mask"))
    wide = tables["dropout"].pivot_table(
        index="step", columns="mode", values="correlation", aggfunc="median", dropna=False
    )
    released, shared = wide["as_released"].sort_index().iloc[0], wide["shared_mask"].max()
    measured = f"{released:.2f} with two masks at step {wide.index.min():g}, {shared:.3f} with one at its best step"
    good = abs(released) < 0.5 and shared > 0.99
    return grade(released + shared, reproduced=good, close=released < shared - 0.2, measured=measured)


def defects(tables: Tables) -> Verdict:
    """Each released rule against the right one, where the answer is known exactly."""
    table = tables["defects"]
    off = (table["released"] / table["right"] - 1).abs()
    measured = "; ".join(f"{row.defect} {row.released:.2g} instead of {row.right:.2g}" for row in table.itertuples())
    return grade(off.sum(skipna=False), reproduced=off.min() >= 0.5, close=off.max() >= 0.5, measured=measured)


def released(tables: Tables) -> Verdict:
    """Final accuracy of each method as written over that with its defect, paired."""
    table = tables["released"]
    names = [name for name in dict.fromkeys(table["method"]) if not name.endswith(RELEASED)]
    loss = {name: float(np.median(gains(table, name, name + RELEASED)[1.0])) for name in names}
    measured = "lost by the defect: " + ", ".join(f"{name} {value:+.3f}" for name, value in loss.items())
    worst, best = min(loss.values()), max(loss.values())
    return grade(sum(loss.values()), reproduced=worst >= 0.02, close=best >= 0.02, measured=measured)


def scalars(tables: Tables) -> Verdict:
    """Numbers counted in the messages of the methods per iteration: K a client; all methods against the formulas."""
    table = tables["counted"]
    need(table, method="Spry per iteration")
    mine = table[table["method"] == "Spry per iteration"]
    wrong = float((mine["up_all"] - mine["clients"] * mine["forward"]).abs().sum(skipna=False))
    columns = ("up_all", "down", "forward", "backward")
    exact = sum(int((table[name] == table[f"{name}_formula"]).sum()) for name in columns)
    each = ", ".join(f"{row.up_all / row.clients:g} a client (M={row.clients})" for row in mine.itertuples())
    each += f", beside {mine['books'].max():g} numbers for the books"
    measured = f"{each} at K={mine['forward'].iloc[0]:g}; {exact} of {len(columns) * len(table)} counts as by formula"
    good = wrong == 0 and exact == len(columns) * len(table)
    return grade(wrong, reproduced=good, close=wrong == 0, measured=measured)


def same_directions(tables: Tables) -> Verdict:
    """Exact derivatives against finite differences at equal K, without splitting: FedFGD against FedMeZO."""
    gap = {
        alpha: float(np.abs(values).max()) for alpha, values in gains(tables["comparison"], "FedFGD", "FedMeZO").items()
    }
    worst = max(gap.values())
    measured = f"largest difference of a seed {', '.join(f'{v:.3f} (alpha={a:g})' for a, v in gap.items())}"
    return grade(sum(gap.values()), reproduced=worst <= 0.01, close=worst <= 0.03, measured=measured)
