"""The main experiment: all methods on the same users, media and budget."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.segmentation.allocation import count_users
from lib.segmentation.baselines import METHODS, ORACLES, baseline
from lib.segmentation.experiments.benches import DISCOVERY, Bench, Progress, benches, name_of, segments_of
from lib.segmentation.joint import fit
from lib.segmentation.media import full_price
from lib.segmentation.outcomes import TERMS, Segments, Terms, curve, deliver, delivery, predictive
from lib.segmentation.post_hoc import post_hoc_split
from lib.segmentation.settings import DEFAULT, Settings

OTHERS = ("AC-TPC", "post-hoc split")
ACTPC = Settings(encoder="flat", start="outcome", gam=0.0, baseline=False, static_weight=0.0)


def comparison(
    *,
    lams: Sequence[float] = (0.0, 0.3, 1.0, 3.0),
    methods: Sequence[str] = ("random", "static cells", "k-means on pages", "RFM"),
    seeds: int = 5,
    seed: int = 20,
    users: Mapping[str, object] | None = None,
    media: Mapping[str, object] | None = None,
    terms: Terms = TERMS,
    settings: Settings = DEFAULT,
    progress: Progress | None = None,
) -> dict[str, pd.DataFrame]:
    """Return what every method reaches on the generator.

    Args:
        lams: delivery weights of our method, 0 among them.
        methods: baselines beside the oracles, see `lib.segmentation.baselines`, and "AC-TPC" and "post-hoc split".
        seeds: number of draws of users and media.
        seed: the first of them.
        users: numbers of users to train and test on, of media, and options of the generator, see `benches`.
        media: how rates and prices are drawn, see `draw_media`.
        terms: budget and charging basis.
        settings: choices of our method.
        progress: wraps the steps of the loops.

    Returns:
        "methods": one row a method and seed with the columns of `outcomes.predictive` and `outcomes.delivery`, lam (NaN
        for others), needed (share of the budget with which the method reaches the exposures of discovery only), and
        validation_auc and validation_exposed (ours only), on which the weight that claims judge is chosen.
        "segments": one row a method, seed and segment: size and conversion (test users), predicted, exposed (share).
        "cells": one row a method, seed, segment and cell: share of the segment, exposed (users per 1,000).
        "curves": one row a method, seed and budget fraction: exposed per 1,000, spent and price.
    """
    if 0 not in lams:
        raise ValueError("lams needs 0, discovery only: everything is compared with it")
    unknown = set(methods) - set(METHODS) - set(ORACLES) - set(OTHERS)
    if unknown:
        raise ValueError(f"unknown method {min(unknown)!r}: choose from {', '.join([*METHODS, *OTHERS])}")
    made = benches(range(seed, seed + seeds), rates=media, **(users or {}))
    found = {}
    for name in [*methods, *ORACLES]:
        if name in METHODS | ORACLES:
            for s, bench in enumerate(made):
                found[name, s] = baseline(name, bench.train, bench.test, segments=settings.segments, seed=bench.seed)
    if "AC-TPC" in methods:
        for (s, _), one in learned(made, [0.0], terms, ACTPC, progress).items():
            found["AC-TPC", s] = one
    for (s, lam), one in learned(made, lams, terms, settings, progress).items():
        found[name_of(lam), s] = one
    if "post-hoc split" in methods:
        for s, bench in enumerate(made):
            found["post-hoc split", s] = split_afterwards(bench, found[DISCOVERY, s], terms)
    return tables(made, found, terms)


def learned(
    made: Sequence[Bench], lams: Sequence[float], terms: Terms, settings: Settings, progress: Progress | None
) -> dict[tuple[int, float], Segments]:
    """Return the segments of our networks by position of the seed and weight."""
    fitted = fit(
        [bench.train for bench in made],
        [bench.media for bench in made],
        lams=lams,
        seeds=[bench.seed for bench in made],
        budget_fraction=terms.budget_fraction,
        charge=terms.charge,
        settings=settings,
        progress=progress,
    )
    seen, held = (
        segments_of(fitted, users) for users in zip(*((one.test, one.validation) for one in made), strict=True)
    )
    return {key: replace(one, validation=held[key].test) for key, one in seen.items()}


def split_afterwards(bench: Bench, found: Segments, terms: Terms) -> Segments:
    """Return half as many segments, joined by predicted conversion, cut along static cells up to the same number."""
    order = np.argsort(np.argsort(found.rates))
    half = max(len(order) // 2, 1)
    joined = (order * half // len(order))[found.test]
    rates = np.array([found.rates[order * half // len(order) == k].mean() for k in range(half)])
    users = bench.test
    counts = count_users(joined, users.cell, segments=half, cells=users.n_cells)
    budget = terms.budget_fraction * full_price(len(users), bench.media)
    cut = post_hoc_split(counts, bench.media, budget, segments=len(order), charge=terms.charge)
    return Segments(cut.apply(joined, users.cell), rates[cut.origin])


def tables(made: Sequence[Bench], found: dict[tuple[str, int], Segments], terms: Terms) -> dict[str, pd.DataFrame]:
    """Return the tables of `comparison` from the segments of every method by name and position of the seed."""
    rows, parts, cells, curves = [], [], [], []
    for (name, s), one in found.items():
        bench = made[s]
        label = {"method": name, "seed": bench.seed}
        whole = terms.budget_fraction * full_price(len(bench.test), bench.media)
        reach = deliver(bench.test, found[DISCOVERY, s], bench.media, terms)[0].gain
        needed = curve(bench.test, one, bench.media, terms).budget_for(reach) / whole
        lam = 0.0 if name == DISCOVERY else float(name.split(", ")[1]) if name.startswith("delivery") else np.nan
        scores = predictive(bench.test, one) | delivery(bench.test, one, bench.media, terms)
        rows.append(label | {"lam": lam} | scores | {"needed": needed} | validated(bench, one, terms))
        some, others = by_segment(bench, one, terms)
        parts += [label | row for row in some]
        cells += [label | row for row in others]
        curves += [label | row for row in by_budget(bench, one, terms)]
    return {
        name: pd.DataFrame(table)
        for name, table in (("methods", rows), ("segments", parts), ("cells", cells), ("curves", curves))
    }


def validated(bench: Bench, found: Segments, terms: Terms) -> dict[str, float]:
    """Return AUC and exposures per 1,000 on the validation users, on which the delivery weight is chosen; NaN if none.

    Plans are made for these users alone, test users have no part in them.
    """
    if found.validation is None:
        return {"validation_auc": np.nan, "validation_exposed": np.nan}
    users, one = bench.validation, Segments(found.validation, found.rates)
    exposed = deliver(users, one, bench.media, terms)[0].gain * 1000 / len(users)
    return {"validation_auc": predictive(users, one)["auc"], "validation_exposed": exposed}


def by_segment(bench: Bench, found: Segments, terms: Terms) -> tuple[list[dict], list[dict]]:
    """Return rows by segment, and by segment and cell, of the plan for exposures."""
    users = bench.test
    plan, counts = deliver(users, found, bench.media, terms)
    reached = counts * (plan.share @ bench.media.exposure.T)
    size = counts.sum(axis=1)
    converted = np.bincount(found.test, weights=users.outcome, minlength=len(size))
    some, others = [], []
    for k in np.flatnonzero(size):
        some.append(
            {
                "segment": int(k),
                "size": size[k] / len(users),
                "conversion": converted[k] / size[k],
                "predicted": found.rates[k],
                "exposed": reached[k].sum() / size[k],
            }
        )
        for v in range(users.n_cells):
            shares = {"share": counts[k, v] / size[k], "users": counts[k, v], "exposed": reached[k, v]}
            others.append({"segment": int(k), "cell": v} | shares)
    return some, others


FRACTIONS = (0.02, 0.05, 0.1, 0.15, 0.25, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5)


def by_budget(bench: Bench, found: Segments, terms: Terms) -> list[dict]:
    """Return exposures, spend and dual price of the best plan at each budget fraction."""
    users, full = bench.test, full_price(len(bench.test), bench.media)
    best = curve(users, found, bench.media, terms)
    return [
        {
            "fraction": fraction,
            "exposed": float(best.gain_at(fraction * full)) * 1000 / len(users),
            "spent": float(best.spend_at(fraction * full)) / full,
            "price": float(best.price_at(fraction * full)),
        }
        for fraction in FRACTIONS
    ]
