"""What students cost on a device: exported, quantized and timed beside their teacher."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from lib.compression.edge import edge_profile
from lib.compression.experiments.methods import METHODS, Searches
from lib.compression.layers import parameter_count, smallest_valid
from lib.compression.networks import build
from lib.compression.pruning import width_scaled
from lib.compression.search import best
from lib.compression.students import StudentTrainer, Teacher
from lib.compression.training import fit


def final_networks(teacher: Teacher, full: Searches, *, seed: int = 0) -> dict[str, nn.Module]:
    """Return teacher, minimal student, the student that the search found, and a uniformly narrowed one of its size."""
    recipe = METHODS["DDC"][1]
    drawn = full.history[(full.history["method"] == "DDC") & (full.history["seed"] == seed)]
    keeps = np.stack([smallest_valid(teacher.architecture), best(drawn, teacher.architecture)])
    minimal, found = StudentTrainer(teacher, recipe, seed=seed).train(keeps)
    narrow = build(width_scaled(teacher.architecture, parameter_count(found.architecture)), seed=seed)
    fit(narrow.to(teacher.images.train_y.device), teacher.images, recipe, seed=seed)
    return {"teacher": teacher.net, "minimal": minimal, "found": found, "uniform width": narrow}


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
