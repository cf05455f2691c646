"""What a speed-up is when the teacher's time is that of the first pass of a process, as in the released code."""

from __future__ import annotations

import pandas as pd

from lib.compression.cold import fresh_process_passes
from lib.compression.experiments.methods import Progress
from lib.compression.layers import Architecture, smallest_valid, student

NETWORKS = ("teacher", "minimal student")


def cold_start(
    teacher: Architecture, *, processes: int = 3, batch: int = 200, progress: Progress | None = None
) -> pd.DataFrame:
    """Time `teacher`, then its minimal student, in `processes` fresh processes; `batch` images as in the paper.

    Columns: process, network, first_s (its first pass; the teacher's is the first of the process), warm_s (median of
    later ones), seconds of the processor.
    """
    pair, rows = (teacher, student(teacher, smallest_valid(teacher))), []
    for process in range(processes) if progress is None else progress(range(processes), "fresh processes"):
        found = fresh_process_passes(pair, batch=batch)
        rows += [{"process": process, "network": name} | row for name, row in zip(NETWORKS, found, strict=True)]
    return pd.DataFrame(rows)
