"""The companion's propositions S1 to S7, each measured: parameters in, tidy table out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.segmentation.allocation import count_users, segment_totals
from lib.segmentation.allocation_baselines import all_plans
from lib.segmentation.delivery import funnel
from lib.segmentation.experiments.benches import benches
from lib.segmentation.media import draw_media, full_price
from lib.segmentation.theory import estimator_table, regrouping_table
from lib.segmentation.theory_delivery import (
    ascent_table,
    budget_table,
    charging_table,
    information_table,
    refinement_table,
)

FRACTIONS = tuple(np.round(np.linspace(0.05, 1.5, 30), 2))
SIDE = np.arange(8) // 4


def _counts(labels: str, seed: int, *, rho: float = 0.9, users: int = 4000):
    """Return users by oracle segment and cell of one bench, and its media; `labels` is "level" or "level x side"."""
    bench = benches([seed], train=1, test=users - 1, rho=rho)[0]
    truth = bench.test.truth
    segment = truth["level"] if labels == "level" else truth["level"] * 2 + truth["side"]
    counts = count_users(segment, bench.test.cell, segments=int(segment.max()) + 1, cells=bench.test.n_cells)
    converted = count_users(
        segment,
        bench.test.cell,
        segments=int(segment.max()) + 1,
        cells=bench.test.n_cells,
        weight=bench.test.outcome.astype(float),
    )
    return counts, converted, bench.media


def leaks(*, seed: int = 0) -> pd.DataFrame:
    """Return the funnel of the segments that know outcome level and side (F1): segment, medium, stage, users."""
    counts, converted, media = _counts("level x side", seed)
    return funnel(counts, media, converters=converted)


def budget_check(*, fractions: Sequence[float] = FRACTIONS, seeds: int = 5, seed: int = 0) -> pd.DataFrame:
    """S1: the linear program at each budget beside the exact curve, see `theory_delivery.budget_table`.

    Returns its columns with seed, segments and fraction (of targeting everybody).
    """
    parts = []
    for one in range(seed, seed + seeds):
        counts, _, media = _counts("level x side", one)
        full = full_price(counts, media)
        table = budget_table(segment_totals(counts, media), np.asarray(fractions) * full)
        parts.append(table.assign(seed=one, segments=len(counts), fraction=fractions, full=full))
    return pd.concat(parts, ignore_index=True)


def refinement_check(*, fraction: float = 0.15, seeds: int = 5, seed: int = 0) -> pd.DataFrame:
    """S2: exposures per 1,000 users when segments are split along the outcome first, or along the static side first.

    Returns one row a seed, order ("by": the kind that the first splits tell apart) and number of segments.
    """
    parts = []
    for one in range(seed, seed + seeds):
        counts, _, media = _counts("level x side", one)
        budget, per = fraction * full_price(counts, media), 1000 / counts.sum()
        by_side = counts.reshape(4, 2, -1).transpose(1, 0, 2).reshape(8, -1)  # side first: neighbours share a side
        for name, order in (("outcome", counts), ("side", by_side)):
            table = refinement_table(order, media, budget)
            parts.append(table.assign(gain=table["gain"] * per, by=name, seed=one))
    return pd.concat(parts, ignore_index=True)


def information_check(
    *,
    rhos: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0),
    fraction: float = 0.15,
    draws: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """S3: what knowing the side adds to exposures by rho, in expectation, for several draws of the media.

    Returns one row a draw and rho: draw and the columns of `theory_delivery.information_table`.
    """
    streams = np.random.SeedSequence(seed).spawn(draws)
    parts = [
        information_table(np.asarray(rhos), draw_media(np.random.default_rng(stream), SIDE), fraction).assign(draw=draw)
        for draw, stream in enumerate(streams)
    ]
    return pd.concat(parts, ignore_index=True)


def plans_check(*, fraction: float = 0.4, seeds: int = 5, seed: int = 0) -> pd.DataFrame:
    """Return what plans without an optimizer reach on segments that know level and side, beside the linear program.

    Returns one row a seed and plan (see `allocation_baselines`): gain as a share of the program's, spent as a share of
    the budget.
    """
    rows = []
    for one in range(seed, seed + seeds):
        counts, _, media = _counts("level x side", one)
        budget = fraction * full_price(counts, media)
        plans = all_plans(segment_totals(counts, media), budget, counts.sum(axis=1))
        best = plans["linear program"].gain
        rows += [
            {"plan": name, "seed": one, "gain": plan.gain / best, "spent": plan.spend / budget}
            for name, plan in plans.items()
        ]
    return pd.DataFrame(rows)


def ascent_check(
    *, steps: Sequence[int] = (30, 100, 300, 1000, 3000), fraction: float = 0.15, replicates: int = 20, seed: int = 0
) -> pd.DataFrame:
    """S5: stochastic dual ascent beside the exact program, see `theory_delivery.ascent_table`."""
    counts, _, media = _counts("level x side", seed)
    budget = fraction * full_price(counts, media)
    return ascent_table(counts, media, budget, steps=list(steps), seed=seed, replicates=replicates)


def estimator_check(*, samples: int = 10_000, seed: int = 0) -> pd.DataFrame:
    """S6: the sampled actor's gradient beside the exact one, see `theory.estimator_table`."""
    return estimator_table(samples=samples, seed=seed)


def charging_check(*, factor: float = 0.5, medium: int = 0, seed: int = 0) -> pd.DataFrame:
    """S7: exposures per money before and after one medium's match rates are rescaled, by charging basis."""
    counts, _, media = _counts("level x side", seed)
    return charging_table(counts, media, medium=medium, factor=factor)


def regrouping_check(
    *, weights: Sequence[float] = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0), users: int = 4000, seed: int = 0
) -> pd.DataFrame:
    """S4: users that move, exposures gained and loss paid by the weight; half of the users lose nothing by moving.

    The gaps of the other half are exponential with mean 0.3; exposures differ by a normal of spread 0.1.
    """
    rng = np.random.default_rng(seed)
    gap = np.where(rng.random(users) < 0.5, 0.0, rng.exponential(0.3, users))
    exposure = rng.normal(0.0, 0.1, users)
    return regrouping_table(np.asarray(weights), exposure=exposure, charge=np.zeros(users), price=0.0, loss_gap=gap)
