"""Sentences to vectors and difficulties without any download: word and word-pair counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lib.bslb.annotation import AnnotationTask
from lib.bslb.difficulty import classifier, standard_score, thirds

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

    from lib.data.loaders import Sst2

JUDGED = 0.5  # share of the training set that the judge is fitted on


def text_features(
    pool: Sequence[str], other: Sequence[str], *, d: int = 128, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return features of the `pool` (M, d) and of `other` sentences (n, d), fitted on the pool's text alone.

    TF-IDF of words and word pairs that occur at least twice, reduced to `d` dimensions by a truncated singular value
    decomposition and standardised with the pool's moments. No labels are used.

    Raises ValueError if the pool has no more than `d` sentences or terms.
    """
    from sklearn.decomposition import TruncatedSVD

    words = word_counts()
    counts = words.fit_transform(pool)
    if d >= min(counts.shape):
        raise ValueError(f"d = {d} must be below the number of sentences and terms {counts.shape}; lower d")
    reduced = TruncatedSVD(d, n_iter=4, random_state=seed)
    inside = reduced.fit_transform(counts).astype(float)
    outside = reduced.transform(words.transform(other)).astype(float)
    mean, scale = inside.mean(axis=0), inside.std(axis=0)
    return (inside - mean) / scale, (outside - mean) / scale


def word_counts() -> TfidfVectorizer:
    """Return the vectoriser of all text experiments: TF-IDF of words and word pairs that occur at least twice."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\S+", dtype=np.float32)


def sentiment_task(sst2: Sst2, *, sentences: int = 6000, d: int = 128, seed: int = 0) -> AnnotationTask:
    """Return SST-2 as an annotation task: a random pool of training sentences, judged on the development set.

    Difficulty is how undecided a judge is, the entropy (nats) of its prediction, standardised; the judge is a logistic
    regression on word and word-pair counts of the half of the training set that no pool is drawn from, so it saw
    neither pool nor development set and is not the classifier under test. The label does not enter: sentences that a
    judge gets wrong would be "hard" only for classifiers that resemble it, and a good one would score below chance.
    Companion's reconstruction. `sentences` is the pool size M, `d` the dimension of the features.

    Raises ValueError if the pool exceeds the other half of the training set.
    """
    from scipy.special import xlogy

    order = np.random.default_rng([seed, 305]).permutation(len(sst2.train))
    cut = round(JUDGED * len(order))
    if not 1 <= sentences <= len(order) - cut:
        raise ValueError(f"sentences = {sentences} must lie between 1 and the {len(order) - cut} unjudged ones")
    seen, drawn = sst2.train.iloc[order[:cut]], sst2.train.iloc[order[cut : cut + sentences]]
    words = word_counts()
    judge = classifier(C=3.0).fit(words.fit_transform(seen.sentence), seen.label.to_numpy())

    def difficulty(part):
        positive = judge.predict_proba(words.transform(part.sentence))[:, 1]
        return -(xlogy(positive, positive) + xlogy(1 - positive, 1 - positive))

    pool, held = text_features(drawn.sentence.tolist(), sst2.dev.sentence.tolist(), d=d, seed=seed)
    hard, easy = thirds(difficulty(sst2.dev))
    return AnnotationTask(
        "SST-2 sentiment",
        pool,
        pool,
        standard_score(difficulty(drawn)),
        drawn.label.to_numpy(),
        held,
        sst2.dev.label.to_numpy(),
        hard,
        easy,
    )
