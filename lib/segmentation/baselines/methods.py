"""Segmentations by name: from users to train on and users to test on, to labels of both.

The paper's own list of baselines is not known to us.
"""

from collections.abc import Callable

import numpy as np

from lib.segmentation.baselines.clustering import kmeans_labels, page_features, rfm_features
from lib.segmentation.baselines.deep import deep_labels
from lib.segmentation.outcomes import Segments, observed_rates
from lib.segmentation.users import Users

Labels = tuple[np.ndarray, np.ndarray]


def random_labels(train: Users, test: Users, segments: int, seed: int) -> Labels:
    """Return a random segment for every user."""
    rng = np.random.default_rng(seed)
    return rng.integers(segments, size=len(train)), rng.integers(segments, size=len(test))


def static_labels(train: Users, test: Users, segments: int, seed: int) -> Labels:
    """Return the static cell as segment: what media could do without behaviour; beyond `segments` cells are joined."""
    return train.cell % segments, test.cell % segments


def page_labels(train: Users, test: Users, segments: int, seed: int) -> Labels:
    """Return k-means on shares of pages."""
    return kmeans_labels(page_features(train), page_features(test), segments, seed)


def rfm_labels(train: Users, test: Users, segments: int, seed: int) -> Labels:
    """Return k-means on recency-frequency-value counts (see `rfm_features`)."""
    mean, spread = rfm_features(train).mean(axis=0), rfm_features(train).std(axis=0) + 1e-9
    return kmeans_labels((rfm_features(train) - mean) / spread, (rfm_features(test) - mean) / spread, segments, seed)


def sequence_labels(train: Users, test: Users, segments: int, seed: int) -> Labels:
    """Return k-means on the code of a sequence autoencoder."""
    return deep_labels(train, test, segments, seed, method="k-means")


def dec_labels(train: Users, test: Users, segments: int, seed: int) -> Labels:
    """Return deep embedded clustering (Xie et al. 2016) on the same autoencoder."""
    return deep_labels(train, test, segments, seed, method="DEC")


def idec_labels(train: Users, test: Users, segments: int, seed: int) -> Labels:
    """Return DEC that keeps the reconstruction loss (Guo et al. 2017)."""
    return deep_labels(train, test, segments, seed, method="IDEC")


def level_labels(train: Users, test: Users, segments: int, seed: int) -> Labels:
    """Return the hidden outcome level: an oracle of discovery alone."""
    return train.truth["level"], test.truth["level"]


def level_side_labels(train: Users, test: Users, segments: int, seed: int) -> Labels:
    """Return hidden outcome level and side: an oracle of discovery that knows what delivery needs."""
    return tuple(users.truth["level"] * 2 + users.truth["side"] for users in (train, test))


METHODS: dict[str, Callable[..., Labels]] = {
    "random": random_labels,
    "static cells": static_labels,
    "k-means on pages": page_labels,
    "RFM": rfm_labels,
    "autoencoder + k-means": sequence_labels,
    "DEC": dec_labels,
    "IDEC": idec_labels,
}
ORACLES: dict[str, Callable[..., Labels]] = {"oracle: level": level_labels, "oracle: level x side": level_side_labels}


def baseline(name: str, train: Users, test: Users, *, segments: int, seed: int) -> Segments:
    """Return the segments of the method `name` for the test users, with the conversion seen among training users.

    Raises ValueError for an unknown name, or an oracle where no hidden variables are known.
    """
    known = METHODS | ORACLES
    if name not in known:
        raise ValueError(f"unknown method {name!r}: choose from {', '.join(known)}")
    if name in ORACLES and not train.truth:
        raise ValueError(f"{name!r} needs generated users: real users have no hidden variables")
    ours, theirs = known[name](train, test, segments, seed)
    count = max(segments, int(max(ours.max(), theirs.max())) + 1)
    return Segments(theirs, observed_rates(ours, train.outcome, count))
