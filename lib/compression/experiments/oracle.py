"""A teacher so small that all its students can be trained: what a search misses is known exactly."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from lib.compression import data, layers, networks
from lib.compression.baselines import all_students, greedy_removal
from lib.compression.experiments.methods import STUDENT, Progress
from lib.compression.policy import Update
from lib.compression.reward import ddc
from lib.compression.search import Evaluate, Found, Metrics, random_search, search
from lib.compression.stacked import shapes
from lib.compression.students import StudentTrainer, trained_teacher

TINY = networks.mini_vgg((8, "M", 16))
POLICIES = {"DDC": Update(lr=0.01), "DDC, shared advantage": Update(lr=0.01, shared=True)}


def enumeration(*, seed: int = 0, at_once: int = 16, progress: Progress | None = None) -> pd.DataFrame:
    """Train all 64 students of a network of two convolutions on digits, `at_once` together; one row each.

    Columns: key (decisions as text of 0 and 1), kept, minimal, valid (fewer parameters than the teacher), accuracy,
    a, t, c, reward.
    """
    teacher = trained_teacher(TINY, data.digits(seed=seed), seed=seed)
    trainer = StudentTrainer(teacher, STUDENT, seed=seed)
    keeps, free = all_students(TINY), layers.free(TINY)
    keeps = np.array(sorted(keeps, key=lambda keep: shapes(TINY, keep)))  # those that can be trained together, in a row
    groups = np.array_split(keeps, max(1, len(keeps) // at_once))
    metrics: list[Metrics] = []
    for group in groups if progress is None else progress(groups, "all students"):
        metrics += trainer(group)
    rows = []
    for keep, found in zip(keeps, metrics, strict=True):
        valid = layers.invalid(layers.student(TINY, keep), TINY) is None
        facts = {"key": _text(keep), "kept": float(keep[free].mean()), "minimal": not keep[free].any(), "valid": valid}
        rows.append(facts | found | {"reward": float(ddc(found["a"], found["t"], found["c"]))})
    return pd.DataFrame(rows)


def tabular_searches(
    table: pd.DataFrame, *, seeds: int = 20, iterations: int = 20, rollouts: int = 5, progress: Progress | None = None
) -> pd.DataFrame:
    """Search in the table of `enumeration`, where a training costs a look-up: best reward after each training.

    Every method knows nothing but what it asked for; random search gets as many trainings as "DDC" used, seed by seed.
    Columns: method, seed, trainings, best (reward of the best
    student so far over that of the best of all), found (whether it is the best of all).
    """
    evaluate, top = _lookup(table), float(table.loc[table["valid"], "reward"].max())
    rows = []
    names: Iterable[int] = range(seeds)
    for seed in names if progress is None else progress(names, "searches in the table"):
        common = {"rollouts": rollouts, "seed": seed}
        found = {
            name: search(TINY, evaluate, iterations=iterations, update=update, **common)
            for name, update in POLICIES.items()
        }
        found["random search"] = random_search(TINY, evaluate, trainings=found["DDC"].trainings, **common)
        found["greedy removal"] = greedy_removal(TINY, evaluate, seed=seed)
        rows += [_curve(each).assign(method=name, seed=seed) for name, each in found.items()]
    curves = pd.concat(rows, ignore_index=True)
    return curves.assign(found=curves["best"] >= top, best=curves["best"] / top)


def _text(keep: np.ndarray) -> str:
    return "k" + "".join("01"[int(flag)] for flag in keep)


def _lookup(table: pd.DataFrame) -> Evaluate:
    known = table.set_index("key")[["accuracy", "a", "t", "c"]].to_dict("index")
    return lambda keeps: [known[_text(keep)] for keep in keeps]


def _curve(found: Found) -> pd.DataFrame:
    """Return the best reward after each training."""
    history = found.history[found.history["trained"]]
    best = np.maximum.accumulate(history["reward"].to_numpy())
    return pd.DataFrame({"trainings": np.arange(1, len(best) + 1), "best": best})
