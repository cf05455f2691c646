"""PopArt: a sparse estimate from the known second moment of the exploration distribution (Jang, Zhang, Jun 2022)."""

import numpy as np


def pseudo_estimates(X: np.ndarray, r: np.ndarray, *, covariance: np.ndarray, pilot: np.ndarray) -> np.ndarray:
    """Return one unbiased estimate of theta per observation, shape (n, d): pilot + Q^{-1} a (r - <a, pilot>).

    `X` (n, d) and `r` (n,) are observations, `covariance` Q (d, d) the second moment the rows of `X` were drawn with,
    `pilot` (d,) a guess that did not use them: it cuts the variance and leaves the mean.
    """
    return pilot + np.linalg.solve(covariance, X.T).T * (r - X @ pilot)[:, None]


def catoni_mean(values: np.ndarray, *, scale: np.ndarray, steps: int = 40) -> np.ndarray:
    """Return Catoni's robust mean (d,) of each column of `values` (n, d); `scale` (d,) is the inverse of its width.

    The root m of sum_i psi(scale (x_i - m)) with psi(x) = sign(x) log(1 + |x| + x^2 / 2), by bisection.
    """
    low, high = values.min(axis=0), values.max(axis=0)
    for _ in range(steps):
        middle = (low + high) / 2
        z = scale * (values - middle)
        rising = (np.sign(z) * np.log1p(np.abs(z) + z * z / 2)).sum(axis=0) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    return (low + high) / 2


def popart(X: np.ndarray, r: np.ndarray, *, covariance: np.ndarray, sigma: float, delta: float = 0.05) -> np.ndarray:
    """Return the warm-started PopArt estimate (d,) from `X` (n, d), `r` (n,) and the second moment `covariance` (d, d).

    The first half of the rows gives a pilot from pilot 0, the second half the estimate. Each is Catoni's mean of the
    pseudo-estimates, hard-thresholded at its confidence width sqrt(2 v_j log(2 d / delta) / n), where the variance
    v_j = (Q^{-1})_jj mean((r - <a, pilot>)^2) is a plug-in for the source's worst-case bound. A width above every
    coordinate is halved until one passes. `sigma`, the noise s.d., floors the residual's power.

    Raises ValueError unless `covariance` is a finite positive definite (d, d) matrix and n >= 2.
    """
    n, d = X.shape
    if np.shape(covariance) != (d, d) or not np.isfinite(covariance).all():
        raise ValueError(f"covariance must be a finite ({d}, {d}) matrix; got shape {np.shape(covariance)}")
    if np.linalg.eigvalsh(covariance)[0] <= 1e-12 * np.trace(covariance):
        raise ValueError("covariance is singular; explore a pool whose arms span every direction, or use Lasso")
    if n < 2:
        raise ValueError("PopArt splits the observations in two halves; give it at least 2")
    inverse_diagonal = np.diag(np.linalg.inv(covariance))
    theta = np.zeros(d)
    for rows in (slice(0, n // 2), slice(n // 2, n)):
        theta = _one_stage(X[rows], r[rows], covariance, inverse_diagonal, theta, sigma, delta)
    return theta


def _one_stage(X, r, covariance, inverse_diagonal, pilot, sigma, delta):
    n, d = X.shape
    power = max(float(np.mean(np.square(r - X @ pilot))), sigma**2, 1e-300)
    variance = inverse_diagonal * power
    level = np.log(2 * d / delta)
    mean = catoni_mean(
        pseudo_estimates(X, r, covariance=covariance, pilot=pilot), scale=np.sqrt(2 * level / (n * variance))
    )
    width = np.sqrt(2 * variance * level / n)
    while (np.abs(mean) <= width).all() and np.abs(mean).max() > 1e-150:
        width = width / 2
    return np.where(np.abs(mean) > width, mean, 0.0)
