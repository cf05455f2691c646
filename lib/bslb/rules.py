"""The rules that judge the claims on bandits: one function a claim, from tables to a verdict."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.bslb.experiments.slopes import regret_slopes
from lib.report import Missing, Verdict, fitted_slope, grade, median_interval, need

Tables = Mapping[str, pd.DataFrame]
BSLB_TWICE, RANDOM = "BSLB (v1, c=2)", "random"
RATE_METHODS = ("BSLB (v1, c=1)", BSLB_TWICE)


def middle(table: pd.DataFrame, value: str, **where) -> float:
    """Return the median of column `value` over the rows that equal `where`; NaN if there are none."""
    for column, wanted in where.items():
        table = table[table[column] == wanted]
    return float(table[value].median()) if len(table) else float("nan")


def regret_rate(tables: Tables) -> Verdict:
    """T^(2/3) is an upper bound: judge slopes and upper ends of their intervals at both exploration constants."""
    table = tables["horizon"]
    need(table, method=(*RATE_METHODS, RANDOM))
    slopes = regret_slopes(table).set_index(["method", "k"])
    own = slopes.loc[[name in RATE_METHODS for name in slopes.index.get_level_values("method")]]
    straight = float(slopes.loc[RANDOM, "slope"].min())
    measured = "; ".join(
        f"{name.split(', ')[1][:-1]}, k={k}: {row.slope:.2f} [{row.low:.2f}, {row.high:.2f}]"
        for (name, k), row in own.iterrows()
    )
    worst, end = float(own["slope"].max()), float(own["high"].max())
    sound = straight >= 0.95
    last = table[table["horizon"] == table["horizon"].max()]
    cost = last["explored_pulls"] / last["horizon"] * last.groupby("k")["regret"].transform("max")
    share = float((cost / last["regret"])[last["method"] == BSLB_TWICE].median())
    detail = f"at c=2 exploration alone costs about {share:.0%} of the regret, so that slope is mostly the length's own"
    ok = sound and worst <= 2 / 3 + 0.06 and end <= 0.8
    return grade(
        worst, reproduced=ok, close=sound and worst <= 0.8, measured=f"{measured}; random {straight:.2f}", detail=detail
    )


def exploration_length(tables: Tables) -> Verdict:
    """Compare the regret at both versions' exploration lengths with the least regret over all lengths."""
    table = tables["exploration"]
    table = table[table["beta"] == table["beta"].min()]
    medians = table.groupby("exploration")["regret"].median()
    at = {v: float(np.interp(table[f"predicted_{v}"].iloc[0], medians.index, medians)) for v in ("v1", "v2")}
    excess = at["v1"] / float(medians.min()) - 1
    measured = f"least at {medians.idxmin()} pulls; v1 length {table['predicted_v1'].iloc[0]} costs {excess:+.0%}"
    measured += f", v2 length {table['predicted_v2'].iloc[0]} costs {at['v2'] / float(medians.min()) - 1:+.0%}"
    better = at["v1"] < at["v2"]
    return grade(excess, reproduced=better and excess <= 0.1, close=better and excess <= 0.25, measured=measured)


def exponent_in_k(tables: Tables) -> Verdict:
    """Fit the exponent of regret in k at the largest horizon, for each version's exploration length."""
    table = tables["versions"]
    table = table[table["horizon"] == table["horizon"].max()]
    found, gaps = [], []
    for version, part in table.groupby("version"):
        medians = part.groupby("k")["regret"].median()
        slope = fitted_slope(medians.index.to_numpy(), medians.to_numpy())
        predicted = float(part["predicted_k_exponent"].iloc[0])
        found.append(f"{version}: {slope:.2f} (predicted {predicted:.2f})")
        gaps.append(abs(slope - predicted))
    gap = max(gaps)
    return grade(gap, reproduced=gap <= 0.15, close=gap <= 0.2, measured="; ".join(found))


def soft_sparsity(tables: Tables) -> Verdict:
    """The regret may grow with the tail at most by the factor (1 + beta)^2, and must stay below random."""
    table = tables["tail"]
    need(table, method=RANDOM)
    own = table[table["method"] != RANDOM].groupby("beta")["regret"].median()
    other = table[table["method"] == RANDOM].groupby("beta")["regret"].median()
    growth = own / own.iloc[0]
    envelope = ((1 + own.index.to_numpy()) / (1 + own.index[0])) ** 2
    inside = bool((growth <= envelope).all())
    saved = float((1 - own / other).min())
    measured = f"grows by {growth.iloc[-1]:.2f} at tail {own.index[-1]:g}; at least {saved:.0%} below random"
    binding = bool((own.iloc[0] * envelope < 0.75 * other)[1:].any())
    detail = "" if binding else "the factor lies above three quarters of random's regret throughout, so it never binds"
    whole = inside and saved >= 0.25
    return grade(saved, reproduced=whole, close=inside and saved > 0, measured=measured, detail=detail)


def corral_shared(tables: Tables) -> Verdict:
    """Compare C-BSLB with shared observations with the best single base, for every true sparsity."""
    best, own, _ = corral_medians(tables["corral"], "all")
    overhead = own / best - 1
    measured = ", ".join(f"{value:+.0%} (k={k})" for k, value in overhead.items()) + " against the best base"
    most = float(overhead.max())
    return grade(most, reproduced=most <= 0.1, close=most <= 0.25, measured=measured)


def corral_private(tables: Tables) -> Verdict:
    """Compare C-BSLB with private observations, the analysed form, with random pulls."""
    _, own, other = corral_medians(tables["corral"], "private")
    saved = 1 - own / other
    measured = ", ".join(f"{value:.0%} (k={k})" for k, value in saved.items()) + " below random"
    least = float(saved.min())
    return grade(least, reproduced=least >= 0.25, close=least >= 0.1, measured=measured)


def subset_conditioning(tables: Tables) -> Verdict:
    """Compare the smallest eigenvalue of chosen and uniform subsets on clustered pools.

    From 2 d arms on, since fewer are useless either way, up to a tenth of the pool, since a subset that holds most
    of the pool has little left to choose.
    """
    table = tables["design"]
    table = table[(table["u"] >= 2 * table["d"]) & (table["u"] <= table["arms"] / 10)]
    need(table, kind=("clustered", "isotropic"))
    part = table[table["kind"] == "clustered"]
    medians = part.groupby("u")[["lambda_poisson", "lambda_uniform"]].median()
    ratio = float((medians["lambda_poisson"] / medians["lambda_uniform"]).min())
    even = table[table["kind"] == "isotropic"]
    flat = even["lambda_poisson"].median() / even["lambda_uniform"].median()
    measured = f"at least {ratio:.0f} times on clustered arms, {flat:.2f} times on isotropic arms"
    return grade(ratio, reproduced=ratio >= 10 and flat >= 0.9, close=ratio >= 2, measured=measured)


def sparse_eigenvalue(tables: Tables) -> Verdict:
    """Where fewer rows than dimensions are explored, the sparse eigenvalue must be positive and grow with the rows."""
    table = tables["sparse"]
    part = table[(table["explore"] == "subset") & (table["explored"] < table["d"])]
    phi = part.groupby("explored")["phi_min"].median()
    singular = float(part["lambda_min"].max())
    usable = phi[phi.index >= 2 * 2 * table["k"].iloc[0]]
    if usable.empty:
        raise Missing("subsets of four times as many arms as the sparsity")
    rises = bool((usable.diff().dropna() > 0).all())
    measured = f"{usable.iloc[0]:.1e} at {usable.index[0]} rows, {usable.iloc[-1]:.1e} at {usable.index[-1]}"
    measured += f"; smallest eigenvalue at most {singular:.0e}"
    positive = float(usable.min())
    sound = positive > 0 and singular < 1e-10
    return grade(positive, reproduced=sound and rises, close=sound, measured=measured)


def lasso_slope(tables: Tables) -> Verdict:
    """Slopes of l1 and l2 error in n without a tail must lie in [-0.60, -0.45]."""
    table = tables["lasso"]
    need(table, beta=0, c=1.5)
    part = table[(table["beta"] == 0) & (table["c"] == 1.5) & (table["observations"] >= 250)]
    medians = part.groupby("observations")[["l1_error", "l2_error"]].median()
    slopes = [fitted_slope(medians.index.to_numpy(), medians[name].to_numpy()) for name in medians]
    off = max(max(slope + 0.45, -0.60 - slope) for slope in slopes)
    measured = f"l1 {slopes[0]:.2f}, l2 {slopes[1]:.2f}"
    return grade(off, reproduced=off <= 0, close=off <= 0.1, measured=measured)


def lasso_exponents(tables: Tables) -> Verdict:
    """Exponents of the error in k must be 1 (l1) and 1/2 (l2)."""
    part = tables["lasso_k"]
    need(part, c=1.5)
    medians = part[part["c"] == 1.5].groupby("k")[["l1_error", "l2_error"]].median()
    found = [fitted_slope(medians.index.to_numpy(), medians[name].to_numpy()) for name in medians]
    off = max(abs(found[0] - 1), abs(found[1] - 0.5))
    return grade(off, reproduced=off <= 0.1, close=off <= 0.2, measured=f"l1 {found[0]:.2f}, l2 {found[1]:.2f}")


def no_additive_tail(tables: Tables) -> Verdict:
    """Divide the l1 error by (1 + beta)^2 k sigma sqrt(log d / n): without an additive tail the ratio stays flat."""
    table = tables["lasso"]
    part = table[(table["c"] == 1.5) & (table["beta"] > 0)]
    if part.empty:
        raise Missing("c = 1.5 with a tail")
    part = part[part["beta"] == part["beta"].min()]
    medians = part.groupby("observations")["v2_ratio"].median()
    slope = fitted_slope(medians.index.to_numpy(), medians.to_numpy())
    detail = "a condition on n or on the parameter's scale, unknown to us, may exclude this setting"
    measured = f"ratio grows as n^{slope:.2f} at tail {part['beta'].iloc[0]:g}"
    return grade(slope, reproduced=abs(slope) <= 0.1, close=abs(slope) <= 0.2, measured=measured, detail=detail)


def subset_pays(tables: Tables) -> Verdict:
    """Regret of subset over uniform exploration at minority fraction 0.3, paired by replicate, one value a pool."""
    table = tables["subset_gain"]
    need(table, rare=0.3, method=("subset", "uniform"))
    wide = table.pivot_table(index=["rare", "pool", "replicate"], columns="method", values="regret")
    pools = (wide["subset"] / wide["uniform"]).groupby(["rare", "pool"]).median()
    value, low, high = median_interval(pools[0.3].to_numpy())
    others = pools.groupby("rare").median()
    measured = f"{value:.2f} of uniform's regret [{low:.2f}, {high:.2f}] over {len(pools[0.3])} pools; other fractions "
    measured += ", ".join(f"{other:.2f} ({rare:g})" for rare, other in others.items() if rare != 0.3)
    return grade(value, reproduced=high < 1 and value <= 0.9, close=value < 1, measured=measured)


def greedy_is_better(tables: Tables) -> Verdict:
    """Greedy Lasso against BSLB on an i.i.d. pool, paired by replicate."""
    table = tables["horizon"]
    need(table, method=("greedy Lasso", *RATE_METHODS))
    wide = table.pivot_table(index=["k", "horizon", "replicate"], columns="method", values="regret")
    last = wide[wide.index.get_level_values("horizon") == table["horizon"].max()]
    ratio = last["greedy Lasso"] / last[[c for c in last if c.startswith("BSLB")]].min(axis=1)
    value, low, high = median_interval(ratio.to_numpy())
    measured = f"{value:.2f} of BSLB's regret [{low:.2f}, {high:.2f}]"
    return grade(value, reproduced=high < 1, close=value < 1, measured=measured)


def corral_medians(table: pd.DataFrame, share: str) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Return median regrets by true k of the best base, C-BSLB and random pulls."""
    need(table, method=("BSLB base", RANDOM), share=share)
    bases = table[table["method"] == "BSLB base"]
    bases = bases.pivot_table(index="true_k", columns="base_k", values="regret", aggfunc="median")
    own = table[table["share"] == share]
    own = own[own["eta"] == own["eta"].max()].groupby("true_k")["regret"].median()
    other = table[table["method"] == RANDOM].groupby("true_k")["regret"].median()
    return bases.min(axis=1), own, other
