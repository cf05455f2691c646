"""The tables that take longer than a build may: all methods, class subsets, thresholds, real images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lib.compression import data, networks
from lib.compression.experiments.cifar import cifar10_tables
from lib.compression.experiments.frontier import LADDER, searched
from lib.compression.experiments.methods import (
    FIXED,
    GREEDY,
    METHODS,
    MINIMAL,
    ONE_SHOT,
    RANDOM,
    STUDENT,
    UNITS,
    Progress,
    digits_teacher,
    searches,
)
from lib.compression.experiments.second_stage import second_stage
from lib.compression.experiments.subsets import subset_searches
from lib.compression.layers import minimal, parameter_count
from lib.compression.pruning.comparison import thinning
from lib.compression.students import trained_teacher
from lib.report.tasks import Task, run_tasks

LONGER = ("methods", "subsets", "thresholds")
DATA_SETS = ("digits", "cifar10")
CHAIN = networks.mini_vgg((8, "M", 16, "M", 32))  # a miniature of VGG-11, of whose filters Taylor pruning can cut


def real_tables(
    longer: Sequence[str],
    data_sets: Sequence[str] = ("digits",),
    *,
    seeds: int = 3,
    iterations: int = 24,
    minutes: float = 15.0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables on digits that `longer` names and, if `data_sets` holds "cifar10", that of CIFAR-10.

    "methods": ``methods``, all methods and baselines, as `Searches.final`; ``greedy``, greedy removal, which trains
    more students than all of them, beside three of them; ``drawn``, the `Searches.history` of the paper's method and
    of random search; ``chain``, methods and baselines for a teacher without shortcuts. "subsets": ``more_subsets``,
    with as many iterations as the search on all classes; ``more_subset_history``, the students drawn with half as
    many. "thresholds": ``searched_frontier``, one search for each. CIFAR-10: ``cifar``, the tables ``final`` and
    ``subsets`` of `cifar10_tables`, told apart by the column part.
    """
    parameters = {"longer": longer, "data_sets": data_sets, "longer_seeds": seeds, "iterations": iterations}
    return run_tasks(tasks_of(parameters | {"minutes": minutes, "device": device}), progress=progress)


def tasks_of(parameters: Mapping[str, Any]) -> list[Task]:
    """Return the pieces of `real_tables`, one a seed, from the notebook's parameters; the longest first."""
    longer, data_sets = list(parameters["longer"]), list(parameters["data_sets"])
    if set(longer) - set(LONGER) or set(data_sets) - set(DATA_SETS):
        raise ValueError(f"longer {longer}, data sets {data_sets}: choose from {LONGER} and {DATA_SETS}")
    seeds, common = range(parameters["longer_seeds"]), {"iterations": parameters["iterations"]}
    tasks = []
    if "cifar10" in data_sets:
        tasks.append(Task("cifar", cifar_rows, {"minutes": parameters["minutes"], "device": parameters["device"]}))
    if "methods" in longer:
        tasks += [Task("methods", method_rows, {"seed": seed} | common) for seed in seeds]
        tasks += [Task("greedy", greedy_rows, {"seed": seed} | common) for seed in seeds]
        tasks += [Task("drawn", drawn_rows, {"seed": seed} | common) for seed in seeds]
        tasks += [Task("chain", chain_rows, {"seed": seed} | common) for seed in seeds]
    if "subsets" in longer:
        tasks += [Task("more_subsets", subset_rows, {"seed": seed} | common) for seed in seeds]
        tasks += [Task("more_subset_history", subset_history_rows, {"seed": seed} | common) for seed in seeds]
    if "thresholds" in longer:
        pairs = [(step, seed) for step in range(len(LADDER)) for seed in seeds]
        tasks += [Task("searched_frontier", threshold_rows, {"step": step, "seed": s} | common) for step, s in pairs]
    return tasks


def all_methods(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame | None:
    """Return table ``methods`` of `real_tables` with greedy removal below it, or what there is of the two.

    Both have a student a seed, trained anew and judged on the test part. Of ``greedy`` the methods that ``methods`` has
    as well are left out where that is there. None where neither is.
    """
    parts = [tables[name] for name in ("methods", "greedy") if name in tables]
    if len(parts) == 2:
        parts[1] = parts[1][parts[1]["method"] == GREEDY]
    return pd.concat(parts, ignore_index=True) if parts else None


def method_rows(*, seed: int, iterations: int) -> pd.DataFrame:
    """Return `Searches.final` of all methods, of thinned networks as small as the minimal student, and of widths."""
    teachers = [digits_teacher(seed=seed)]
    names = (*METHODS, RANDOM, MINIMAL, UNITS, FIXED, ONE_SHOT)
    found = searches(teachers, methods=names, iterations=iterations)
    least = parameter_count(minimal(teachers[0].architecture))
    thin = thinning(teachers, parameters=[round(1.02 * least)], recipe=STUDENT)
    return pd.concat([found.final, thin, second_stage(teachers, found)], ignore_index=True).assign(seed=seed)


def greedy_rows(*, seed: int, iterations: int) -> pd.DataFrame:
    """Return `Searches.final` of greedy removal and of the methods beside it, all timed in turns on one machine."""
    names = ("DDC", RANDOM, MINIMAL, GREEDY)
    return searches([digits_teacher(seed=seed)], methods=names, iterations=iterations, first=seed).final


def drawn_rows(*, seed: int, iterations: int) -> pd.DataFrame:
    """Return `Searches.history` of the paper's method and of random search with as many trainings."""
    teachers = [digits_teacher(seed=seed)]
    return searches(teachers, methods=("DDC", RANDOM), iterations=iterations, first=seed).history


def chain_rows(*, seed: int, iterations: int) -> pd.DataFrame:
    """Return `Searches.final` of the methods for the teacher `CHAIN`, and of thinned networks of the search's size."""
    teachers = [trained_teacher(CHAIN, data.digits(seed=seed), seed=seed)]
    found = searches(teachers, methods=("DDC", "N2N", RANDOM, MINIMAL, GREEDY, FIXED), iterations=iterations)
    size = found.final.loc[found.final["method"] == "DDC", "parameters"].iloc[0]
    thin = thinning(teachers, parameters=[round(1.02 * size)], recipe=STUDENT)
    return pd.concat([found.final, thin], ignore_index=True).assign(seed=seed)


def subset_rows(*, seed: int, iterations: int) -> pd.DataFrame:
    """Return ``final`` of `subset_searches` after a search on all classes with as many iterations."""
    teachers = [digits_teacher(seed=seed)]
    full = searches(teachers, methods=("DDC",), iterations=iterations)
    tables = subset_searches(teachers, full, iterations=iterations, budget=iterations // 2)
    return tables["final"].assign(seed=seed)


def subset_history_rows(*, seed: int, iterations: int) -> pd.DataFrame:
    """Return ``history`` of `subset_searches`, half as long as the search on all classes, transfer half of that."""
    teachers = [digits_teacher(seed=seed)]
    full = searches(teachers, methods=("DDC",), iterations=iterations, first=seed)
    lengths = {"iterations": iterations // 2, "budget": iterations // 4}
    return subset_searches(teachers, full, first=seed, **lengths)["history"]


def threshold_rows(*, step: int, seed: int, iterations: int) -> pd.DataFrame:
    """Return the student that a search at step `step` of `LADDER` finds."""
    found = searched([digits_teacher(seed=seed)], ladder=LADDER[step : step + 1], iterations=iterations)
    return found["frontier"].assign(seed=seed)


def cifar_rows(*, minutes: float, device: str) -> pd.DataFrame:
    """Return ``final`` and ``subsets`` of `cifar10_tables` below one another, with the column part."""
    tables = cifar10_tables(minutes=minutes, device=device)
    return pd.concat([tables[name].assign(part=name) for name in ("final", "subsets")], ignore_index=True)
