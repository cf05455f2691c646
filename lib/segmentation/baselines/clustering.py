"""k-means and the features that it is given."""

import numpy as np
from numpy import ndarray

from lib.segmentation.kmeans import kmeans
from lib.segmentation.users import Users, page_counts


def kmeans_labels(train: ndarray, test: ndarray, segments: int, seed: int) -> tuple[ndarray, ndarray]:
    """Return k-means labels of both, from centres fitted on `train`."""
    found = kmeans(train, segments, seed)
    return found.labels_, found.predict(test)


def page_features(users: Users) -> ndarray:
    """Return the share of each page in a user's page views, ``(users, n_pages)``."""
    counts = page_counts(users)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def rfm_features(users: Users) -> ndarray:
    """Return length of the last session, number of sessions, and pages a session, ``(users, 3)``.

    Sessions carry no dates and no money here, so these stand for recency, frequency and value.
    """
    lengths = (users.pages > 0).sum(axis=2)
    sessions = (lengths > 0).sum(axis=1)
    last = np.take_along_axis(lengths, np.maximum(sessions - 1, 0)[:, None], axis=1)[:, 0]
    return np.stack([last, sessions, lengths.sum(axis=1) / np.maximum(sessions, 1)], axis=1).astype(float)
