"""The capped design by Frank-Wolfe on a soft minimum of eigenvalues, with a certificate; any size of pool."""

import numpy as np

CHUNK_BYTES = 8 << 20  # working memory for one block of rows; nothing of the pool's size is ever copied
KEPT_WEIGHT = 1e-6  # eigenvectors below this soft-min weight are left out, which keeps the product with the arms thin


def frank_wolfe_design(
    arms: np.ndarray, u: int, *, iterations: int = 100, tolerance: float = 0.03, momentum: float = 0.2
) -> tuple[np.ndarray, float, float]:
    """Return weights mu (M,), their lambda_min(sum_j mu_j a_j a_j^T), and an upper bound on the best lambda_min.

    The weights satisfy 0 <= mu_j <= 1/u and sum to 1; `arms` (M, d) may be float32 or float64 and is never copied.
    Each step moves towards the u arms of largest score g_j = a_j^T P a_j, where P holds the soft-min weights of the
    eigenvectors of the current Gram matrix; scores are averaged over steps with weight `momentum` on the newest, and
    the step size is searched on the soft minimum. As P is positive semidefinite with trace 1, the mean of the u
    largest scores bounds the optimum from above, and so does the trace bound from P = I/d. The run ends when bound
    and value agree within the relative `tolerance`, or after `iterations`.

    Cost of a step: O(M d r + u d^2 + d^3) with r <= d the number of eigenvectors kept. Memory beyond the arms: two
    vectors of length M and `CHUNK_BYTES`. Deterministic. Source: companion's reconstruction of arXiv 2410.20041.
    """
    count, d = arms.shape
    gram = gram_matrix(arms) / count
    mu, best_mu = np.full(count, 1.0 / count), None
    # P = I/d gives the trace bound: the mean squared norm of the u longest arms over d.
    best, upper, step, scores = -np.inf, capped_maximum(arms, u, np.eye(d)), 0.5, None
    for _ in range(iterations):
        values, vectors = np.linalg.eigh(gram)
        if values[0] > best:
            best, best_mu = float(values[0]), mu.copy()
        sharpness = _sharpness(values, upper - best)
        newest = arm_scores(arms, _soft_root(values, vectors, sharpness))
        scores = newest if scores is None else (1 - momentum) * scores + momentum * newest
        top = np.argpartition(scores, count - u)[count - u :]
        upper = min(upper, float(scores[top].mean(dtype=float)))
        if best >= (1 - tolerance) * upper:
            break
        chosen = arms[top]
        direction = (chosen.T @ chosen).astype(float) / u - gram
        gain, size, step = _search(gram, direction, values, sharpness, step)
        if gain > 0:
            gram = gram + size * direction
            mu *= 1 - size
            mu[top] += size / u
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
    unit = np.log(max(len(values), 2)) / max(values[0], 1e-3 * values.mean(), 1e-300)
    return float(np.clip(np.log(max(len(values), 2)) / max(gap, 1e-300), 4 * unit, 64 * unit))


def _soft_root(values: np.ndarray, vectors: np.ndarray, sharpness: float) -> np.ndarray:
    """Return a (d, r) square root of the soft-min weight matrix, without its negligible directions."""
    weights = np.exp(-sharpness * (values - values[0]))
    kept = weights > KEPT_WEIGHT
    return vectors[:, kept] * np.sqrt(weights[kept] / weights[kept].sum())


def _search(gram, direction, values, sharpness, step) -> tuple[float, float, float]:
    """Try half, one and two times `step`; return the soft minimum's gain, the size that gained most, the next step."""
    sizes = np.minimum(step * np.array([0.5, 1.0, 2.0]), 1.0)
    trial = _soft_min(np.linalg.eigvalsh(gram + sizes[:, None, None] * direction), sharpness)
    gains = trial - _soft_min(values[None], sharpness)[0]
    at = int(np.argmax(gains))
    if gains[at] <= 0:
        return 0.0, 0.0, step / 4
    return float(gains[at]), float(sizes[at]), float(sizes[at])


def _soft_min(values: np.ndarray, sharpness: float) -> np.ndarray:
    lowest = values[:, :1]
    return lowest[:, 0] - np.log(np.exp(-sharpness * (values - lowest)).sum(axis=1)) / sharpness
