"""The experiments that take longer than a build may: all methods, thresholds, subsets, real images."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lib.compression.experiments.cifar import cifar10_tables
from lib.compression.experiments.frontier import searched
from lib.compression.experiments.methods import METHODS, OTHERS, STUDENT, Progress, digits_teacher, searches
from lib.compression.experiments.second_stage import second_stage
from lib.compression.experiments.subsets import heads, subset_searches
from lib.compression.layers import minimal, parameter_count
from lib.compression.pruning.comparison import thinning

CHOICES = ("methods", "subsets", "thresholds")
DATA_SETS = ("digits", "cifar10")


def longer_tables(
    longer: Sequence[str], *, seeds: int = 5, iterations: int = 24, progress: Progress | None = None
) -> dict[str, pd.DataFrame]:
    """Return those tables on digits that `longer` names, with a teacher for each seed.

    "methods": ``methods`` (all methods and baselines, as `Searches.final`), ``method_history``. "subsets":
    ``more_subsets``, ``more_subset_history``, ``more_heads``. "thresholds": ``searched_frontier``.
    """
    if set(longer) - set(CHOICES):
        raise ValueError(f"longer {list(longer)}: choose from {', '.join(CHOICES)}")
    if not longer:
        return {}
    teachers, tables = [digits_teacher(seed=seed) for seed in range(seeds)], {}
    if {"methods", "subsets"} & set(longer):
        methods = (*METHODS, *OTHERS) if "methods" in longer else ("DDC",)
        found = searches(teachers, methods=methods, iterations=iterations, progress=progress)
        if "methods" in longer:
            floor = parameter_count(minimal(teachers[0].architecture))
            thin = thinning(teachers, parameters=[round(1.02 * floor)], recipe=STUDENT, progress=progress)
            widths = second_stage(teachers, found, progress=progress)
            tables |= {"methods": pd.concat([found.final, thin, widths], ignore_index=True)}
            tables["method_history"] = found.history
        if "subsets" in longer:
            half = iterations // 2
            rows = subset_searches(teachers, found, iterations=iterations, budget=half, progress=progress)
            tables |= {"more_subsets": rows["final"], "more_subset_history": rows["history"]}
            tables["more_heads"] = heads(teachers, found)
    if "thresholds" in longer:
        tables["searched_frontier"] = searched(teachers, iterations=iterations, progress=progress)["frontier"]
    return tables


def real_tables(
    data_sets: Sequence[str], *, minutes: float = 20.0, device: str = "cpu", **options: float
) -> dict[str, pd.DataFrame]:
    """Return the tables of CIFAR-10 (names with ``cifar_`` in front) if `data_sets` holds "cifar10"."""
    if set(data_sets) - set(DATA_SETS):
        raise ValueError(f"data sets {list(data_sets)}: choose from {', '.join(DATA_SETS)}")
    if "cifar10" not in data_sets:
        return {}
    tables = cifar10_tables(minutes=minutes, device=device, **options)
    return {f"cifar_{name}": table for name, table in tables.items()}
