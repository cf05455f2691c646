"""Class subsets: a policy of their own, a transferred policy, and what the classifier's unused outputs cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib.compression import data, layers
from lib.compression.experiments.methods import (
    METHODS,
    UPDATE,
    Progress,
    Searches,
    judged,
    judged_history,
)
from lib.compression.networks import with_classes
from lib.compression.policy import Update
from lib.compression.reward import ddc
from lib.compression.search import best, search
from lib.compression.stacked import train_students
from lib.compression.students import StudentTrainer, Teacher
from lib.compression.training import accuracy

FULL, OWN, TRANSFER, SCRATCH = "full policy", "subset policy", "transfer", "scratch"


def subset_searches(
    teachers: Sequence[Teacher],
    full: Searches,
    *,
    subsets: Sequence[str] = ("A", "B"),
    iterations: int = 12,
    budget: int = 6,
    rollouts: int = 5,
    update: Update = UPDATE,
    first: int = 0,
    progress: Progress | None = None,
) -> dict[str, pd.DataFrame]:
    """Search on each of `subsets` anew for `iterations`, and with the policy of `full` for `budget`.

    Seeds are places in `teachers`, counted from `first`, as in `full`. Returns ``history`` (one row a drawn student,
    with columns subset, arm, seed) and ``final``, whose arms are the "full policy" (the student found on all classes),
    the "subset policy" (best of the search from scratch), "scratch" (best of its first `budget` iterations) and
    "transfer"; all are trained anew on the subset.
    """
    if budget > iterations:
        raise ValueError(f"budget {budget} above {iterations} iterations: the search from scratch has to reach it")
    jobs = [(seed, subset) for seed in range(first, first + len(teachers)) for subset in subsets]
    histories, finals = [], []
    for seed, subset in jobs if progress is None else progress(jobs, "subsets"):
        teacher, keeps = teachers[seed - first], {}
        images = data.subset(teacher.images, data.SUBSETS[subset])
        trainer = StudentTrainer(teacher, METHODS["DDC"][1], images=images, seed=seed)
        common = {"reward": ddc, "rollouts": rollouts, "update": update, "seed": seed}
        for arm, steps, policy in (
            (SCRATCH, iterations, None),
            (TRANSFER, budget, full.policies["DDC", seed]),
        ):
            found = search(teacher.architecture, trainer, iterations=steps, policy=policy, **common)
            keeps |= {arm: best(found.history, teacher.architecture, iterations=budget)}
            keeps |= {OWN: found.keep} if arm == SCRATCH else {}
            histories.append(judged_history(found.history).assign(subset=subset, arm=arm, seed=seed))
        drawn = full.history[(full.history["method"] == "DDC") & (full.history["seed"] == seed)]
        keeps[FULL] = best(drawn, teacher.architecture)
        facts = [{"subset": subset, "arm": arm, "seed": seed} for arm in keeps]
        finals += judged(trainer, list(zip(facts, map(trainer.replicates, keeps.values()), strict=True)))
    return {"history": pd.concat(histories, ignore_index=True), "final": pd.DataFrame(finals)}


def heads(
    teachers: Sequence[Teacher], full: Searches, *, subsets: Sequence[str] = ("A", "B"), runs: int = 3
) -> pd.DataFrame:
    """Compare classifiers on class subsets: all outputs, absent classes masked in the test, and sliced to the subset.

    Students are the minimal one and the one that the search on all classes found (`network`); `seed` numbers teachers
    and the `runs` trainings of each. A mask changes no training; a sliced classifier is trained as such, by the slice
    of the teacher's outputs. Columns: subset, network, head, seed, test, parameters.
    """
    recipe, rows = METHODS["DDC"][1], []
    for place, teacher in enumerate(teachers):
        drawn = full.history[(full.history["method"] == "DDC") & (full.history["seed"] == place)]
        networks = {"minimal": layers.smallest_valid(teacher.architecture), "found": best(drawn, teacher.architecture)}
        for subset in subsets:
            whole = data.subset(teacher.images, data.SUBSETS[subset])
            thin = data.sliced(whole)
            small = with_classes(teacher.architecture, thin.classes)
            for name, keep in networks.items():
                seeds = [100 * place + run for run in range(runs)]
                keeps = np.tile(keep, (runs, 1))
                wide = train_students(teacher.architecture, keeps, whole, recipe, seeds=seeds)
                slim = train_students(small, keeps, thin, recipe, seeds=seeds)
                facts: dict[str, Any] = {"subset": subset, "network": name}
                for seed, one, other in zip(seeds, wide, slim, strict=True):
                    tests = {
                        "full": (one, accuracy(one, whole.test_x, whole.test_y)),
                        "masked": (one, accuracy(one, whole.test_x, whole.test_y, among=whole.members)),
                        "sliced": (other, accuracy(other, thin.test_x, thin.test_y)),
                    }
                    for head, (net, test) in tests.items():
                        size = layers.parameter_count(net.architecture)
                        rows.append(facts | {"head": head, "seed": seed, "test": test, "parameters": size})
    return pd.DataFrame(rows)
