"""Thinned networks of the size that layer removal reaches, trained with its budget and judged alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

from lib.compression.layers import Block
from lib.compression.networks import Network, build
from lib.compression.pruning.library import library_pruning
from lib.compression.pruning.taylor import taylor_pruning_to
from lib.compression.pruning.width import width_scaled
from lib.compression.reward import ddc
from lib.compression.students import StudentTrainer, Teacher
from lib.compression.training import Recipe, fit

TAYLOR, LIBRARY, WIDTH = "Taylor pruning", "library pruning", "uniform width"
THINNING = (TAYLOR, LIBRARY, WIDTH)


def thinned(
    teacher: Teacher, method: str, *, parameters: int, recipe: Recipe, rounds: int = 3, seed: int = 0
) -> Network:
    """Return a network of at most `parameters` parameters, made from `teacher` by `method` of `THINNING` and trained.

    Pruned networks keep the teacher's weights and are fine-tuned by `recipe` after each of `rounds` rounds; a narrowed
    one starts from fresh weights and is trained for as many epochs in all.

    Raises ValueError for an unknown method, or Taylor pruning of a residual network.
    """
    images = teacher.images

    def tune(net: Network) -> None:
        fit(net, images, recipe, seed=seed)

    if method == WIDTH:
        net = build(width_scaled(teacher.architecture, parameters), seed=seed).to(images.train_y.device)
        for _ in range(rounds):
            tune(net)
        return net
    if method == LIBRARY:
        return library_pruning(teacher.net, images, parameters=parameters, tune=tune, rounds=rounds, seed=seed)
    if method != TAYLOR:
        raise ValueError(f"no method {method!r}: choose from {', '.join(THINNING)}")
    return taylor_pruning_to(teacher.net, images, parameters=parameters, rounds=rounds, tune=tune)


def thinning(
    teachers: Sequence[Teacher],
    *,
    parameters: Sequence[int],
    recipe: Recipe,
    rounds: int = 3,
    progress: Callable[[Iterable[Any], str], Iterable[Any]] | None = None,
) -> pd.DataFrame:
    """Thin every teacher, whose place in the list is the seed, to each number of `parameters` by every method.

    Taylor pruning is left out for residual networks. Returns one row a method, seed and target: method, seed, target,
    rounds, and what `StudentTrainer.judge` measures, with ``compression`` and the paper's ``reward``.
    """
    jobs = [
        (seed, method, target)
        for seed, teacher in enumerate(teachers)
        for target in parameters
        for method in THINNING
        if method != TAYLOR or not any(isinstance(part, Block) for part in teacher.architecture.parts)
    ]
    rows = []
    for seed, method, target in jobs if progress is None else progress(jobs, "thinning"):
        teacher = teachers[seed]
        net = thinned(teacher, method, parameters=target, recipe=recipe, rounds=rounds, seed=seed)
        found = StudentTrainer(teacher, recipe, seed=seed).judge([[net]])[0]
        reward = float(ddc(found["a"], found["t"], found["c"]))
        facts = {"method": method, "seed": seed, "target": target, "rounds": rounds}
        rows.append(facts | found | {"compression": 1 / found["c"], "reward": reward})
    return pd.DataFrame(rows)
