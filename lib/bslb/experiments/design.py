"""How well a chosen subset is conditioned, against its bounds and a uniform subset of the same size."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from lib.bslb.experiments.checks import check_setting
from lib.bslb.pools import clustered_arms, isotropic_arms, uniform_arms
from lib.bslb.rounding import poisson_subset, repair, subset_lambda_min
from lib.bslb.subset import good_subset, uniform_subset
from lib.bslb.theory import chernoff_value, sparse_eigenvalue, u_required

POOLS = {"clustered": clustered_arms, "isotropic": isotropic_arms, "uniform": uniform_arms}
Progress = Callable[[Iterable, str], Iterable] | None


def subset_quality(
    *,
    kinds: Sequence[str] = ("clustered", "isotropic"),
    d: int = 20,
    arms: int = 2000,
    sizes: Sequence[int] = (20, 30, 40, 80, 160, 320, 640, 1280),
    draws: int = 50,
    sdp: bool = False,
    greedy_up_to: int = 40,
    iterations: int = 300,
    delta: float = 0.1,
    seed: int = 0,
    progress: Progress = None,
) -> pd.DataFrame:
    """Return one row per pool kind, subset size u and rounding draw; eigenvalues in units of squared arm norm.

    Columns: ``kind``, ``d``, ``arms``, ``u``, ``draw``, ``lambda_star`` (Frank-Wolfe value), ``certificate`` (upper
    bound on the optimum), ``lambda_sdp`` (exact optimum, NaN without `sdp`), ``lambda_greedy`` (greedy subset; NaN
    above u = `greedy_up_to`, since its cost grows as u M d^2), ``lambda_poisson`` (this draw, repaired to u arms),
    ``lambda_uniform`` (a uniform subset),
    ``chernoff`` (value guaranteed with probability 1 - `delta`, 0 where vacuous), ``u_required`` (size at which half
    of ``lambda_star`` is guaranteed). Raises ValueError for an unknown kind or sizes outside d..M.
    """
    _check_kinds(kinds)
    check_setting(kinds=kinds, d=d, arms=arms, sizes=sizes, draws=draws, iterations=iterations)
    rows = []
    for number, kind in enumerate(progress(list(kinds), "subset quality") if progress else kinds):
        pool = POOLS[kind](arms, d, np.random.default_rng([seed, number]))
        largest = float(np.square(pool).sum(axis=1).max())
        for u in sizes:
            rng = np.random.default_rng([seed, number, u])
            design = good_subset(pool, u, iterations=iterations, tolerance=0.005, draws=1, rng=rng)
            fixed = {
                "kind": kind,
                "d": d,
                "arms": arms,
                "u": u,
                "lambda_star": design.lam_star,
                "certificate": design.upper,
                "lambda_sdp": good_subset(pool, u, solver="sdp", draws=1, rng=rng).lam_star if sdp else np.nan,
                "lambda_greedy": good_subset(pool, u, solver="greedy", draws=1, rng=rng).lam_star
                if u <= greedy_up_to
                else np.nan,
                "chernoff": chernoff_value(design.lam_star, u, d=d, largest=largest, delta=delta),
                "u_required": u_required(design.lam_star, d=d, largest=largest, delta=delta),
            }
            for draw in range(draws):
                chosen = repair(poisson_subset(design.mu, u, rng), design.mu, u, rng)
                drawn = {
                    "draw": draw,
                    "lambda_poisson": subset_lambda_min(pool, chosen),
                    "lambda_uniform": subset_lambda_min(pool, uniform_subset(pool, u, rng=rng)),
                }
                rows.append(fixed | drawn)
    return pd.DataFrame(rows)


def sparse_eigenvalues(
    *,
    kind: str = "clustered",
    d: int = 64,
    arms: int = 2000,
    u: int | None = None,
    k: int = 3,
    explored: Sequence[int] = (8, 16, 24, 32, 48, 64, 96, 128),
    seeds: int = 5,
    seed: int = 0,
    progress: Progress = None,
) -> pd.DataFrame:
    """Return one row per replicate, way of exploring and number of explored rows T_e; u = 3 d unless given.

    Columns: ``kind``, ``d``, ``k``, ``seed``, ``explore`` ("subset" draws rows from the good subset, "uniform" from the
    whole pool), ``explored``, ``lambda_min`` and ``phi_min`` (estimated sparse eigenvalue at 2 k), both of the explored
    rows' Gram matrix over T_e; below d rows the first is zero up to rounding. Raises ValueError if T_e exceeds the
    subset or 2 k exceeds d.
    """
    _check_kinds([kind])
    check_setting(arms=arms, explored=explored, seeds=seeds, d=d, ks=(k,))
    u = min(3 * d, arms) if u is None else u
    if max(explored) > u:
        raise ValueError(f"explored rows must not exceed the subset, u={u}; raise u or lower {max(explored)}")
    rows = []
    replicates = range(seeds)
    for replicate in progress(replicates, "sparse eigenvalues") if progress else replicates:
        rng = np.random.default_rng([seed, replicate])
        pool = POOLS[kind](arms, d, rng)
        orders = {
            "subset": rng.permutation(good_subset(pool, u, rng=rng).subset),
            "uniform": rng.permutation(arms)[:u],
        }
        for explore, order in orders.items():
            for size in explored:
                X = pool[order[:size]]
                fixed = {"kind": kind, "d": d, "k": k, "seed": replicate, "explore": explore, "explored": size}
                values = {
                    "lambda_min": subset_lambda_min(pool, order[:size]),
                    "phi_min": sparse_eigenvalue(X, 2 * k, rng=rng),
                }
                rows.append(fixed | values)
    return pd.DataFrame(rows)


def _check_kinds(kinds: Iterable[str]) -> None:
    unknown = [kind for kind in kinds if kind not in POOLS]
    if unknown:
        raise ValueError(f"unknown kind of pool {unknown[0]!r}; choose from {', '.join(POOLS)}")
