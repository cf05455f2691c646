"""k-means, quiet where there are fewer different points than segments."""

import warnings

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning


def kmeans(points: np.ndarray, segments: int, seed: int) -> KMeans:
    """Return the best of four fitted runs; with fewer different points than `segments` some segments stay empty."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KMeans(segments, n_init=4, random_state=seed).fit(points)
