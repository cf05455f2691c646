"""How hard a labelled point is, judged by small models: the companion's stand-in for an expert's difficulty rating."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression


def classifier(*, C: float = 1.0) -> LogisticRegression:
    """Return the light classifier of all annotation experiments: logistic regression, inverse l2 penalty `C`."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=C, max_iter=2000)


def negative_log_likelihood(model: LogisticRegression, features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return minus the log probability (nats) that a fitted `model` gives the true label of each row, shape ``(n,)``.

    `features` (n, d), `labels` (n,). The label of each row must be one of the model's classes.
    """
    column = np.searchsorted(model.classes_, labels)
    if (column >= len(model.classes_)).any() or (model.classes_[column] != labels).any():
        raise ValueError("a label is unknown to the model: fit it on points of every class")
    if len(model.classes_) == 2:
        # log(1 + exp(-m)) of the signed margin, without overflow.
        return np.logaddexp(0.0, -np.where(column == 1, 1.0, -1.0) * model.decision_function(features))
    return -model.predict_log_proba(features)[np.arange(len(labels)), column]


def model_difficulty(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    models: int = 20,
    sample: int = 300,
    floor: float = 1e-3,
    seed: int = 0,
) -> np.ndarray:
    """Return each point's difficulty: log of the mean negative log-likelihood over small models, z-scored.

    Each of `models` logistic regressions is fitted on `sample` random points and judges all points, those it was fitted
    on included. `floor` (nats) is added before the logarithm: points that every model is sure of are equally easy,
    however sure it is. `features` has shape (n, d), `labels` (n,); the result (n,) has mean 0 and standard deviation 1.
    Companion's reconstruction: how the paper obtains difficulty outside its image data is not known to us.

    Raises ValueError if `sample` exceeds the number of points or a sample misses a class.
    """
    if not 2 <= sample <= len(labels):
        raise ValueError(f"sample = {sample} must lie between 2 and the number of points {len(labels)}")
    rng = np.random.default_rng(seed)
    total = np.zeros(len(labels))
    for _ in range(models):
        rows = rng.permutation(len(labels))[:sample]
        total += negative_log_likelihood(classifier().fit(features[rows], labels[rows]), features, labels)
    return standard_score(np.log(total / models + floor))


def standard_score(values: np.ndarray) -> np.ndarray:
    """Return `values` (n,) shifted and scaled to mean 0 and standard deviation 1."""
    return (values - values.mean()) / values.std()


def thirds(difficulty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return masks (n,) of the hardest and of the easiest third of `difficulty` (n,), each of size n // 3.

    That the paper's hard and easy validation sets are thirds is the companion's reconstruction.
    """
    n = len(difficulty)
    if n < 3:
        raise ValueError(f"thirds need at least 3 points, got {n}")
    order = np.argsort(difficulty, kind="stable")
    hard, easy = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    hard[order[n - n // 3 :]] = True
    easy[order[: n // 3]] = True
    return hard, easy
