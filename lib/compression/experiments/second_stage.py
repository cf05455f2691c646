"""The second stage of N2N and of the authors' code: after layers were removed, the widths of what is left shrink."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lib.compression.experiments.methods import METHODS, Progress, Searches, judged
from lib.compression.layers import Architecture, student
from lib.compression.networks import Network, build
from lib.compression.pruning import shrink_search
from lib.compression.reward import ddc
from lib.compression.search import Metrics, best
from lib.compression.students import StudentTrainer, Teacher
from lib.compression.training import fit

SECOND = "DDC, then widths"


def second_stage(
    teachers: Sequence[Teacher],
    full: Searches,
    *,
    iterations: int = 8,
    least: int = 2,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Search for the widths of each student that `full` found, of at least `least` channels; rows as `Searches.final`.

    The authors' code allows no width below ten, which leaves digits' small networks as they are.
    """
    rows, seeds = [], range(len(teachers))
    for seed in seeds if progress is None else progress(seeds, "widths"):
        teacher = teachers[seed]
        drawn = full.history[(full.history["method"] == "DDC") & (full.history["seed"] == seed)]
        architecture = student(teacher.architecture, best(drawn, teacher.architecture))
        trainer = StudentTrainer(teacher, METHODS["DDC"][1], seed=seed)

        def evaluate(some: Sequence[Architecture], trainer: StudentTrainer = trainer) -> list[Metrics]:
            return trainer.measure([_trained(one, trainer) for one in some])

        found = shrink_search(architecture, evaluate, reward=ddc, iterations=iterations, least=least, seed=seed)
        facts = {"method": SECOND, "seed": seed, "trainings": int(found.history["trained"].sum())}
        rows += judged(trainer, [(facts, [_trained(found.best, trainer) for _ in range(3)])])
    return pd.DataFrame(rows)


def _trained(architecture: Architecture, trainer: StudentTrainer) -> Network:
    seed = int(trainer.rng.integers(2**31))
    net = build(architecture, seed=seed).to(trainer.images.train_y.device)
    fit(net, trainer.images, trainer.recipe, seed=seed)
    return net
