"""The rules that judge the companion's propositions S1 to S7 about its own delivery model."""

import pandas as pd

from lib.report import Verdict, grade, need
from lib.segmentation.rules import Tables


def program(tables: Tables) -> Verdict:
    """S1: gain, dual price, spend and vertices of the linear program beside the exact curve."""
    table = tables["budgets"]
    far = (table["gain"] / table["curve"] - 1).abs().max(skipna=False)
    low, high = table["slope_right"] * (1 - 1e-6) - 1e-9, table["slope_left"] * (1 + 1e-6) + 1e-9
    priced = bool(table["price"].between(low, high).all())
    vertex = bool((table["nonzero"] <= table["segments"] + 1).all() and (table["split"] <= 1).all())
    thrifty = bool((table["spend"] <= table["budget"] * (1 + 1e-9)).all())
    measured = (
        f"gain within {far:.0e} of the curve, price {'between its slopes' if priced else 'off its slopes'}, at most "
        f"{table['nonzero'].max():.0f} shares and {table['split'].max():.0f} split segment"
    )
    good = far <= 1e-6 and priced and vertex and thrifty
    return grade(far, reproduced=bool(good), close=bool(far <= 1e-3 and thrifty), measured=measured)


def refinement(tables: Tables) -> Verdict:
    """S2: the gain of the best plan when segments are split."""
    table = tables["refinement"].sort_values("segments")
    steps = table.groupby(["seed", "by"], sort=False)["gain"].apply(
        lambda gain: (gain / gain.shift() - 1).dropna().min()
    )
    worst = steps.min(skipna=False)
    measured = f"smallest change by a split {worst:+.1e}"
    return grade(worst, reproduced=worst >= -1e-9, close=worst >= -1e-3, measured=measured)


def information(tables: Tables) -> Verdict:
    """S3: what knowing the static side adds to exposures, at no and at strong dependence."""
    table = tables["information"]
    need(table, rho=(0.0, 0.95))
    middle = table.groupby("rho")["gain"].median()
    none = table[table["rho"] == 0]["gain"].abs().max(skipna=False)
    measured = f"{none:.1e} at most at rho = 0; median by rho " + ", ".join(
        f"{g:+.1%} ({r:g})" for r, g in middle.items()
    )
    rising = bool((middle.diff().dropna() >= -1e-9).all())
    return grade(
        none + middle.sum(),
        reproduced=bool(none < 0.02 and rising and middle[0.95] > 0.05),
        close=bool(none < 0.02 and middle[0.95] > 0),
        measured=measured,
    )


def ascent(tables: Tables) -> Verdict:
    """S5: the dual price of stochastic ascent and the gain that its plan misses, at the longest run."""
    table = tables["ascent"]
    rows = table[(table["response"] == "running") & (table["steps"] == table["steps"].max())]
    need(table, response="running")
    far = (rows["price"] / rows["best_price"] - 1).abs().median(skipna=False)
    missed = rows["regret"].median(skipna=False)
    measured = f"after {rows['steps'].max():,} steps price within {far:.1%}, plan within {missed:.1%} (medians)"
    return grade(far + missed, reproduced=far <= 0.02 and missed <= 0.02, close=far <= 0.1, measured=measured)


def estimator(tables: Tables) -> Verdict:
    """S6: mean of the sampled gradient in standard errors from the exact one, and the variance with the baseline."""
    need(tables["estimator"], estimator=("plain", "baseline"))
    distance, variance = precision(tables["estimator"])
    far, ratio = distance.max(skipna=False), variance["baseline"] / variance["plain"]
    measured = f"root mean square distance {far:.2f} standard errors; variance times {ratio:.2f} with the baseline"
    return grade(far + ratio, reproduced=bool(far <= 1.5 and ratio < 1), close=bool(far <= 3), measured=measured)


def precision(table: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return by estimator the root mean square distance from the exact gradient in standard errors, and variance."""
    square = ((table["mean"] - table["exact"]) / table["error"]) ** 2
    found = table.assign(square=square).groupby("estimator", sort=False)[["square", "variance"]]
    means = found.agg(lambda column: column.mean(skipna=False))
    return means["square"] ** 0.5, means["variance"]


def charging(tables: Tables) -> Verdict:
    """S7: the change of exposures per money when one medium's match rates are rescaled."""
    table = tables["charging"]
    far = (table["change"] / table["predicted"] - 1).abs().max(skipna=False)
    middle = table.groupby("charge", sort=False)["change"].median()
    measured = ", ".join(f"{name} {value:.3f}" for name, value in middle.items()) + f"; off by {far:.0e} at most"
    return grade(far, reproduced=far <= 1e-9, close=far <= 1e-3, measured=measured)


def charge_ranks(tables: Tables) -> Verdict:
    """Exposures per money of a segment by charging basis: how far segments differ."""
    table = tables["charging"]
    need(table, charge=("targeted", "exposed"))
    spread = table.groupby("charge")["before"].agg(lambda ratio: ratio.max() / ratio.min() - 1)
    measured = ", ".join(f"{name} {value:.0%}" for name, value in spread.items())
    flat, wide = spread["exposed"], spread["targeted"]
    return grade(
        flat + wide,
        reproduced=bool(flat < 1e-9 and wide > 0.01),
        close=bool(flat < wide),
        measured=f"spread: {measured}",
    )
