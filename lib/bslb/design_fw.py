"""The capped design by Frank-Wolfe on a soft minimum of eigenvalues, with a certificate; any size of pool."""

import math

import numpy as np

CHUNK_BYTES = 8 << 20  # working memory for one block of rows; nothing of the pool's size is ever copied
KEPT_WEIGHT = 1e-6  # eigenvectors below this soft-min weight are left out, which keeps the product with the arms thin
COMPARE = 4  # steps between two comparisons of the directions
WIDE = 4  # the less greedy direction spreads its mass over this many times u arms
SIZES = np.array([0.6, 1.5])  # step sizes tried, relative to the last accepted one


def frank_wolfe_design(
    arms: np.ndarray, u: int, *, iterations: int = 100, tolerance: float = 0.04, momentum: float = 0.2
) -> tuple[np.ndarray, float, float]:
    """Return weights mu (M,), their lambda_min(sum_j mu_j a_j a_j^T), and an upper bound on the best lambda_min.

    The weights satisfy 0 <= mu_j <= 1/u and sum to 1; `arms` (M, d) may be float32 or float64 and is never copied.
    Scores are g_j = a_j^T P a_j, where P holds the soft-min weights of the eigenvectors of the current Gram matrix,
    averaged over steps with weight `momentum` on the newest. Each step moves towards 1/u on the u arms of largest
    score (the linear oracle) or towards 1/(4u) on the 4u arms of largest score (less greedy, better on isotropic
    pools), whichever gains more of the soft minimum; every `COMPARE` steps both are tried, in between the last winner
    only. Step sizes are searched. As P is positive semidefinite with
    trace 1, the mean of the u largest scores bounds the optimum from above, and so does the trace bound from P = I/d.
    The run ends when bound and value agree within the relative `tolerance`, or after `iterations`.

    Cost of a step: O(M d r + u d^2 + d^3) with r <= d the number of eigenvectors kept. Memory beyond the arms: a few
    vectors of length M and `CHUNK_BYTES`. Deterministic. Source: companion's reconstruction of arXiv 2410.20041.
    """
    count, d = arms.shape
    lengths = (u, min(WIDE * u, count))
    gram = gram_matrix(arms) / count
    mu, best_mu, steps, scores = np.full(count, 1.0 / count), None, np.array([0.5, 0.5]), None
    tried = [0, 1]
    # P = I/d gives the trace bound: the mean squared norm of the u longest arms over d.
    best, upper = -np.inf, capped_maximum(arms, u, np.eye(d))
    for iteration in range(iterations):
        values, vectors = np.linalg.eigh(gram)
        if values[0] > best:
            best, best_mu = float(values[0]), mu.copy()
        sharpness = _sharpness(values, upper - best)
        newest = arm_scores(arms, _soft_root(values, vectors, sharpness))
        scores = newest if scores is None else (1 - momentum) * scores + momentum * newest
        top = _largest(scores, *lengths)
        upper = min(upper, float(scores[top[:u]].mean(dtype=float)))
        if best >= (1 - tolerance) * upper:
            break
        if iteration % COMPARE == 0:
            tried = [0, 1]
        targets = np.stack([gram_matrix(arms[top[: lengths[way]]]) / lengths[way] for way in tried])
        at, size, steps[tried] = _search(gram, targets, values, sharpness, steps[tried])
        if size > 0:
            rows = top[: lengths[tried[at]]]
            gram = (1 - size) * gram + size * targets[at]
            mu *= 1 - size
            mu[rows] += size / len(rows)
        tried = [tried[at]]
    # The last step has not been looked at when the loop ran to its end.
    last = float(np.linalg.eigvalsh(gram)[0])
    if best_mu is None or last > best:
        best, best_mu = last, mu
    return best_mu, best, max(upper, best)


def gram_matrix(arms: np.ndarray) -> np.ndarray:
    """Return sum_j a_j a_j^T (d, d) in float64 of `arms` (M, d), a block of rows at a time."""
    gram = np.zeros((arms.shape[1], arms.shape[1]))
    for rows in row_blocks(arms):
        gram += rows.T @ rows
    return gram


def arm_scores(arms: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Return a_j^T (root root^T) a_j for each row of `arms` (M, d), shape (M,), for `root` (d, r)."""
    root = root.astype(arms.dtype)
    scores = np.empty(len(arms), dtype=arms.dtype)
    start = 0
    for rows in row_blocks(arms):
        projected = rows @ root
        np.einsum("ij,ij->i", projected, projected, out=scores[start : start + len(rows)])
        start += len(rows)
    return scores


def row_blocks(arms: np.ndarray):
    """Yield views of consecutive rows of `arms` (M, d) of at most `CHUNK_BYTES` each."""
    rows = max(CHUNK_BYTES // (arms.shape[1] * arms.itemsize), 1)
    for start in range(0, len(arms), rows):
        yield arms[start : start + rows]


def capped_maximum(arms: np.ndarray, u: int, weights: np.ndarray) -> float:
    """Return the largest <S(mu), P> over the capped weights mu, for P = `weights` (d, d) scaled to trace 1.

    An upper bound on the optimal lambda_min for every positive semidefinite P. `arms` has shape (M, d).
    """
    values, vectors = np.linalg.eigh(weights)
    values = np.clip(values, 0.0, None)
    scores = arm_scores(arms, vectors * np.sqrt(values / values.sum()))
    return float(np.partition(scores, len(scores) - u)[len(scores) - u :].mean(dtype=float))


def _sharpness(values: np.ndarray, gap: float) -> float:
    """Sharpen the soft minimum as the gap closes: its error, at most log(d) / sharpness, must stay below the gap."""
    entropy = math.log(max(len(values), 2))
    unit = entropy / max(float(values[0]), 1e-3 * float(values.sum()) / len(values), 1e-300)
    return min(max(entropy / max(gap, 1e-300), 4 * unit), 64 * unit)


def _soft_root(values: np.ndarray, vectors: np.ndarray, sharpness: float) -> np.ndarray:
    """Return a (d, r) square root of the soft-min weight matrix, without its negligible directions."""
    weights = np.exp(-sharpness * (values - values[0]))
    kept = weights > KEPT_WEIGHT
    return vectors[:, kept] * np.sqrt(weights[kept] / weights[kept].sum())


def _largest(scores: np.ndarray, u: int, wide: int) -> np.ndarray:
    """Return the indices of the `wide` largest scores, the `u` largest of them first."""
    count = len(scores)
    top = np.argpartition(scores, count - wide)[count - wide :]
    return top[np.argpartition(-scores[top], u - 1)] if wide > u else top


def _search(gram, targets, values, sharpness, steps) -> tuple[int, float, np.ndarray]:
    """Try a shorter and a longer step towards each target; return the best target, its size (or 0), the next steps."""
    sizes = np.minimum(steps[:, None] * SIZES, 1.0)
    trial = gram + sizes[:, :, None, None] * (targets - gram)[:, None]
    gains = _soft_min(np.linalg.eigvalsh(trial), sharpness) - _soft_min(values, sharpness)
    ways = np.arange(len(steps))
    best = gains.argmax(axis=1)
    chosen, gained = sizes[ways, best], gains[ways, best]
    at = int(gained.argmax())
    after = np.where(gained > 0, chosen, np.maximum(steps / 4, 1e-4))
    return at, float(chosen[at]) if gained[at] > 0 else 0.0, after


def _soft_min(values: np.ndarray, sharpness: float) -> np.ndarray:
    """Return the soft minimum over the last axis of ascending `values`, within log(d) / sharpness of the minimum."""
    lowest = values[..., 0]
    return lowest - np.log(np.exp(-sharpness * (values - lowest[..., None])).sum(axis=-1)) / sharpness
