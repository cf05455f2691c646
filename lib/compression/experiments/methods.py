"""Searches on digits: the paper's method, its relatives, and the baselines that it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lib.compression import data, layers, networks
from lib.compression.baselines import FIXED_DIGITS, fixed_students, greedy_removal, one_shot_removal
from lib.compression.networks import Network
from lib.compression.policy import Policy, Update
from lib.compression.reward import ddc, n2n
from lib.compression.search import Found, random_search, search
from lib.compression.students import StudentTrainer, Teacher, trained_teacher
from lib.compression.training import Recipe

Progress = Callable[[Iterable[Any], str], Iterable[Any]]

STUDENT = Recipe(epochs=3, lr=0.02, decay=True)
UPDATE = Update(lr=0.003)
TOGETHER = 20  # students that random search, which learns nothing between them, trains and times side by side
# Name: reward that is searched for, and how students are trained.
METHODS = {
    "DDC": (ddc, STUDENT),
    "DDC, hard targets": (ddc, replace(STUDENT, soft=0.0)),
    "N2N": (n2n, replace(STUDENT, loss="logits", soft=1.0)),
}
RANDOM, MINIMAL, UNITS = "random search", "remove all", "remove all units"
FIXED, ONE_SHOT, GREEDY = "fixed student", "one-shot removal", "greedy removal"
OTHERS = (RANDOM, MINIMAL, UNITS, FIXED, ONE_SHOT, GREEDY)


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
    first: int = 0,
    progress: Progress | None = None,
) -> Searches:
    """Run every method for each of `teachers`, whose place in the list, counted from `first`, is the seed.

    `methods` are keys of `METHODS` or of `OTHERS`. Random search gets as many trainings as the paper's method used;
    the two "remove all" and the fixed student need none.
    """
    unknown = set(methods) - {*METHODS, *OTHERS}
    if unknown:
        raise ValueError(f"no method {min(unknown)!r}: choose from {', '.join([*METHODS, *OTHERS])}")
    by_seed = dict(enumerate(teachers, first))
    jobs = [(seed, method) for seed in by_seed for method in methods]
    histories, finals, policies, spent = [], [], {}, {}
    chosen: dict[int, list[tuple[dict[str, Any], list[Network]]]] = {}
    for seed, method in jobs if progress is None else progress(jobs, "searches"):
        trainer = StudentTrainer(by_seed[seed], METHODS.get(method, METHODS["DDC"])[1], seed=seed)
        facts: dict[str, Any] = {"method": method, "seed": seed, "trainings": 0}
        if method == FIXED:
            nets = _fixed(trainer)
        else:
            found = _find(method, trainer, seed, iterations, rollouts, update, spent.get(seed))
            keep = found.keep if isinstance(found, Found) else found
            nets = trainer.replicates(keep)
            facts["kept"] = float(np.mean(keep[layers.free(by_seed[seed].architecture)]))
            if isinstance(found, Found):
                histories.append(judged_history(found.history).assign(method=method, seed=seed))
                facts["trainings"] = found.trainings
            if isinstance(found, Found) and found.policy is not None:
                policies[method, seed] = found.policy
                spent.setdefault(seed, found.trainings)
        chosen.setdefault(seed, []).append((facts, nets))
        if len(chosen[seed]) == len(methods):  # all of a seed are timed together
            finals += judged(trainer, chosen[seed])
    history = pd.concat(histories, ignore_index=True) if histories else pd.DataFrame()
    return Searches(history, pd.DataFrame(finals), policies)


def _find(
    method: str,
    trainer: StudentTrainer,
    seed: int,
    iterations: int,
    rollouts: int,
    update: Update,
    budget: int | None,
) -> Found | np.ndarray:
    architecture = trainer.teacher.architecture
    if method == MINIMAL:
        return layers.smallest_valid(architecture)
    if method == UNITS:
        return layers.by_unit(architecture, np.zeros(layers.units(architecture).max() + 1))
    if method == RANDOM:
        trainings = budget or iterations * rollouts
        return random_search(architecture, trainer, trainings=trainings, rollouts=TOGETHER, keep=None, seed=seed)
    if method == ONE_SHOT:
        return one_shot_removal(architecture, trainer)
    if method == GREEDY:
        return greedy_removal(architecture, trainer, seed=seed)
    reward, _ = METHODS[method]
    return search(
        architecture, trainer, reward=reward, iterations=iterations, rollouts=rollouts, update=update, seed=seed
    )


def judged_history(history: pd.DataFrame) -> pd.DataFrame:
    """Return the history with `sought`, the reward that was searched for, and `reward`, the paper's."""
    history = history.rename(columns={"reward": "sought"})
    if not history["valid"].any():  # no student has metrics yet
        return history.assign(reward=history["sought"])
    paper = ddc(history["a"], history["t"], history["c"])
    return history.assign(reward=np.where(history["valid"], paper, history["sought"]))


def judged(trainer: StudentTrainer, chosen: Sequence[tuple[dict[str, Any], list[Network]]]) -> list[dict[str, Any]]:
    """Return a row for each of `chosen`: its facts, its replicates' test metrics, the paper's reward, compression."""
    rows = []
    for (facts, _), metrics in zip(chosen, trainer.judge([nets for _, nets in chosen]), strict=True):
        reward = float(ddc(metrics["a"], metrics["t"], metrics["c"]))
        rows.append(metrics | {"reward": reward, "compression": 1 / metrics["c"]} | facts)
    return rows


def _fixed(trainer: StudentTrainer, *, runs: int = 3) -> list[Network]:
    """Return replicates of the fixed student, trained on the teacher's logits as in the paper."""
    seeds = trainer.rng.integers(2**31, size=runs).tolist()
    return fixed_students(FIXED_DIGITS, trainer.images, METHODS["N2N"][1], seeds=seeds)


def cache_savings(history: pd.DataFrame) -> pd.DataFrame:
    """Return by method and seed how many valid students were drawn and trained, and the ratio (at least 1)."""
    counts = history.groupby(["method", "seed"], sort=False)[["valid", "trained"]].sum().astype(int).reset_index()
    counts = counts.rename(columns={"valid": "drawn"})
    return counts.assign(savings=counts["drawn"] / counts["trained"])
