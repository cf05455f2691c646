"""Concept shift: clients that give the same input different labels, against the ceiling of any single model."""

import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.fedper.aesthetics import aesthetics_federation, level_probabilities, own_tastes, picture_pool, tastes
from lib.fedper.baselines import method
from lib.fedper.ceiling import permutation_ceiling, personal_ceiling, single_model_ceiling
from lib.fedper.experiments.arms import DIGITS_NET, Cell, Plan, Progress, arms, compared, track
from lib.fedper.experiments.finetuning import finetuned
from lib.fedper.federations import class_federation, digits, permuted
from lib.nets import mlp

AESTHETICS_NET = functools.partial(mlp, (32, 64, 32, 5))


def aesthetics(
    *,
    shares: Sequence[float] = (1.0, 0.3, 0.0),
    methods: Sequence[str] = ("FedAvg", "FedPer 1", "local only"),
    users: int = 30,
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 16,
    steps: int = 15,
    lr: float = 0.03,
    evaluate_every: int = 2,
    ceiling_users: int = 1500,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy over rounds on the surrogate of aesthetic scores, for each share of individual taste.

    Returns:
        One row an evaluated round: a (share of individual taste), single_ceiling (no single model can do better for
        these users, with any amount of data), population_ceiling (the same for `ceiling_users` users of the kind),
        personal_ceiling (no model can, given the rating noise), method, seed, and the columns of `arms.by_round`.
        Chance is one in five.
    """
    plan = Plan(rounds=rounds, steps=steps, lr=lr)
    cells = [
        Cell(
            aesthetics_federation(picture_pool(seed=s), a=a, users=users, seed=s),
            s,
            {"a": a, **_ceilings(a, s, users, ceiling_users)},
        )
        for a, s in track([(a, s) for a in shares for s in range(seed, seed + seeds)], "aesthetics", progress)
    ]
    parts = []
    for name in track(methods, "methods", progress):
        algorithm = method(name, AESTHETICS_NET, plan.local, seed=seed)
        found = arms(name, algorithm, cells, plan, evaluate_every=evaluate_every)
        for cell, (rows, history) in zip(cells, found, strict=True):
            parts += [rows, finetuned(rows, algorithm, history, cell.federation, plan, seed=cell.seed)]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def _ceilings(a: float, seed: int, users: int, many: int) -> dict[str, float]:
    pool = picture_pool(seed=seed)
    votes = level_probabilities(pool, own_tastes(pool, a=a, users=users, seed=seed), seed=seed)
    # Another pool of the same kind: 800 pictures give the mean to three digits at a fifth of its memory.
    few = picture_pool(pictures=800, seed=seed)
    others = tastes(many, few.factors.shape[1], a, np.random.default_rng([seed, 2]))
    return {
        "single_ceiling": single_model_ceiling(votes),
        "population_ceiling": single_model_ceiling(level_probabilities(few, others, seed=seed)),
        "personal_ceiling": personal_ceiling(votes),
    }


def renamed_labels(
    *,
    renamed: Sequence[int] = (0, 5, 10),
    methods: Sequence[str] = ("FedAvg", "FedPer 1"),
    clients: int = 10,
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    steps: int = 20,
    lr: float = 0.05,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the final accuracy on digits of all classes where each client shuffles the names of some classes.

    `renamed` are the numbers of classes whose names a client permutes at random among themselves.

    Returns:
        One row a run: renamed, single_ceiling (exact for these permutations), method, seed, and the columns of
        `arms.by_round`.
    """
    plan = Plan(rounds=rounds, steps=steps, lr=lr)
    x, y = digits()
    cells = []
    for count, s in [(count, s) for count in renamed for s in range(seed, seed + seeds)]:
        plain = class_federation(x, y, clients=clients, classes_per_client=10, seed=s, name="digits")
        names = _permutations(clients, count, np.random.default_rng([s, count]))
        labels = {"renamed": count, "single_ceiling": permutation_ceiling(names, np.bincount(y))}
        cells.append(Cell(permuted(plain, names), s, labels))
    return compared(methods, lambda name: method(name, DIGITS_NET, plan.local, seed=seed), cells, plan, progress)


def _permutations(clients: int, renamed: int, rng: np.random.Generator) -> np.ndarray:
    """Return one permutation of the ten class names a client, which moves at most `renamed` of them."""
    names = np.tile(np.arange(10), (clients, 1))
    for row in names:
        moved = rng.choice(10, size=renamed, replace=False)
        row[moved] = rng.permutation(moved)
    return names
