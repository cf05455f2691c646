"""C-BSLB when the sparsity is unknown: regret against its bases, and the weights it puts on them."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pandas as pd

from lib.bslb.baselines.random import random_pulls
from lib.bslb.bslb import bslb, exploration_length
from lib.bslb.corral import SHARES, CorralRun, corral
from lib.bslb.environments import Environment, soft_sparse_environment, uniform_pool
from lib.bslb.experiments.checks import check_setting
from lib.bslb.experiments.methods import PoolDesigns, Progress, outcome, track


def corral_regret(
    *,
    T: int = 300,
    arms: int = 6000,
    d: int = 400,
    true_ks: Sequence[int] = (3, 10, 30),
    grid: Sequence[int] = (1, 4, 16),
    etas: Sequence[float] = (0.02, 0.1, 0.5),
    shares: Sequence[str] = SHARES,
    beta: float = 0.2,
    sigma: float = 0.3,
    c_e: float = 2.0,
    ranges: Sequence[tuple[float, float] | None] = (None,),
    replicates: int = 10,
    iterations: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the regret of C-BSLB, of each of its bases alone and of random pulls.

    Args:
        T: number of pulls.
        arms: number of arms M.
        d: dimension.
        true_ks: sparsities of the parameter, unknown to C-BSLB.
        grid: sparsities that the bases assume.
        etas: initial learning rates of the master.
        shares: "all" (each base learns from each pull), "private" (only the base that made it).
        beta: relative tail.
        sigma: standard deviation of the reward noise.
        c_e: factor on the bases' exploration length.
        ranges: rewards that C-BSLB takes for losses 1 and 0, each a pair or None for what it has observed.
        replicates: parameters and noises on one pool.
        iterations: iterations of the design solver.
        seed: seed of everything.
        progress: wraps the loop over true sparsities.

    Returns:
        One row a (true_k, policy, replicate): method ("random", "BSLB base", "C-BSLB"), true_k, base_k (bases only),
        share, eta and reward_range ("observed" or the pair; C-BSLB only), replicate, explored_pulls, regret,
        mean_reward, precision_at_T, design_iterations.
    """
    _check(T, arms, d, true_ks, grid, beta, etas, shares, replicates, iterations)
    check_setting(ranges=ranges)
    tables = []
    none = {"base_k": np.nan, "share": "", "eta": np.nan, "reward_range": ""}
    for k, env, designs in _settings(
        track(true_ks, "true sparsity", progress), T, arms, d, grid, beta, sigma, c_e, replicates, iterations, seed
    ):
        tables.append(outcome(env, random_pulls(env, T, seed=seed), method="random", true_k=k, **none))
        for base in grid:
            run = bslb(env, T, base, seed=seed, c_e=c_e, design=designs.subset)
            tables.append(outcome(env, run, method="BSLB base", true_k=k, **{**none, "base_k": base}))
        for share, eta, span in product(shares, etas, ranges):
            run = corral(
                env, T, ks=grid, seed=seed, eta=eta, share=share, c_e=c_e, reward_range=span, design=designs.subset
            )
            text = "observed" if span is None else f"{span[0]:g} to {span[1]:g}"
            columns = {"base_k": np.nan, "share": share, "eta": eta, "reward_range": text}
            tables.append(outcome(env, run, method="C-BSLB", true_k=k, **columns))
    return pd.concat(tables, ignore_index=True).assign(design_iterations=iterations)


def corral_weights(
    *,
    T: int = 300,
    arms: int = 6000,
    d: int = 400,
    true_ks: Sequence[int] = (3,),
    grid: Sequence[int] = (1, 4, 16),
    etas: Sequence[float] = (0.5,),
    shares: Sequence[str] = SHARES,
    beta: float = 0.2,
    sigma: float = 0.3,
    c_e: float = 2.0,
    replicates: int = 10,
    points: int = 60,
    iterations: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the probability that C-BSLB gives to each base at about `points` of the `T` pulls.

    Parameters are those of `corral_regret`; equal ones give the same runs.

    Returns:
        One row a (true_k, share, eta, replicate, pull, base): true_k, share, eta, replicate, pull, base_k, weight,
        explored_pulls (exploration length of the base), design_iterations.
    """
    _check(T, arms, d, true_ks, grid, beta, etas, shares, replicates, iterations)
    check_setting(points=points)
    pulls = np.unique(np.linspace(1, T, min(points, T)).round().astype(int))
    tables = []
    for k, env, designs in _settings(
        track(true_ks, "true sparsity", progress), T, arms, d, grid, beta, sigma, c_e, replicates, iterations, seed
    ):
        for share in shares:
            for eta in etas:
                run = corral(env, T, ks=grid, seed=seed, eta=eta, share=share, c_e=c_e, design=designs.subset)
                tables.append(_weight_rows(run, pulls, grid).assign(true_k=k, share=share, eta=eta))
    return pd.concat(tables, ignore_index=True).assign(design_iterations=iterations)


def _check(T, arms, d, true_ks, grid, beta, etas, shares, replicates, iterations) -> None:
    check_setting(T=T, arms=arms, replicates=replicates, iterations=iterations, shares=shares)
    check_setting(d=d, true_ks=true_ks, grid=grid, ks=true_ks, betas=(beta,))
    check_setting(d=d, ks=grid)
    if not len(etas):
        raise ValueError("etas is empty; give at least one learning rate")


def _settings(true_ks, T, arms, d, grid, beta, sigma, c_e, replicates, iterations, seed) -> Iterator[tuple]:
    pool = uniform_pool(arms, d, seed=seed)
    longest = exploration_length(max(grid), T, c_e=c_e)
    designs = PoolDesigns(pool, longest, seed, iterations)
    for k in true_ks:
        env: Environment = soft_sparse_environment(
            arms=pool, d=d, k=k, beta=beta, sigma=sigma, replicates=replicates, seed=seed
        )
        yield k, env, designs


def _weight_rows(run: CorralRun, pulls: np.ndarray, grid: Sequence[int]) -> pd.DataFrame:
    weights = run.weights[:, pulls - 1]
    replicate, at, base = (axis.ravel() for axis in np.indices(weights.shape))
    return pd.DataFrame(
        {
            "replicate": replicate,
            "pull": pulls[at],
            "base_k": np.asarray(grid)[base],
            "explored_pulls": run.explorations[base],
            "weight": weights.ravel(),
        }
    )
