"""The rules that judge what can be proved or counted."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.report import Verdict, grade, need

Tables = Mapping[str, pd.DataFrame]


def breakdown_steps(tables: Tables) -> Verdict:
    """Every rule stands all f that it promises, in every seed, and the mean falls at the first attacker."""
    table = tables["breakdown"]
    promised = table[table["f"] <= table["tolerated"]]
    if promised["moved"].isna().any():
        return grade(float("nan"), reproduced=False, close=False, measured="not measured")
    fallen = promised[promised["moved"] > 3]
    mean = table[(table["rule"] == "mean") & (table["f"] == 1)]["moved"]
    measured = (
        f"{len(fallen)} of {len(promised)} runs within the promise fell; the mean moved by {mean.min():.0f} radii"
    )
    return grade(mean.min(), reproduced=fallen.empty and mean.min() > 100, close=len(fallen) <= 2, measured=measured)


def two_points_exact(tables: Tables) -> Verdict:
    """Error over variance of every robust rule on the two-point configuration against its exact value."""
    table = tables["two_points"]
    robust = table[table["rule"] != "mean"]
    off = float((robust["ratio"] / robust["exact"] - 1).abs().max(skipna=False))
    measured = f"{robust['rule'].nunique()} rules, largest relative difference {off:.0e}"
    return grade(off, reproduced=off < 1e-6, close=off < 1e-3, measured=measured)


def below_bounds(tables: Tables) -> Verdict:
    """Largest error over variance that the search found, as a share of the known bound."""
    table = tables["robustness"].dropna(subset=["bound"])
    if table["kappa"].isna().any() or table.empty:
        return grade(float("nan"), reproduced=False, close=False, measured="not measured")
    share = (table["kappa"] / table["bound"]).groupby(table["rule"]).max()
    measured = f"largest share of the bound: {', '.join(f'{rule} {value:.2f}' for rule, value in share.items())}"
    return grade(share.max(), reproduced=share.max() <= 1, close=share.max() <= 1.01, measured=measured)


def krum_does_not_vanish(tables: Tables) -> Verdict:
    """Krum against its mixed version and the trimmed mean, with one attacker."""
    table = tables["robustness"]
    worst = table[table["f"] == table["f"].min()].groupby("rule")["kappa"].max()
    ratio = worst["Krum"] / max(worst["NNM + Krum"], worst["trimmed mean"])
    measured = (
        f"Krum {worst['Krum']:.2f}, NNM + Krum {worst['NNM + Krum']:.3f}, trimmed mean {worst['trimmed mean']:.3f}"
    )
    return grade(ratio, reproduced=ratio >= 5, close=ratio >= 2, measured=measured)


def plateau_reached(tables: Tables) -> Verdict:
    """What the trimmed mean reaches at great strength against its closed form."""
    table = tables["strength"]
    rows = table[(table["rule"] == "trimmed mean") & (table["strength"] == table["strength"].max())]
    off = float((rows["moved"] / rows["plateau"] - 1).abs().max(skipna=False)) if len(rows) else float("nan")
    return grade(off, reproduced=off < 1e-6, close=off < 1e-3, measured=f"largest relative difference {off:.0e}")


def three_shapes(tables: Tables) -> Verdict:
    """The mean grows without end, coordinate-wise rules saturate, selecting ones return to nothing."""
    table = tables["strength"]
    wide = table.pivot_table(index="strength", columns="rule", values="moved", aggfunc="median", dropna=False)
    last, top = wide.iloc[-1], wide.max()
    grows = last["mean"] / wide["mean"].iloc[len(wide) // 2]
    flat = [last[name] / top[name] for name in ("median", "trimmed mean")]
    gone = [abs(last[name]) / top[name] for name in ("Multi-Krum", "DnC")]
    measured = (
        f"mean {grows:.0f} times its value at the middle strength; of their peaks coordinate-wise rules keep "
        f"{min(flat):.2f}, selecting ones {max(gone):.2f}"
    )
    good = grows > 5 and min(flat) > 0.99 and max(gone) < 0.05
    return grade(grows + sum(flat) + sum(gone), reproduced=good, close=grows > 5 and max(gone) < 0.2, measured=measured)


def search_is_cheap(tables: Tables) -> Verdict:
    """Time of the search that re-runs the rule over that on inner products, if both find the same strength."""
    rows = tables["search"].set_index("way")
    ratio = float(rows["milliseconds"]["the rule at each probe"] / rows["milliseconds"]["inner products"])
    apart = float(np.ptp(rows["strength"]) / rows["strength"].max())
    same = apart < 1e-3
    measured = f"{ratio:.0f} times faster, strengths within {apart:.0e}"
    return grade(ratio + apart, reproduced=ratio >= 10 and same, close=ratio >= 5 and same, measured=measured)


def told_too_few(tables: Tables) -> Verdict:
    """Growth of a trimmed mean that is told of one attacker too few, between the two greatest strengths."""
    table = tables["strength"]
    rows = table[table["rule"] == "trimmed mean, one too few"]
    need(table, rule="trimmed mean, one too few")
    wide = rows.pivot_table(index="strength", columns="seed", values="moved", dropna=False).iloc[-2:]
    grown = wide.diff().iloc[-1] / float(np.diff(wide.index)[0])
    off = float((grown / rows.groupby("seed")["slope"].first() - 1).abs().max(skipna=False))
    return grade(off, reproduced=off < 1e-6, close=off < 1e-3, measured=f"largest relative difference {off:.0e}")


def krum_says_nothing(tables: Tables) -> Verdict:
    """How far the updates of honest training are from the condition of Krum's guarantee."""
    least = tables["krum_guarantee"].groupby("beta")["ratio"].min()
    told = ", ".join(f"{value:.0f} at beta {beta:g}" for beta, value in least.items())
    low = float(least.min(skipna=False))
    return grade(low, reproduced=low >= 10, close=low >= 1, measured=f"smallest ratio: {told}")


def mpaf_exact(tables: Tables) -> Verdict:
    """The simulated distance to MPAF's base model against its closed form."""
    table = tables["mpaf"]
    off = float((table["distance"] - table["exact"]).abs().div(table["exact"].clip(lower=1)).max(skipna=False))
    return grade(off, reproduced=off < 1e-6, close=off < 1e-3, measured=f"largest difference {off:.0e}")


def votes_and_trust(tables: Tables) -> Verdict:
    """Votes turn where they must, trust stays within its bound, opponents move nothing."""
    table = tables["votes"]
    off = float((table["flipped"] - table["outvoted"]).abs().max(skipna=False))
    longest, moved = (float(table[name].max(skipna=False)) for name in ("longest", "opposed"))
    measured = f"votes differ by {off:.0e}, longest result {longest:.3f}, opponents move {moved:.0e}"
    worst = max(off, longest - 1, moved)
    return grade(off + longest + moved, reproduced=worst < 1e-9, close=worst < 1e-3, measured=measured)
