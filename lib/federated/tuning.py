"""Choosing a setting, such as a learning rate, on partitions on which nothing is judged: the same budget for all."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

FIRST_SEED = 1000  # seeds of the partitions for choosing begin here, so that none of those judged on is among them


def tuning_seeds(seeds: int, seed: int = 0) -> range:
    """Return the seeds of as many partitions for choosing as are judged on, for a first judged seed below 1000."""
    if seed + seeds > FIRST_SEED:
        raise ValueError(f"seeds up to {seed + seeds - 1} reach into those for tuning: stay below {FIRST_SEED}")
    return range(FIRST_SEED + seed, FIRST_SEED + seed + seeds)


def best_settings(
    runs: pd.DataFrame, by: Sequence[str], *, setting: str = "lr", value: str = "accuracy"
) -> pd.DataFrame:
    """Return the `setting` with the largest median `value` among `runs`, one row a combination of the columns `by`.

    A run without a value (NaN) counts as worse than any other; of equally good settings the smallest is taken.
    """
    scores = runs.assign(**{value: runs[value].fillna(-np.inf)}).groupby([*by, setting])[value].median()
    return scores.groupby(list(by)).idxmax().map(lambda key: key[-1]).rename(setting).reset_index()
