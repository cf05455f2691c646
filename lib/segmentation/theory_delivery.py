"""Statements S1, S2, S3, S5 and S7 of the reconstruction, each as a table of prediction beside measurement.

They are the companion's propositions about its own delivery model; the paper's text that we could read proves none.
"""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd

from lib.segmentation.allocation import Totals, allocate, segment_totals
from lib.segmentation.budget_curve import budget_curve
from lib.segmentation.dual_ascent import RESPONSES, ascent_plans, dual_ascent, dual_value, regret
from lib.segmentation.media import CHARGES, Media, full_price

SMALL = 1e-9


def budget_table(totals: Totals, budgets: np.ndarray) -> pd.DataFrame:
    """S1: the linear program at each budget, beside the exact curve's value and slopes.

    Columns: budget, gain and spend of the program, price (its dual), curve (exact gain), slope_left and slope_right of
    the curve (the dual lies between them), nonzero (shares above 0, at most K + 1), split (segments in parts: sent
    through two media, or through some but not whole).
    """
    curve, rows = budget_curve(totals), []
    for budget in np.asarray(budgets, dtype=float):
        plan = allocate(totals, budget)
        used = plan.share > SMALL
        parts = (used.sum(axis=1) > 1) | (used.any(axis=1) & (plan.share.sum(axis=1) < 1 - SMALL))
        left = curve.price_at(budget * (1 - SMALL)) if budget > 0 else np.inf
        rows.append(
            {
                "budget": budget,
                "gain": plan.gain,
                "spend": plan.spend,
                "price": plan.price,
                "curve": float(curve.gain_at(budget)),
                "slope_left": float(left),
                "slope_right": float(curve.price_at(budget * (1 + SMALL))),
                "nonzero": int(used.sum()),
                "split": int(parts.sum()),
            }
        )
    return pd.DataFrame(rows)


def refinement_table(counts: np.ndarray, media: Media, budget: float, *, charge: str = "targeted") -> pd.DataFrame:
    """S2: the best gain when neighbouring segments of `counts` ``(K, V)`` are merged by two again and again.

    Every coarse segmentation is nested in the next finer one, so gains never fall with the number of segments.
    Columns: segments, gain.
    """
    counts, rows = np.asarray(counts, dtype=float), []
    while True:
        totals = segment_totals(counts, media, charge=charge)
        rows.append({"segments": len(counts), "gain": float(budget_curve(totals).gain_at(budget))})
        if len(counts) == 1:
            return pd.DataFrame(rows[::-1])
        counts = np.add.reduceat(counts, np.arange(0, len(counts), 2), axis=0)


def side_counts(rho: float, *, users: float = 1.0, cells: int = 8) -> np.ndarray:
    """Return the generator's expected users by static side and cell, ``(2, V)``: the oracle's segments (section 11).

    A user has a cell of its side with probability `rho`, else any cell.
    """
    if not 0 <= rho <= 1 or cells < 2 or cells % 2:
        raise ValueError("rho is a share, and cells come in two equal halves")
    own = np.repeat(np.eye(2), cells // 2, axis=1) / (cells // 2)
    return users / 2 * (rho * own + (1 - rho) / cells)


def information_table(
    rhos: np.ndarray, media: Media, fraction: float, *, users: float = 1000.0, charge: str = "targeted"
) -> pd.DataFrame:
    """S3: how much more the best plan exposes if segments know the static side, by dependence rho, in expectation.

    The gain is exactly 0 at rho = 0, where both segments have the same cells, and never below. Columns: rho, one (gain
    of one segment), sides (gain of two), gain (relative).
    """
    rows = []
    for rho in np.asarray(rhos, dtype=float):
        counts = side_counts(rho, users=users, cells=len(media.match))
        budget = fraction * full_price(counts, media)
        found = refinement_table(counts, media, budget, charge=charge)["gain"].to_numpy()
        rows.append({"rho": rho, "one": found[0], "sides": found[1], "gain": found[1] / found[0] - 1})
    return pd.DataFrame(rows)


def ascent_table(
    counts: np.ndarray,
    media: Media,
    budget: float,
    *,
    steps: list[int],
    seed: int = 0,
    replicates: int = 20,
    batch: int = 256,
) -> pd.DataFrame:
    """S5: prices and regret of stochastic dual ascent after `steps` steps, one row a response and replicate.

    Columns: response (see `dual_ascent`), steps, replicate, price (mean), best_price (the linear program's), dual_gap
    (dual function at the mean price over the best gain, minus 1), regret (share of the best gain that the mean plan
    misses).
    """
    totals = segment_totals(counts, media)
    best, tables = allocate(totals, budget), []
    for response, count in product(RESPONSES, steps):
        rng = np.random.default_rng([seed, count])
        options = {"rng": rng, "steps": count, "replicates": replicates, "batch": batch, "response": response}
        ascent = dual_ascent(counts, media, budget, **options)
        price = ascent.mean_price[:, -1]
        columns = {"response": response, "steps": count, "replicate": np.arange(replicates)}
        gap = dual_value(totals, budget, price) / best.gain - 1
        missed = regret(ascent_plans(ascent, totals, budget), best)
        columns |= {"price": price, "best_price": best.price, "dual_gap": gap, "regret": missed}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def charging_table(counts: np.ndarray, media: Media, *, medium: int = 0, factor: float = 0.5) -> pd.DataFrame:
    """S7: exposures per money before and after all match rates of one medium are multiplied by `factor`.

    Columns: charge, segment, before, after, change (their ratio), predicted: 1 under ``matched`` and ``exposed``, the
    factor under ``targeted``. Under ``exposed`` both are 1 / price.
    """
    rows, changed = [], rescaled(media, medium, factor)
    for charge in CHARGES:
        before, after = (per_money(segment_totals(counts, each, charge=charge))[:, medium] for each in (media, changed))
        for segment, (a, b) in enumerate(zip(before, after, strict=True)):
            row = {"charge": charge, "segment": segment, "before": a, "after": b, "change": b / a}
            rows.append(row | {"predicted": factor if charge == "targeted" else 1.0})
    return pd.DataFrame(rows)


def rescaled(media: Media, medium: int, factor: float) -> Media:
    """Return the media with the match rates of one multiplied by `factor`; refused where a rate would exceed 1."""
    match = media.match.copy()
    match[:, medium] *= factor
    return replace(media, match=match)


def per_money(totals: Totals) -> np.ndarray:
    """Return gain per money, ``(K, M)``; NaN where nothing is paid."""
    return np.divide(totals.gain, totals.cost, out=np.full(totals.gain.shape, np.nan), where=totals.cost > 0)
