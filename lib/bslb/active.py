"""Active-learning baselines that choose what to label without any difficulty feedback."""

import numpy as np

from lib.bslb.difficulty import classifier

SCORES = ("margin", "entropy")


def uncertainty(
    features: np.ndarray,
    labels: np.ndarray,
    T: int,
    *,
    seed: int,
    score: str = "margin",
    initial: int = 20,
    batch: int = 10,
) -> np.ndarray:
    """Return the `T` points that uncertainty sampling labels, in order, shape ``(T,)``.

    A logistic regression on `initial` random labels chooses the next `batch` points that it is least sure of, is
    fitted again, and so on; labels are read only of points already chosen. While the labels seen are of one class the
    choice is random. With two classes ``margin`` and ``entropy`` order the points alike.

    Args:
        features: shape ``(M, d)``.
        labels: shape ``(M,)``.
        T: number of labels, at most M.
        seed: seed of the start and of tie-breaking.
        score: ``margin`` (difference of the two largest class probabilities, small first) or ``entropy``.
        initial: number of random labels at the start.
        batch: labels between two fits.
    """
    _check(features, T)
    if score not in SCORES or initial < 1 or batch < 1:
        raise ValueError(f"score must be one of {SCORES}, initial and batch positive; got {score}, {initial}, {batch}")
    rng = np.random.default_rng(seed)
    # Ties are broken by this random order, drawn once.
    shuffled = rng.permutation(len(features))
    chosen = list(shuffled[: min(initial, T)])
    while len(chosen) < T:
        candidates = shuffled[~np.isin(shuffled, chosen)]
        count = min(batch, T - len(chosen))
        if len(np.unique(labels[chosen])) > 1:
            model = classifier().fit(features[chosen], labels[chosen])
            sureness = _sureness(model.predict_proba(features[candidates]), score)
            candidates = candidates[np.argsort(sureness, kind="stable")]
        chosen.extend(candidates[:count])
    return np.array(chosen)


def _sureness(probability: np.ndarray, score: str) -> np.ndarray:
    if score == "margin":
        ranked = np.sort(probability, axis=1)
        return ranked[:, -1] - ranked[:, -2]
    return (probability * np.log(np.maximum(probability, 1e-300))).sum(axis=1)


def k_center(features: np.ndarray, T: int, *, seed: int) -> np.ndarray:
    """Return `T` points chosen by the greedy k-center rule, in order, shape ``(T,)``.

    A random point first, then always the point farthest from those chosen; the covering radius is at most twice the
    optimum. `features` (M, d). Source: Sener and Savarese, active learning for CNNs: a core-set approach (ICLR 2018).
    """
    _check(features, T)
    norms = np.einsum("md,md->m", features, features)
    chosen = np.empty(T, dtype=int)
    chosen[0] = np.random.default_rng(seed).integers(len(features))
    nearest = np.full(len(features), np.inf)
    for t in range(1, T):
        last = chosen[t - 1]
        nearest = np.minimum(nearest, norms + norms[last] - 2.0 * features @ features[last])
        # A chosen point is at distance zero up to rounding; it must never be chosen again, even among duplicates.
        nearest[last] = -np.inf
        chosen[t] = np.argmax(nearest)
    return chosen


def typicality(features: np.ndarray, T: int, *, seed: int, neighbours: int = 20) -> np.ndarray:
    """Return the most typical point of each of `T` k-means clusters, largest cluster first, shape ``(T,)``.

    Typicality is the inverse mean distance to the `neighbours` nearest points of the same cluster. `features` (M, d).
    Source: Hacohen, Dekel and Weinshall, active learning on a budget (TypiClust, ICML 2022), with raw features in place
    of self-supervised ones.
    """
    from sklearn.cluster import KMeans

    _check(features, T)
    cluster = KMeans(T, n_init=1, random_state=seed).fit_predict(features)
    sizes = np.bincount(cluster, minlength=T)
    chosen = []
    for index in np.argsort(-sizes, kind="stable"):
        rows = np.flatnonzero(cluster == index)
        chosen.append(rows[np.argmin(_mean_distance(features[rows], neighbours))])
    return np.array(chosen)


def _mean_distance(points: np.ndarray, neighbours: int) -> np.ndarray:
    """Return each point's mean distance to its nearest `neighbours` among `points`, itself left out."""
    if len(points) == 1:
        return np.zeros(1)
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=2) if len(points) < 64 else _squared(points)
    count = min(neighbours, len(points) - 1)
    nearest = np.sort(np.sqrt(np.maximum(squared, 0.0)), axis=1)
    return nearest[:, 1 : count + 1].mean(axis=1)


def _squared(points: np.ndarray) -> np.ndarray:
    norms = np.einsum("nd,nd->n", points, points)
    squared = norms[:, None] + norms - 2.0 * points @ points.T
    np.fill_diagonal(squared, 0.0)
    return squared


def _check(features: np.ndarray, T: int) -> None:
    if np.ndim(features) != 2 or not np.isfinite(features).all():
        raise ValueError("features must be a finite array of shape (M, d); impute or drop rows with NaN first")
    if not 1 <= T <= len(features):
        raise ValueError(f"T = {T} labels need 1 <= T <= M = {len(features)} points; lower T or add points")
