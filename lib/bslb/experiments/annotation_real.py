"""Annotation experiments on real data: visual search difficulty of VOC 2012 and sentiment of SST-2."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lib.bslb.annotation import LabelledPoints, split_task, standardise
from lib.bslb.difficulty import standard_score
from lib.bslb.environments import make_environment
from lib.bslb.experiments.annotation import choices, rows_of
from lib.bslb.experiments.known_means import BANDIT_POLICIES, compare_bandits
from lib.bslb.text_features import sentiment_task
from lib.bslb.voc_features import layout_features, object_features

Progress = Callable[[Iterable, str], Iterable]
LABEL_POLICIES = (
    "random", "bslb", "uniform_etc", "margin", "k_center", "full_data_linear", "difficulty_oracle", "all",
)  # fmt: skip
LABEL_READING = ("margin", "entropy")
# The two classes that a linear model on the layout alone can tell from the rest on hard images.
VOC_CLASSES = ("person", "diningtable")


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
        progress: wraps the loop over policies.

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
    table = pd.DataFrame(compare_bandits(env, policies, budgets, k=k, seed=seed, progress=progress))
    table.insert(0, "task", "VOC 2012 difficulty")
    return table


def annotation_voc_accuracy(
    *,
    classes: Sequence[str] = VOC_CLASSES,
    budgets: Sequence[int] = (50, 100, 200, 400),
    seeds: int = 5,
    seed: int = 0,
    policies: Sequence[str] = LABEL_POLICIES,
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
    difficulty = standard_score(voc.difficulty)
    rows = []
    repeats = range(seed, seed + seeds)
    for replicate in progress(repeats, "VOC 2012 labels") if progress else repeats:
        shared: dict = {}
        for name in classes:
            labels = np.zeros(len(voc.ids), dtype=int)
            labels[voc.boxes[voc.boxes[:, 5] == voc.classes.index(name), 0]] = 1
            points = LabelledPoints(f"{name} or not", layout, layout, difficulty, labels)
            task = split_task(points, seed=replicate)
            if not shared:
                # The same for all classes: split, difficulty and features do not depend on the label.
                blind = [policy for policy in policies if policy not in LABEL_READING]
                shared = choices(task, blind, budgets, seed=replicate, noise=0.0)
            reading = [policy for policy in policies if policy in LABEL_READING]
            chosen = shared | choices(task, reading, budgets, seed=replicate, noise=0.0)
            rows += rows_of(task, chosen, seed=replicate)
    return pd.DataFrame(rows)


def annotation_sst2(
    *,
    budgets: Sequence[int] = (50, 100, 200, 400),
    seeds: int = 5,
    seed: int = 0,
    sentences: int = 6000,
    d: int = 128,
    policies: Sequence[str] = LABEL_POLICIES,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Label the sentiment of SST-2 sentences under a budget and test a classifier on hard and on easy ones.

    A sentence's difficulty is how badly a word-count model predicts it that was fitted on other sentences
    (`sentiment_task`); where the paper's comes from is not known to us. Sentences become vectors by `text_features`; no
    pretrained network is used.

    Args:
        budgets: numbers of labels T.
        seeds: replicates, each with its own random pool.
        seed: first seed.
        sentences: pool size M, drawn from the half of the training set that the judge has not seen.
        d: dimension of the features.
        policies: names out of `lib.bslb.annotation.POLICIES`.
        progress: wraps the loop over seeds.

    Returns:
        Columns as `annotation_digits`; hard and easy are the outer thirds of the development set.
    """
    from lib.data import load

    sst2 = load("sst2")
    rows = []
    repeats = range(seed, seed + seeds)
    for replicate in progress(repeats, "SST-2") if progress else repeats:
        task = sentiment_task(sst2, sentences=sentences, d=d, seed=replicate)
        rows += rows_of(task, choices(task, policies, budgets, seed=replicate, noise=0.0), seed=replicate)
    return pd.DataFrame(rows)
