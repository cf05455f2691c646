"""Closed forms: matrix Chernoff bound, Lasso bounds under soft sparsity, published regret rates, sparse eigenvalues."""

import numpy as np


def regret_rate_v1(k: float, T: float, beta: float) -> float:
    """Return k^{1/3} T^{2/3} + k^{-1/12} beta^{1/2} T^{5/6}, the rate of the first version, without its constant.

    `beta` is the ABSOLUTE tail (`absolute_tail`). The published middle term k^{-1/2} beta has no T in any public copy
    and is left out. Source: arXiv 2410.20041v1, abstract.
    """
    return k ** (1 / 3) * T ** (2 / 3) + k ** (-1 / 12) * beta**0.5 * T ** (5 / 6)


def regret_rate_v2(k: float, T: float, beta: float) -> float:
    """Return (1 + beta)^2 k^{2/3} T^{2/3}, the rate of the second version, without its constant.

    `beta` is the RELATIVE tail (`relative_tail`), so the two versions' rates may not share an axis before one tail is
    converted into the other. Source: arXiv 2410.20041v2, abstract.
    """
    return (1 + beta) ** 2 * k ** (2 / 3) * T ** (2 / 3)


def chernoff_failure(lam_star: float, u: int, *, d: int, largest: float, eps: float = 0.5) -> float:
    """Bound P(lambda_min((1/u) sum_G a a^T) <= (1 - eps) lam_star) for a Poisson draw G of expected size `u`.

    d exp(-eps^2 u lam_star / (2 L)), at most 1, with L = `largest` the largest squared norm of an arm of dimension
    `d`. Source: Tropp's matrix Chernoff inequality.
    """
    return min(1.0, d * float(np.exp(-(eps**2) * u * lam_star / (2 * largest))))


def chernoff_value(lam_star: float, u: int, *, d: int, largest: float, delta: float = 0.1) -> float:
    """Return the lambda_min that a Poisson draw exceeds with probability 1 - `delta`; 0 where the bound is vacuous."""
    eps = float(np.sqrt(2 * largest * np.log(d / delta) / (u * lam_star))) if lam_star > 0 else np.inf
    return lam_star * (1 - eps) if eps < 1 else 0.0


def u_required(lam_star: float, *, d: int, largest: float, delta: float = 0.1, eps: float = 0.5) -> float:
    """Return the subset size at which a Poisson draw keeps (1 - eps) lam_star with probability 1 - `delta`.

    2 L log(d / delta) / (eps^2 lam_star), that is 8 L log(d / delta) / lam_star at eps = 1/2; L = `largest`.
    """
    return 2 * largest * float(np.log(d / delta)) / (eps**2 * lam_star)


def lasso_l1_bound(k: int, alpha: float, tail: float, kappa: float) -> float:
    """Bound the l1 error of the Lasso by 20 max(k alpha / kappa^2, tail), `tail` being the absolute tail.

    Holds for alpha >= 2 ||X^T noise||_inf / n and RE constant `kappa` over the cone ||v_rest||_1 <= 4 ||v_head||_1:
    the basic inequality gives ||D_rest||_1 <= 3 ||D_head||_1 + 4 tail, and the two cases ||D_head||_1 above or below
    4 tail give the two terms. Source: companion's derivation.
    """
    return 20 * max(k * alpha / kappa**2, tail)


def lasso_l2_bound(k: int, alpha: float, tail: float, kappa: float) -> float:
    """Bound the l2 error of the Lasso by 4 sqrt(max(k alpha^2 / kappa^4, alpha tail / kappa^2)).

    As `lasso_l1_bound`, for a design with ||Xv||_2^2 >= n kappa^2 ||v||_2^2 for every v that the error can be.
    """
    return 4 * float(np.sqrt(max(k * alpha**2 / kappa**4, alpha * tail / kappa**2)))


def basic_inequality(X: np.ndarray, theta: np.ndarray, fit: np.ndarray, *, k: int, alpha: float) -> tuple[float, float]:
    """Return both sides of ||X D||^2 / n <= alpha (3 ||D_head||_1 - ||D_rest||_1 + 4 tail) for D = fit - theta.

    `X` (n, d), `theta` and `fit` (d,); the head is the `k` largest coordinates of theta. It holds for the Lasso fit
    whenever alpha >= 2 ||X^T noise||_inf / n, with no condition on X.
    """
    error = fit - theta
    head = np.zeros(len(theta), dtype=bool)
    head[np.argsort(-np.abs(theta), kind="stable")[:k]] = True
    left = float(np.square(X @ error).mean())
    inside, outside = np.abs(error[head]).sum(), np.abs(error[~head]).sum()
    return left, float(alpha * (3 * inside - outside + 4 * np.abs(theta[~head]).sum()))


def sparse_eigenvalue(
    X: np.ndarray, s: int, *, rng: np.random.Generator, supports: int = 200, starts: int = 5, sweeps: int = 20
) -> float:
    """Estimate phi_min(s), the smallest eigenvalue of X_J^T X_J / n over supports J of `s` columns of `X` (n, d).

    `supports` random supports, then exchange of one column at a time from the `starts` best, at most `sweeps` times.
    An upper bound on phi_min, which is hard to compute exactly. Raises ValueError unless 1 <= s <= d.
    Source: companion's numerical check.
    """
    n, d = np.shape(X)
    if not 1 <= s <= d:
        raise ValueError(f"s must lie in 1..d = 1..{d}; got {s}")
    if n < s:
        return 0.0
    gram = X.T @ X / n
    drawn = np.argsort(rng.random((supports, d)), axis=1)[:, :s]
    values = _lowest(gram, drawn)
    order = np.argsort(values)[:starts]
    best = min(_exchange(gram, drawn[i], values[i], sweeps) for i in order)
    return max(float(best), 0.0)


def _exchange(gram: np.ndarray, support: np.ndarray, value: float, sweeps: int) -> float:
    """Replace one column of `support` by one outside it as long as that lowers the smallest eigenvalue."""
    size = len(support)
    for _ in range(sweeps):
        outside = np.setdiff1d(np.arange(len(gram)), support)
        trial = np.repeat(support[None], size * len(outside), axis=0)
        trial[np.arange(len(trial)), np.repeat(np.arange(size), len(outside))] = np.tile(outside, size)
        if len(trial) == 0:
            break
        values = _lowest(gram, trial)
        at = int(np.argmin(values))
        if values[at] >= value - 1e-15:
            break
        support, value = trial[at], values[at]
    return value


def _lowest(gram: np.ndarray, supports: np.ndarray) -> np.ndarray:
    return np.linalg.eigvalsh(gram[supports[:, :, None], supports[:, None, :]])[:, 0]
