"""Error of the Lasso under soft sparsity, against sample size, tail and sparsity."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from lib.bslb.experiments.checks import check_setting
from lib.bslb.regression import lasso
from lib.bslb.sparsity import absolute_tail, soft_sparse
from lib.bslb.theory import lasso_l1_bound, lasso_l2_bound

Progress = Callable[[Iterable, str], Iterable] | None


def lasso_error(
    *,
    sizes: Sequence[int] = (100, 160, 250, 400, 640, 1000, 1600),
    betas: Sequence[float] = (0.0, 0.2, 1.0),
    c_values: Sequence[float] = (1.5, 2.0, 0.5),
    ks: Sequence[int] = (5,),
    d: int = 500,
    pool: int = 4000,
    sigma: float = 0.1,
    seeds: int = 5,
    seed: int = 0,
    progress: Progress = None,
) -> pd.DataFrame:
    """Return one row per replicate, sparsity k, relative tail beta, penalty factor c and sample size n.

    Each replicate draws a pool of `pool` arms with entries uniform on [-sqrt 3, sqrt 3] (variance 1), explores the
    first n of them, and fits the Lasso with alpha = c sigma sqrt(log d / n). The head of theta has k entries of size 1;
    `sigma` is the noise s.d. Columns: ``seed``, ``k``, ``beta`` (relative), ``c``, ``observations`` (n), ``alpha``,
    ``tail_l1`` (absolute tail), ``l1_error``, ``l2_error``, ``nonzeros``, ``l1_bound`` and ``l2_bound`` (with
    restricted eigenvalue constant 1, the population's), ``v2_ratio`` (l1 error over
    (1 + beta)^2 k sigma sqrt(log d / n)).

    Raises ValueError if a sample size exceeds the pool.
    """
    check_setting(sizes=sizes, pool=pool, seeds=seeds, d=d, ks=ks, betas=betas)
    if not len(c_values):
        raise ValueError("c_values is empty; give at least one penalty factor")
    if max(sizes) > pool:
        raise ValueError(
            f"sample size {max(sizes)} exceeds the pool of {pool} arms: no arm is pulled twice; raise pool"
        )
    rows = []
    replicates = range(seeds)
    for replicate in progress(replicates, "Lasso error") if progress else replicates:
        rng = np.random.default_rng([seed, replicate])
        arms = rng.uniform(-np.sqrt(3), np.sqrt(3), size=(pool, d))
        noise = sigma * rng.standard_normal(pool)
        for k in ks:
            for beta in betas:
                theta = np.sqrt(k) * soft_sparse(d, k, beta, rng)
                rewards = arms @ theta + noise
                for n in sizes:
                    for c in c_values:
                        row = _fit(arms[:n], rewards[:n], theta, k=k, beta=beta, c=c, sigma=sigma)
                        rows.append({"seed": replicate, "k": k, "beta": beta, "c": c, "observations": n} | row)
    return pd.DataFrame(rows)


def lasso_in_k(
    *,
    ks: Sequence[int] = (2, 4, 8, 16, 32),
    n: int = 640,
    c_values: Sequence[float] = (1.5, 2.0),
    d: int = 500,
    sigma: float = 0.1,
    seeds: int = 5,
    seed: int = 0,
    progress: Progress = None,
) -> pd.DataFrame:
    """Return the hard-sparse Lasso error at `n` observations for each sparsity of `ks`; columns as in `lasso_error`."""
    return lasso_error(
        sizes=(n,),
        betas=(0.0,),
        c_values=c_values,
        ks=ks,
        d=d,
        pool=n,
        sigma=sigma,
        seeds=seeds,
        seed=seed,
        progress=progress,
    )


def _fit(X, r, theta, *, k, beta, c, sigma) -> dict[str, float]:
    n, d = X.shape
    rate = sigma * float(np.sqrt(np.log(d) / n))
    alpha, tail = c * rate, absolute_tail(theta, k)
    fit = lasso(X, r, alpha=alpha, precompute=n > d)
    error = fit - theta
    l1 = float(np.abs(error).sum())
    return {
        "alpha": alpha,
        "tail_l1": tail,
        "l1_error": l1,
        "l2_error": float(np.linalg.norm(error)),
        "nonzeros": int(np.count_nonzero(fit)),
        "l1_bound": lasso_l1_bound(k, alpha, tail, 1.0),
        "l2_bound": lasso_l2_bound(k, alpha, tail, 1.0),
        "v2_ratio": l1 / ((1 + beta) ** 2 * k * rate),
    }
