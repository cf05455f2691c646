"""What students cost on a device: exported, quantized and timed beside their teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from lib.compression.data import Images
from lib.compression.edge import edge_profile
from lib.compression.experiments.methods import METHODS, Searches
from lib.compression.layers import parameter_count, places, smallest_valid
from lib.compression.networks import Network
from lib.compression.pruning.comparison import WIDTH
from lib.compression.pruning.width import width_scaled
from lib.compression.search import best
from lib.compression.stacked import train_students
from lib.compression.students import StudentTrainer, Teacher
from lib.compression.training import accuracy

RUNS = 3  # trainings of each network, of which the best is exported


def final_networks(teacher: Teacher, full: Searches, *, seed: int = 0) -> dict[str, nn.Module]:
    """Return teacher, minimal student, the student that the search found, and a uniformly narrowed one of its size.

    Each but the teacher is the best on validation images of `RUNS` trainings; the narrowed one is trained for three
    times the epochs of the students, as many as in `lib.compression.pruning.comparison.thinned`.
    """
    recipe, images = METHODS["DDC"][1], teacher.images
    drawn = full.history[(full.history["method"] == "DDC") & (full.history["seed"] == seed)]
    keeps = np.stack([smallest_valid(teacher.architecture), best(drawn, teacher.architecture)])
    trainer = StudentTrainer(teacher, recipe, seed=seed)
    minimal, found = (_best(trainer.replicates(keep, runs=RUNS), images) for keep in keeps)
    thin = width_scaled(teacher.architecture, parameter_count(found.architecture))
    whole = np.ones((RUNS, len(places(thin))), dtype=bool)  # every layer stays
    seeds = [RUNS * seed + run for run in range(RUNS)]
    narrow = _best(train_students(thin, whole, images, replace(recipe, epochs=3 * recipe.epochs), seeds=seeds), images)
    return {"teacher": teacher.net, "minimal": minimal, "found": found, WIDTH: narrow}


def _best(nets: Sequence[Network], images: Images) -> Network:
    """Return the most accurate of `nets` on the validation images."""
    return max(nets, key=lambda net: accuracy(net, images.val_x, images.val_y))


def edge_costs(
    teacher: Teacher, full: Searches, *, blocks: int = 101, repeats: int = 20, folder: Path | None = None
) -> pd.DataFrame:
    """Profile `final_networks` as exported files, one image and one thread; see `lib.compression.edge.edge_profile`.

    The files are kept in `folder` if given.
    """
    images = teacher.images
    return edge_profile(
        final_networks(teacher, full),
        images.test_x[:1],
        reference="teacher",
        blocks=blocks,
        repeats=repeats,
        images=images.test_x,
        labels=images.test_y,
        folder=folder,
    )
