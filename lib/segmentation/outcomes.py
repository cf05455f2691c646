"""What segments are worth: prediction of the outcome, and what a budget buys with them.

The names of the delivery metrics are the abstract's; all formulas are ours, the paper's are not known to us.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import adjusted_rand_score, average_precision_score, roc_auc_score

from lib.segmentation.allocation import Plan, allocate, count_users, segment_totals
from lib.segmentation.budget_curve import BudgetCurve, budget_curve
from lib.segmentation.media import Media, full_price
from lib.segmentation.users import Users


@dataclass(frozen=True, eq=False)
class Segments:
    """A segmentation: segment of every user ``(N,)`` and the conversion that each segment predicts ``(K,)``.

    Attributes:
        test: segment of every test user.
        rates: conversion of each segment.
        validation: segment of every validation user, for methods with a delivery weight to choose.
    """

    test: np.ndarray
    rates: np.ndarray
    validation: np.ndarray | None = None


def observed_rates(segment: np.ndarray, outcome: np.ndarray, segments: int) -> np.ndarray:
    """Return the conversion of each segment among its users ``(K,)``, drawn to the mean by one user's weight."""
    size = np.bincount(segment, minlength=segments)
    converted = np.bincount(segment, weights=outcome, minlength=segments)
    return (converted + outcome.mean()) / (size + 1)


@dataclass(frozen=True)
class Terms:
    """The terms of delivery: budget as a share of targeting everybody at the mean price, and the charging basis."""

    budget_fraction: float = 0.15
    charge: str = "targeted"


TERMS = Terms()


def predictive(users: Users, found: Segments) -> dict[str, float]:
    """Return how well segments predict the outcome of `users`.

    Returns:
        auc and auprc of the segment's predicted conversion, entropy (mean entropy of the outcome within a segment,
        nats), used (segments with at least 1 % of the users), and for generated users ari_side and ari_topic (adjusted
        Rand index with the hidden side and with the nuisance topic).
    """
    score = found.rates[found.test]
    size = np.bincount(found.test, minlength=len(found.rates))
    rate = np.bincount(found.test, weights=users.outcome, minlength=len(found.rates)) / np.maximum(size, 1)
    inside = np.clip(rate, 1e-12, 1 - 1e-12)
    entropy = -(inside * np.log(inside) + (1 - inside) * np.log(1 - inside))
    hidden = {
        f"ari_{name}": adjusted_rand_score(users.truth[name], found.test) for name in ("side", "topic") if users.truth
    }
    return {
        "auc": roc_auc_score(users.outcome, score),
        "auprc": average_precision_score(users.outcome, score),
        "entropy": float((entropy * size).sum() / size.sum()),
        "used": int((size >= 0.01 * len(users)).sum()),
        **hidden,
    }


def deliver(
    users: Users, found: Segments, media: Media, terms: Terms, *, valued: bool = False
) -> tuple[Plan, np.ndarray]:
    """Return the best plan for these segments and the users by segment and cell ``(K, V)`` that it was made for.

    With `valued` an exposure counts the conversion that its segment predicts, else 1.
    """
    counts = count_users(found.test, users.cell, segments=len(found.rates), cells=users.n_cells)
    totals = segment_totals(counts, media, charge=terms.charge, value=found.rates if valued else None)
    return allocate(totals, terms.budget_fraction * full_price(len(users), media)), counts


def delivery(users: Users, found: Segments, media: Media, terms: Terms) -> dict[str, float]:
    """Return what a budget buys with these segments, with the plan for exposures and with the one for conversions.

    Returns:
        Of the plan for exposures: match_rate (matched / targeted), exposure_rate (exposed / targeted), exposed and
        converters (expected exposed users, and those among them who convert, per 1,000 users), spend_per_exposed
        (money), spent (share of the budget), concentration (largest share of exposures in one cell). valued_converters
        and valued_exposed: the same with the plan for conversions. joint: harmonic mean of the exposure rate and the
        AUPRC above chance.
    """
    plan, counts = deliver(users, found, media, terms)
    valued, _ = deliver(users, found, media, terms, valued=True)
    converted = count_users(
        found.test, users.cell, segments=len(found.rates), cells=users.n_cells, weight=users.outcome.astype(float)
    )
    targeted = (counts.sum(axis=1) @ plan.share).sum()
    by_cell = exposed_by_cell(plan, counts, media)
    per = 1000 / len(users)
    base = users.outcome.mean()
    lift = (average_precision_score(users.outcome, found.rates[found.test]) - base) / (1 - base)
    rate = by_cell.sum() / targeted
    return {
        "match_rate": float(((counts @ media.match) * plan.share).sum() / targeted),
        "exposure_rate": float(rate),
        "exposed": float(by_cell.sum() * per),
        "converters": float(exposed_by_cell(plan, converted, media).sum() * per),
        "spend_per_exposed": float(plan.spend / by_cell.sum()),
        "spent": float(plan.spend / (terms.budget_fraction * full_price(len(users), media))),
        "concentration": float(by_cell.max() / by_cell.sum()),
        "valued_exposed": float(exposed_by_cell(valued, counts, media).sum() * per),
        "valued_converters": float(exposed_by_cell(valued, converted, media).sum() * per),
        "joint": float(2 * rate * max(lift, 0.0) / (rate + max(lift, 1e-12))),
    }


def exposed_by_cell(plan: Plan, counts: np.ndarray, media: Media) -> np.ndarray:
    """Return the expected exposed users of each cell ``(V,)``, of users counted by segment and cell ``(K, V)``."""
    return (counts * (plan.share @ media.exposure.T)).sum(axis=0)


def curve(users: Users, found: Segments, media: Media, terms: Terms) -> BudgetCurve:
    """Return the exposures of the best plan for every budget, both as numbers of users and money."""
    counts = count_users(found.test, users.cell, segments=len(found.rates), cells=users.n_cells)
    return budget_curve(segment_totals(counts, media, charge=terms.charge))
