"""Searches on digits: the paper's method, its relatives, and the baselines that it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lib.compression import data, layers, networks
from lib.compression.baselines import FIXED_DIGITS, fixed_students, one_shot_removal
from lib.compression.policy import Policy, Update
from lib.compression.reward import ddc, n2n
from lib.compression.search import Found, Metrics, random_search, search
from lib.compression.students import StudentTrainer, Teacher, trained_teacher
from lib.compression.training import Recipe

Progress = Callable[[Iterable[Any], str], Iterable[Any]]

STUDENT = Recipe(epochs=3, lr=0.02, decay=True)
UPDATE = Update(lr=0.003)
# Name: reward that is searched for, and how students are trained.
METHODS = {
    "DDC": (ddc, STUDENT),
    "DDC, hard targets": (ddc, replace(STUDENT, soft=0.0)),
    "N2N": (n2n, replace(STUDENT, loss="logits", soft=1.0)),
}
RANDOM, MINIMAL, UNITS = "random search", "remove all", "remove all units"
FIXED, ONE_SHOT = "fixed student", "one-shot removal"
OTHERS = (RANDOM, MINIMAL, UNITS, FIXED, ONE_SHOT)


@dataclass(frozen=True)
class Searches:
    """Tables of several searches, and the policies that they learned by (method, seed).

    `history` has one row a drawn student, `final` one a method and seed: the chosen student trained anew and judged on
    the test part. `reward` is the paper's in both, whatever was searched for (`sought` in `history`).
    """

    history: pd.DataFrame
    final: pd.DataFrame
    policies: dict[tuple[str, int], Policy]


def digits_teacher(*, seed: int = 0, widths: Sequence[int] = (4, 8, 16), device: str = "cpu") -> Teacher:
    """Return a residual network for digits, trained; `seed` decides split and weights."""
    return trained_teacher(networks.mini_resnet(tuple(widths)), data.digits(seed=seed, device=device), seed=seed)


def searches(
    teachers: Sequence[Teacher],
    *,
    methods: Sequence[str] = ("DDC", RANDOM, MINIMAL, UNITS),
    iterations: int = 24,
    rollouts: int = 5,
    update: Update = UPDATE,
    progress: Progress | None = None,
) -> Searches:
    """Run every method for each of `teachers`, whose place in the list is the seed.

    `methods` are keys of `METHODS` or of `OTHERS`. Random search gets as many trainings as the paper's method used;
    the two "remove all" and the fixed student need none.
    """
    unknown = set(methods) - {*METHODS, *OTHERS}
    if unknown:
        raise ValueError(f"no method {min(unknown)!r}: choose from {', '.join([*METHODS, *OTHERS])}")
    jobs = [(seed, method) for seed in range(len(teachers)) for method in methods]
    histories, finals, policies, spent = [], [], {}, {}
    for seed, method in jobs if progress is None else progress(jobs, "searches"):
        teacher = teachers[seed]
        _, recipe = METHODS.get(method, METHODS["DDC"])
        trainer = StudentTrainer(teacher, recipe, seed=seed)
        if method == FIXED:
            finals.append(_fixed(trainer) | {"method": method, "seed": seed, "trainings": 0})
            continue
        found = _find(method, teacher, trainer, seed, iterations, rollouts, update, spent.get(seed))
        trainings = 0
        if isinstance(found, Found):
            histories.append(judged_history(found).assign(method=method, seed=seed))
            trainings, keep = found.trainings, found.keep
            if method == "DDC":
                spent[seed] = trainings
            if found.policy is not None:
                policies[method, seed] = found.policy
        else:
            keep = found
        finals.append(final_row(trainer, keep) | {"method": method, "seed": seed, "trainings": trainings})
    history = pd.concat(histories, ignore_index=True) if histories else pd.DataFrame()
    return Searches(history, pd.DataFrame(finals), policies)


def _find(
    method: str,
    teacher: Teacher,
    trainer: StudentTrainer,
    seed: int,
    iterations: int,
    rollouts: int,
    update: Update,
    budget: int | None,
) -> Found | np.ndarray:
    architecture = teacher.architecture
    if method == MINIMAL:
        return layers.smallest_valid(architecture)
    if method == UNITS:
        return layers.by_unit(architecture, np.zeros(layers.units(architecture).max() + 1))
    if method == RANDOM:
        trainings = budget or iterations * rollouts
        return random_search(architecture, trainer, trainings=trainings, rollouts=rollouts, keep=None, seed=seed)
    if method == ONE_SHOT:
        return one_shot_removal(architecture, trainer)
    reward, _ = METHODS[method]
    return search(
        architecture, trainer, reward=reward, iterations=iterations, rollouts=rollouts, update=update, seed=seed
    )


def judged_history(found: Found) -> pd.DataFrame:
    """Return the history with `sought`, the reward that was searched for, and `reward`, the paper's."""
    history = found.history.rename(columns={"reward": "sought"})
    paper = ddc(history["a"], history["t"], history["c"])
    return history.assign(reward=np.where(history["valid"], paper, history["sought"]))


def final_row(trainer: StudentTrainer, keep: np.ndarray, *, runs: int = 3) -> dict[str, Any]:
    """Return the test metrics of the student of `keep`, its reward, and the share of free leaves that it keeps."""
    free = layers.free(trainer.teacher.architecture)
    return judged(trainer.test(keep, runs=runs)) | {"kept": float(np.mean(keep[free]))}


def judged(metrics: Metrics) -> Metrics:
    """Return `metrics` with the paper's reward and the compression."""
    reward = float(ddc(metrics["a"], metrics["t"], metrics["c"]))
    return metrics | {"reward": reward, "compression": 1 / metrics["c"]}


def _fixed(trainer: StudentTrainer, *, runs: int = 3) -> Metrics:
    """Return the metrics of the fixed student, trained on the teacher's logits as in the paper."""
    recipe = METHODS["N2N"][1]
    seeds = trainer.rng.integers(2**31, size=runs).tolist()
    return judged(trainer.judge(fixed_students(FIXED_DIGITS, trainer.images, recipe, seeds=seeds)))


def cache_savings(history: pd.DataFrame) -> pd.DataFrame:
    """Return by method and seed how many valid students were drawn and trained, and the ratio (at least 1)."""
    counts = history.groupby(["method", "seed"], sort=False)[["valid", "trained"]].sum().astype(int).reset_index()
    counts = counts.rename(columns={"valid": "drawn"})
    return counts.assign(savings=counts["drawn"] / counts["trained"])
