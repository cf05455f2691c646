"""Estimators of a sparse parameter from explored rewards: Lasso, ridge, thresholded Lasso and PopArt."""

import numpy as np

from lib.bslb.popart import popart

ESTIMATORS = ("lasso", "ridge", "thresholded", "popart")
NORMAL_MAD = 0.6745  # median absolute deviation of a standard normal variable


def estimate(
    X: np.ndarray,
    r: np.ndarray,
    *,
    estimator: str = "lasso",
    sigma: float | None,
    c_l: float = 1.5,
    covariance: np.ndarray | None = None,
    intercept: bool = False,
) -> np.ndarray:
    """Return an estimate (d,) of theta from explored arms `X` (n, d) and their rewards `r` (n,).

    `sigma` is the noise s.d. in the units of `r`, or None to estimate it with `residual_sigma`. `c_l` multiplies the
    penalty. `covariance` (d, d) is the second moment of the distribution that `X` was drawn from; PopArt needs it.
    `intercept` removes the means of `X` and `r` first, for rewards whose level is not zero; rank arms without it.
    A penalty so large that the Lasso fit is zero, which would leave the arms unranked, is halved until it is not.

    Raises ValueError for shapes that do not match, NaN or infinite numbers, an unknown estimator, or PopArt without
    its covariance. Source: Lasso arXiv 2410.20041, constants companion's reconstruction; ridge, textbook;
    thresholding after Ariu, Abe and Proutiere (ICML 2022); PopArt, Jang, Zhang and Jun (NeurIPS 2022).
    """
    X, r = _check(X, r)
    if estimator not in ESTIMATORS:
        raise ValueError(f"unknown estimator {estimator!r}; choose one of {', '.join(ESTIMATORS)}")
    if estimator == "popart" and covariance is None:
        raise ValueError("PopArt needs covariance=, the (d, d) second moment of the exploration distribution")
    if intercept:
        if estimator == "popart":
            covariance = covariance - np.outer(X.mean(axis=0), X.mean(axis=0))
        X, r = X - X.mean(axis=0), r - r.mean()
    sigma = residual_sigma(X, r) if sigma is None else sigma
    if estimator == "popart":
        return popart(X, r, covariance=covariance, sigma=sigma)
    if estimator == "ridge":
        return ridge(X, r, penalty=ridge_penalty(X, r, sigma))
    alpha = active_alpha(X, r, theory_alpha(X, sigma, c_l))
    return lasso(X, r, alpha=alpha) if estimator == "lasso" else thresholded(X, r, alpha=alpha)


def lasso(
    X: np.ndarray, r: np.ndarray, *, alpha: float, intercept: bool = False, precompute: bool = False
) -> np.ndarray:
    """Return the minimiser (d,) of ||r - Xv||^2 / (2 n) + alpha ||v||_1 for `X` (n, d) and `r` (n,).

    `alpha` has the units of `X` times `r`. The 1/(2n) scaling is scikit-learn's; an objective written with 1/n has
    twice the penalty. `precompute` works on the Gram matrix, quicker for n well above d.
    """
    if not alpha > 0:
        raise ValueError(f"alpha must be positive; got {alpha}: raise sigma or c_l, or use the ridge estimator")
    from sklearn.linear_model import Lasso

    model = Lasso(alpha=alpha, fit_intercept=intercept, precompute=precompute, tol=1e-5, max_iter=5000)
    return model.fit(X, r).coef_


def theory_alpha(X: np.ndarray, sigma: float, c_l: float) -> float:
    """Return c_l sigma s_x sqrt(log d / n) for `X` (n, d), with s_x the root mean square of its entries.

    Source: companion's reconstruction; c_l between 1.5 and 2 keeps the penalty above the noise X^T eta / n.
    """
    n, d = X.shape
    scale = float(np.sqrt(np.mean(np.square(X))))
    # A noise-free fit still needs a positive penalty; the floor is far below any statistical scale.
    return max(c_l * sigma, 1e-6) * max(scale, 1e-12) * float(np.sqrt(np.log(max(d, 2)) / n))


def active_alpha(X: np.ndarray, r: np.ndarray, alpha: float) -> float:
    """Halve `alpha` until the Lasso fit of `r` (n,) on `X` (n, d) has a nonzero coefficient; rewards of 0 keep it."""
    # The exact fit is zero if and only if alpha >= max |X^T r| / n; a solver of finite tolerance stops at zero a little
    # below that, hence the margin.
    largest = 0.99 * float(np.abs(X.T @ r).max()) / len(r)
    while 0 < largest <= alpha:
        alpha /= 2
    return alpha


def residual_sigma(X: np.ndarray, r: np.ndarray, *, rounds: int = 5) -> float:
    """Return the noise s.d. estimated from a pilot Lasso, in the units of `r`; `X` (n, d), `r` (n,).

    Scaled median absolute deviation of the residuals, corrected for the fitted coefficients; the pilot's penalty is
    set from the previous estimate, `rounds` times, starting from the spread of the rewards.
    """
    X, r = _check(X, r)
    n = len(r)
    X, r = X - X.mean(axis=0), r - r.mean()
    sigma = float(np.median(np.abs(r - np.median(r)))) / NORMAL_MAD
    for _ in range(rounds):
        if sigma == 0:
            break
        theta = lasso(X, r, alpha=theory_alpha(X, sigma, 1.0))
        residual = r - X @ theta
        freedom = max(n - np.count_nonzero(theta), n // 4, 1) / n
        sigma = float(np.median(np.abs(residual - np.median(residual)))) / NORMAL_MAD / np.sqrt(freedom)
    return sigma


def ridge(X: np.ndarray, r: np.ndarray, *, penalty: float) -> np.ndarray:
    """Return the minimiser (d,) of ||r - Xv||^2 + penalty ||v||^2 for `X` (n, d), by the smaller of two systems."""
    n, d = X.shape
    if n < d:
        return X.T @ np.linalg.solve(X @ X.T + penalty * np.eye(n), r)
    return np.linalg.solve(X.T @ X + penalty * np.eye(d), X.T @ r)


def ridge_penalty(X: np.ndarray, r: np.ndarray, sigma: float) -> float:
    """Return the Bayes-optimal ridge penalty for a Gaussian theta whose variance is read off the rewards.

    sigma^2 / tau^2 with d s_x^2 tau^2 = mean(r^2) - sigma^2, floored at a twentieth of mean(r^2). No unit but X's
    squared. Source: companion's choice.
    """
    power = float(np.mean(np.square(r)))
    if power == 0:
        return 1.0
    signal = max(power - sigma**2, power / 20)
    return max(sigma**2, 1e-10 * power) * X.shape[1] * float(np.mean(np.square(X))) / signal


def thresholded(X: np.ndarray, r: np.ndarray, *, alpha: float) -> np.ndarray:
    """Return least squares (d,) on the Lasso coefficients that pass a threshold; `X` (n, d), `r` (n,).

    Threshold: half the Lasso's shrinkage, alpha / (2 s_x^2), and at most n/2 coefficients; where none passes, the Lasso
    fit itself. Ariu, Abe and Proutiere threshold at 4 alpha with a tuned alpha; at the theory's alpha that rule would
    remove every coefficient at the sample sizes used here, hence the companion's smaller one.
    """
    theta = lasso(X, r, alpha=alpha)
    size = np.abs(theta)
    kept = np.argsort(-size, kind="stable")[: max(len(r) // 2, 1)]
    kept = kept[size[kept] > alpha / (2 * float(np.mean(np.square(X))) + 1e-300)]
    if kept.size == 0:
        return theta
    refit = np.zeros_like(theta)
    refit[kept] = np.linalg.lstsq(X[:, kept], r, rcond=None)[0]
    return refit


def _check(X: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    X, r = np.asarray(X, dtype=float), np.asarray(r, dtype=float)
    if X.ndim != 2 or r.shape != X.shape[:1] or X.size == 0:
        raise ValueError(f"X must have shape (n, d) and r shape (n,); got {X.shape} and {r.shape}")
    if not (np.isfinite(X).all() and np.isfinite(r).all()):
        raise ValueError("X and r must be finite; drop or impute rows with NaN or infinite entries first")
    return X, r
