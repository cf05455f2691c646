"""The experiments on real data sets, by name of the data set."""

from collections.abc import Sequence

import pandas as pd

from lib.bslb.experiments.annotation_real import annotation_sst2, annotation_voc, annotation_voc_accuracy
from lib.bslb.experiments.methods import Progress
from lib.bslb.experiments.recommendation import recommendation_movielens

KNOWN = ("digits", "voc2012", "sst2", "movielens-small")


def real_tables(
    data_sets: Sequence[str], *, seeds: int = 5, seed: int = 0, features: str = "", progress: Progress | None = None
) -> dict[str, pd.DataFrame]:
    """Return the tables of the experiments that need the data sets named: voc, voc_accuracy, sst2, movielens.

    "digits" is bundled and needs nothing here. `features` is the path of an npz with user-supplied embeddings of VOC
    images, empty for object lists. Raises ValueError for an unknown name, DataError where a data set is absent.
    """
    unknown = sorted(set(data_sets) - set(KNOWN))
    if unknown:
        raise ValueError(f"unknown data set {unknown[0]!r}; choose from {', '.join(KNOWN)}")
    tables = {}
    if "voc2012" in data_sets:
        tables["voc"] = annotation_voc(seeds=seeds, seed=seed, features=features or None, progress=progress)
        tables["voc_accuracy"] = annotation_voc_accuracy(seeds=seeds, seed=seed, progress=progress)
    if "sst2" in data_sets:
        tables["sst2"] = annotation_sst2(seeds=seeds, seed=seed, progress=progress)
    if "movielens-small" in data_sets:
        tables["movielens"] = recommendation_movielens(seed=seed, progress=progress)
    return tables
