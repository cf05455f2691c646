"""Students trained, exported and profiled beside their teacher, their files kept for the reader."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from lib.compression.edge import edge_profile, repeatability
from lib.compression.networks import Network
from lib.compression.students import StudentTrainer, Teacher
from lib.compression.training import Recipe
from lib.report.paths import current_run


def trained_models(
    teacher: Teacher, keeps: Mapping[str, np.ndarray], *, recipe: Recipe, seed: int = 0
) -> dict[str, Network]:
    """Return the teacher under "teacher" and one trained student for each named decision ``(places,)``.

    Raises ValueError for a student called "teacher".
    """
    if "teacher" in keeps:
        raise ValueError("a student is called 'teacher': that name is the teacher's")
    nets = StudentTrainer(teacher, recipe, seed=seed).train(np.stack(list(keeps.values())))
    return {"teacher": teacher.net} | dict(zip(keeps, nets, strict=True))


def edge_table(
    models: Mapping[str, Network],
    teacher: Teacher,
    *,
    images: int | None = 200,
    blocks: int = 101,
    repeats: int = 20,
    seed: int = 0,
    folder: Path | None = None,
) -> pd.DataFrame:
    """Return `lib.compression.edge.edge_profile` of `models` ("teacher" among them) for single images on one thread.

    Args:
        models: Trained networks by name, thinned ones too.
        teacher: Whose test images are classified with the exported files.
        images: How many of them (all if None), one a call.
        blocks: Turns of the timing; about a second in all for networks on digits, fewer do for large ones.
        repeats: Timed calls of each file a turn.
        seed: Of the order of the files.
        folder: Where the files are kept; by default the running notebook's ``downloads``, and nowhere outside a run.
    """
    x, y = teacher.images.test_x[:images].cpu(), teacher.images.test_y[:images].cpu()
    folder = downloads() if folder is None else folder
    options = {"blocks": blocks, "repeats": repeats, "seed": seed, "folder": folder}
    cpu = {name: copy.deepcopy(net).cpu() for name, net in models.items()}
    return edge_profile(cpu, x[:1], reference="teacher", images=x, labels=y, **options)


def edge_twice(
    models: Mapping[str, Network], teacher: Teacher, *, blocks: int = 101, repeats: int = 20
) -> pd.DataFrame:
    """Return how far the latency ratios of two runs of the table are apart (`lib.compression.edge.repeatability`)."""
    tables = [edge_table(models, teacher, images=1, blocks=blocks, repeats=repeats, seed=seed) for seed in (0, 1)]
    return repeatability(*tables)


def downloads() -> Path | None:
    """Return the folder of the running notebook's files to take away, or None outside a run."""
    run = current_run()
    return None if run is None else run / "downloads"
