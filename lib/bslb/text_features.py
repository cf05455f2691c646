"""Sentences to vectors without any download: word and word-pair counts, weighted and reduced."""

from collections.abc import Sequence

import numpy as np


def text_features(pool: Sequence[str], other: Sequence[str], *, d: int = 128, seed: int = 0) -> tuple:
    """Return features of the `pool` (M, d) and of `other` sentences (n, d), fitted on the pool's text alone.

    TF-IDF of words and word pairs that occur at least twice, reduced to `d` dimensions by a truncated singular value
    decomposition and standardised with the pool's moments. No labels are used.

    Raises ValueError if the pool has no more than `d` sentences or terms.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\S+", dtype=np.float32)
    counts = words.fit_transform(pool)
    if d >= min(counts.shape):
        raise ValueError(f"d = {d} must be below the number of sentences and terms {counts.shape}; lower d")
    reduced = TruncatedSVD(d, n_iter=4, random_state=seed)
    inside = reduced.fit_transform(counts).astype(float)
    outside = reduced.transform(words.transform(other)).astype(float)
    mean, scale = inside.mean(axis=0), inside.std(axis=0)
    return (inside - mean) / scale, (outside - mean) / scale
