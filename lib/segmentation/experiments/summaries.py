"""What pages show of the comparison in a table, and what a fit costs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.profiling import processor_seconds
from lib.report.intervals import median_interval
from lib.segmentation.allocation import Totals, allocate
from lib.segmentation.experiments.benches import benches
from lib.segmentation.joint import fit
from lib.segmentation.lookalike import lookalike
from lib.segmentation.settings import DEFAULT, Settings

SHOWN = {  # column: its heading, digits
    "segments": {
        "auc": ("AUC", 3),
        "auprc": ("AUPRC", 3),
        "match_rate": ("matched, share of targeted", 2),
        "exposure_rate": ("exposed, share of targeted", 2),
        "joint": ("joint score", 2),
        "used": ("segments in use", 1),
    },
    "budget": {
        "exposed": ("exposed per 1,000 users", 1),
        "converters": ("converters per 1,000 users", 1),
        "valued_converters": ("converters per 1,000 users, plan for conversions", 1),
        "spend_per_exposed": ("money per exposed user", 2),
        "needed": ("budget needed, share", 2),
    },
    "contents": {
        "ari_side": ("ARI with the side", 3),
        "ari_topic": ("ARI with the topic", 3),
        "entropy": ("entropy of the outcome given the segment (nats)", 3),
        "spent": ("spent, share of the budget", 2),
        "concentration": ("exposures in the largest cell, share", 2),
    },
}


def summary(methods: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return medians of measures with their intervals over seeds as text, one row a method (T1).

    `kind` is "segments" for what segments predict and how much of them is reached, "budget" for what it buys, or
    "contents" for what generated segments are made of and where the exposures go.
    """
    parts = [
        medians(methods, "method", [column], digits=digits).rename(columns={column: heading})
        for column, (heading, digits) in SHOWN[kind].items()
    ]
    return pd.concat([part.set_index("method") for part in parts], axis=1).reset_index()


def lookalikes(cells: pd.DataFrame, *, reach: float = 1.0) -> pd.DataFrame:
    """Return how well audiences of static cells stand for segments, from the "cells" table of `comparison`.

    For a medium that takes no identifiers: each segment's audience has `reach` times its size, from the cells where the
    segment is densest (see `lookalike`).

    Returns:
        One row a method and seed: precision (members among the audience), waste (others), recall (members reached);
        means over audiences weighted by their size.
    """
    rows = []
    for (method, seed), part in cells.groupby(["method", "seed"], sort=False):
        counts = part.pivot_table(index="segment", columns="cell", values="users").to_numpy()
        found = lookalike(counts, reach=reach)
        precision, recall = found.members.sum() / found.size.sum(), found.members.sum() / counts.sum()
        rows.append({"method": method, "seed": seed, "precision": precision, "waste": 1 - precision, "recall": recall})
    return pd.DataFrame(rows)


def medians(table: pd.DataFrame, by: str, values: Sequence[str], *, digits: int = 2) -> pd.DataFrame:
    """Return medians of `values` with their intervals over seeds as text, one row a value of the column `by`."""
    rows = []
    for name, part in table.groupby(by, sort=False):
        found = {value: median_interval(part[value].to_numpy()) for value in values}
        texts = {v: f"{mid:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]" for v, (mid, low, high) in found.items()}
        rows.append({by: name} | texts)
    return pd.DataFrame(rows)


def by_variant(table: pd.DataFrame) -> pd.DataFrame:
    """Return `medians` by variant and weight of AUC, exposed users and converters, and the least segments in use."""
    parts = []
    for lam, part in table.groupby("lam"):
        exact = medians(part, "variant", ["auc"], digits=3)
        found = exact.merge(medians(part, "variant", ["exposed", "valued_converters"], digits=1), on="variant")
        least = part.groupby("variant")["used"].min()
        parts.append(found.assign(weight=f"{lam:g}", least=found["variant"].map(least)))
    heads = {column: heading for shown in SHOWN.values() for column, (heading, _) in shown.items()}
    heads |= {"weight": "weight of delivery", "least": "segments in use, at least"}
    return pd.concat(parts, ignore_index=True).rename(columns=heads)


def costs(*, settings: Settings = DEFAULT, steps: int = 40, seed: int = 0, repeats: int = 20) -> pd.DataFrame:
    """Return processor seconds of the joint loop and of the allocation.

    Returns:
        One row a thing: what ("100 joint steps, discovery only", "100 joint steps, with delivery", "one linear
        program"), seconds. The steps before the loop are taken out by a run without it.
    """
    from dataclasses import replace

    bench = benches([seed])[0]

    def seconds(lam: float, count: int) -> float:
        some = replace(settings, steps_init=5, steps_selector=5, steps_joint=count)
        return processor_seconds(lambda: fit([bench.train], [bench.media], lams=[lam], seeds=[seed], settings=some))[0]

    rows = []
    for name, lam in (("discovery only", 0.0), ("with delivery", 1.0)):
        both = seconds(lam, steps) - seconds(lam, 0)
        rows.append((f"100 joint steps, {name}", 100 * both / steps))
    gain = np.random.default_rng(seed).random((settings.segments, bench.media.match.shape[1]))
    programs, _ = processor_seconds(lambda: [allocate(Totals(gain, np.ones_like(gain)), 1.0) for _ in range(repeats)])
    rows.append(("one linear program", programs / repeats))
    return pd.DataFrame(rows, columns=["what", "seconds"])
