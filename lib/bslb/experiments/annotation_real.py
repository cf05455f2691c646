"""Annotation experiments on real data: visual search difficulty of VOC 2012 and sentiment of SST-2."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from lib.bslb.annotation import LabelledPoints, annotation_design, choose, evaluate, expert, split_task, standardise
from lib.bslb.experiments.annotation import NESTED, compare
from lib.bslb.experiments.known_means import BANDIT_POLICIES, compare_bandits
from lib.bslb.environments import make_environment
from lib.bslb.text_features import sentiment_task
from lib.bslb.voc_features import layout_features, object_features

Progress = Callable[[Iterable, str], Iterable]
LABEL_FREE = ("random", "bslb", "uniform_etc", "k_center", "difficulty_oracle")
VOC_CLASSES = ("person", "car", "chair", "dog", "bird")


def annotation_voc(
    *,
    budgets: Sequence[int] = (50, 100, 200, 400),
    seeds: int = 5,
    seed: int = 0,
    k: int = 10,
    policies: Sequence[str] = BANDIT_POLICIES,
    features: str | Path | None = None,
    scores: str | Path | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Look for the images of VOC 2012 trainval that people find hard, by human response-time scores.

    The pool is all 11,540 images; a pull returns the image's score without further noise, so the scores serve as means.
    By default an image is described by its list of annotated objects (`object_features`), not by a network: image
    embeddings are not part of this experiment unless the user supplies them.

    Args:
        budgets: numbers of pulls T.
        seeds: replicates; exploration and ties differ, pool and scores are the same.
        seed: seed of the policies.
        k: sparsity that sets BSLB's exploration length.
        policies: names out of `lib.bslb.experiments.known_means.BANDIT_POLICIES`.
        features: npz with `ids` and `features` (see `lib.data.embeddings`) to use in place of the object lists.
        scores: difficulty file of the user, in place of the registered one.
        progress: wraps the loop over budgets.

    Returns:
        The rows of `compare_bandits` with a column `task`; regrets and mean_reward in score units.
        ``full_data_linear`` ranks all images by a ridge regression cross-fitted on all scores: the ceiling of a linear
        model.
    """
    from lib.data import embeddings, load

    voc = load("voc2012", scores=scores)
    raw = object_features(len(voc.ids), voc.boxes) if features is None else embeddings(features, voc.ids)
    means = np.tile(voc.difficulty, (seeds, 1))
    env = make_environment(standardise(raw), means, sigma=0.0, sigma_known=False, seed=seed)
    rows = []
    for policy in progress(list(policies), "VOC 2012") if progress else policies:
        rows += compare_bandits(env, [policy], budgets, k=k, seed=seed)
    table = pd.DataFrame(rows)
    table.insert(0, "task", "VOC 2012 difficulty")
    return table


def annotation_voc_accuracy(
    *,
    classes: Sequence[str] = VOC_CLASSES,
    budgets: Sequence[int] = (50, 100, 200, 400),
    seeds: int = 5,
    seed: int = 0,
    policies: Sequence[str] = ("random", "bslb", "uniform_etc", "margin", "k_center", "difficulty_oracle", "all"),
    scores: str | Path | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Label VOC 2012 images one-vs-rest under a budget and test a classifier on hard and on easy images.

    The label says whether the class occurs (objects marked difficult left out). All policies and the classifier see the
    boxes' layout without their classes, because the class counts would give the label away: a weak view of an image,
    image embeddings are not part of this experiment. Difficulty is the human score, rated without further noise, in
    standard deviations.

    Args:
        classes: VOC class names.
        budgets: numbers of labels T.
        seeds: number of splits of the images into pool and validation set.
        seed: first seed.
        policies: names out of `lib.bslb.annotation.POLICIES`.
        scores: difficulty file of the user, in place of the registered one.
        progress: wraps the loop over seeds.

    Returns:
        Columns as `annotation_digits`. Accuracy is dominated by the absent class: read the balanced columns.
    """
    from lib.data import load

    voc = load("voc2012", scores=scores)
    layout = standardise(layout_features(len(voc.ids), voc.boxes))
    difficulty = (voc.difficulty - voc.difficulty.mean()) / voc.difficulty.std()
    rows = []
    for replicate in progress(range(seed, seed + seeds), "VOC 2012 labels") if progress else range(seed, seed + seeds):
        design, orders = None, {}
        for name in classes:
            labels = np.zeros(len(voc.ids), dtype=int)
            labels[voc.boxes[voc.boxes[:, 5] == voc.classes.index(name), 0]] = 1
            points = LabelledPoints(f"{name} or not", layout, layout, difficulty, labels)
            task = split_task(points, seed=replicate)
            if "bslb" in policies and design is None:
                design = annotation_design(task, seed=replicate)
            rows += compare(task, policies, budgets, seed=replicate, noise=0.0, design=design, orders=orders)
    return pd.DataFrame(rows)
