"""Greedy selection of a well-conditioned subset: an ablation without any relaxation, for small pools."""

import numpy as np

SPREAD = 1e-3  # weight of the log-determinant, which breaks the ties while lambda_min is still zero
FLOOR = 1e-6  # added to the diagonal before the logarithm
BATCH = 256  # rank-one updates whose eigenvalues are computed at once


def greedy_design(arms: np.ndarray, u: int) -> tuple[np.ndarray, float]:
    """Return weights mu (M,), 1/u on `u` arms added one by one, and lambda_min of their normalised Gram matrix.

    `arms` has shape (M, d). Each step adds the arm that maximises lambda_min + 1e-3 log det(S + 1e-6 I) of the Gram
    matrix S so far, scaled by 1/u; the first of equal arms wins. The weights are feasible for the capped design, so
    the value is a lower bound on its optimum. Cost O(u M d^3). Source: companion's ablation.
    """
    arms = np.asarray(arms, dtype=float)
    count, d = arms.shape
    scaled = arms / np.sqrt(u)
    gram, free = np.zeros((d, d)), np.ones(count, dtype=bool)
    for _ in range(u):
        rows = np.flatnonzero(free)
        best = rows[np.argmax(_gains(gram, scaled[rows]))]
        gram += np.outer(scaled[best], scaled[best])
        free[best] = False
    return np.where(free, 0.0, 1.0 / u), float(np.linalg.eigvalsh(gram)[0])


def _gains(gram: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the greedy criterion after adding each of `rows` (m, d) to `gram`, up to a constant."""
    inverse = np.linalg.inv(gram + FLOOR * np.eye(len(gram)))
    gains = SPREAD * np.log1p(np.einsum("ij,jk,ik->i", rows, inverse, rows))
    for start in range(0, len(rows), BATCH):
        block = rows[start : start + BATCH]
        updated = gram + block[:, :, None] * block[:, None, :]
        # Below full rank the smallest eigenvalue is zero up to rounding, which must not decide between arms.
        lowest = np.linalg.eigvalsh(updated)[:, 0]
        gains[start : start + BATCH] += np.where(lowest > 1e-12, lowest, 0.0)
    return gains
