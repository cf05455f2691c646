"""Regret on synthetic pools: against horizon, exploration length, tail and time, and with both versions' lengths."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.bslb.bslb import VERSIONS, bslb, exploration_length
from lib.bslb.environments import soft_sparse_environment, uniform_pool
from lib.bslb.experiments.checks import check_setting
from lib.bslb.experiments.methods import (
    DEFAULT_METHODS,
    METHODS,
    PoolDesigns,
    Progress,
    check_methods,
    longest_exploration,
    outcome,
    track,
)
from lib.bslb.metrics import regret_curve

EXPONENTS = {"v1": (1 / 3, 2 / 3), "v2": (2 / 3, 2 / 3)}  # of k and T in each version's exploration length and regret


def regret_by_horizon(
    *,
    horizons: Sequence[int] = (50, 100, 200, 400, 800),
    arms_per_pull: int = 25,
    d: int = 400,
    ks: Sequence[int] = (5, 10),
    beta: float = 0.0,
    sigma: float = 0.3,
    pools: int = 1,
    replicates: int = 12,
    methods: Sequence[str] = DEFAULT_METHODS,
    iterations: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the regret of each method after `T` pulls from ``M = arms_per_pull T`` arms, for each horizon T.

    The pool grows with T so that the best T arms are the same fraction of it; with M fixed even random pulls would not
    have slope 1 (see `fixed_pool_trap`). Smaller pools are prefixes of larger ones and parameters are shared between
    horizons, which removes noise from the slopes.

    Args:
        horizons: numbers of pulls T.
        arms_per_pull: arms in the pool for each pull.
        d: dimension.
        ks: sparsities.
        beta: relative tail.
        sigma: standard deviation of the reward noise.
        pools: number of independent pools.
        replicates: parameters and noises on each pool.
        methods: names from `methods.METHODS`.
        iterations: iterations of the design solvers.
        seed: seed of everything.
        progress: wraps the loop over horizons.

    Returns:
        One row a (method, k, horizon, pool, replicate): method, k, beta, horizon, arms, pool, replicate,
        explored_pulls, regret, mean_reward, precision_at_T, design_iterations.
    """
    check_methods(methods)
    check_setting(horizons=horizons, arms_per_pull=arms_per_pull, pools=pools, replicates=replicates)
    check_setting(d=d, ks=ks, betas=(beta,), slope_over=horizons, iterations=iterations)
    tables = []
    for T in track(horizons, "horizon", progress):
        for pool in range(pools):
            own = _pool_seed(seed, pool)
            arms = uniform_pool(arms_per_pull * T, d, seed=own)
            designs = PoolDesigns(arms, longest_exploration(ks, T), own, iterations)
            for k in ks:
                env = soft_sparse_environment(
                    arms=arms, d=d, k=k, beta=beta, sigma=sigma, replicates=replicates, seed=own
                )
                for name in methods:
                    run = METHODS[name](env, T, k, own, designs)
                    tables.append(outcome(env, run, method=name, k=k, beta=beta, horizon=T, arms=len(arms), pool=pool))
    return pd.concat(tables, ignore_index=True).assign(design_iterations=iterations)


def fixed_pool_trap(
    *,
    horizons: Sequence[int] = (50, 100, 200, 400, 800),
    arms: int = 5000,
    arms_per_pull: int = 25,
    d: int = 400,
    k: int = 5,
    sigma: float = 0.3,
    replicates: int = 12,
    iterations: int = 3,
    seed: int = 0,
    horizon: pd.DataFrame | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the regret of random pulls and of BSLB with a pool of fixed size beside one that grows with the horizon.

    With M fixed a longer horizon reaches deeper into the pool, the benchmark falls, and every slope is too small.
    `horizon` is a table of `regret_by_horizon` at the same parameters; it saves the runs on the growing pool.

    Returns:
        The columns of `regret_by_horizon` and scaling ("fixed pool" or "pool grows with T").
    """
    options = {"d": d, "ks": (k,), "sigma": sigma, "replicates": replicates, "iterations": iterations, "seed": seed}
    methods = ("random", "BSLB (v1, c=2)")
    check_setting(horizons=horizons, arms=arms, arms_per_pull=arms_per_pull, replicates=replicates)
    check_setting(d=d, ks=(k,), slope_over=horizons, iterations=iterations)
    if horizon is None:
        grown = regret_by_horizon(
            horizons=horizons, arms_per_pull=arms_per_pull, methods=methods, progress=progress, **options
        )
    else:
        grown = horizon[horizon["method"].isin(methods) & (horizon["k"] == k) & horizon["horizon"].isin(horizons)]
        if len(grown.drop_duplicates(["method", "horizon"])) < len(methods) * len(set(horizons)):
            raise ValueError(f"horizon lacks rows of {', '.join(methods)} at k = {k} and T in {list(horizons)}")
    designs = PoolDesigns(uniform_pool(arms, d, seed=seed), longest_exploration((k,), max(horizons)), seed, iterations)
    env = soft_sparse_environment(arms=designs.arms, d=d, k=k, sigma=sigma, replicates=replicates, seed=seed)
    same = [
        outcome(env, METHODS[name](env, T, k, seed, designs), method=name, k=k, beta=0.0, horizon=T, arms=arms, pool=0)
        for T in track(horizons, "fixed pool", progress)
        for name in methods
    ]
    fixed = pd.concat(same).assign(design_iterations=iterations, scaling="fixed pool")
    return pd.concat([grown.assign(scaling="pool grows with T"), fixed], ignore_index=True)


def regret_by_exploration(
    *,
    T: int = 300,
    arms: int = 6000,
    d: int = 400,
    k: int = 10,
    betas: Sequence[float] = (0.0,),
    lengths: Sequence[int] = (15, 30, 45, 60, 90, 120, 180, 240, 285),
    sigma: float = 0.3,
    replicates: int = 12,
    iterations: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the regret of BSLB against the number of exploration pulls, for each relative tail in `betas`.

    Too short an exploration ranks badly, too long a one wastes pulls: a U whose minimum the theory places at
    ``k^(1/3) T^(2/3)`` (our reading of version 1) or ``k^(2/3) T^(2/3)`` (our reading of version 2).

    Returns:
        One row a (beta, exploration, replicate): method, k, beta, horizon, arms, exploration, replicate,
        explored_pulls, regret, mean_reward, precision_at_T, design_iterations, predicted_v1, predicted_v2 (pulls).
    """
    check_setting(T=T, arms=arms, lengths=lengths, replicates=replicates)
    check_setting(d=d, ks=(k,), betas=betas, iterations=iterations)
    pool = uniform_pool(arms, d, seed=seed)
    designs = PoolDesigns(pool, max(lengths), seed, iterations)
    tables = []
    for beta in track(betas, "relative tail", progress):
        env = soft_sparse_environment(arms=pool, d=d, k=k, beta=beta, sigma=sigma, replicates=replicates, seed=seed)
        for length in lengths:
            run = bslb(env, T, k, seed=seed, exploration=length, design=designs.subset)
            columns = {"method": "BSLB", "k": k, "beta": beta, "horizon": T, "arms": arms, "exploration": length}
            tables.append(outcome(env, run, **columns))
    lengths_of = {f"predicted_{v}": exploration_length(k, T, version=v) for v in VERSIONS}
    return pd.concat(tables, ignore_index=True).assign(design_iterations=iterations, **lengths_of)


def regret_by_tail(
    *,
    T: int = 300,
    arms: int = 6000,
    d: int = 400,
    k: int = 10,
    betas: Sequence[float] = (0.0, 0.5, 1.0, 2.0),
    exploration: int | None = None,
    sigma: float = 0.3,
    replicates: int = 12,
    iterations: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the regret of BSLB against the relative tail beyond the `k` largest coordinates, beside random pulls.

    `exploration` is the number of exploration pulls, by default version 1's in our reading, with factor 1.

    Returns:
        One row a (method, beta, replicate): method, k, beta, horizon, arms, replicate, explored_pulls, regret,
        mean_reward, precision_at_T, design_iterations, absolute_tail (l1 norm outside the head; the head has l1 norm
        sqrt(k)).
    """
    check_setting(T=T, arms=arms, replicates=replicates)
    check_setting(d=d, ks=(k,), betas=betas, iterations=iterations)
    exploration = exploration_length(k, T) if exploration is None else exploration
    pool = uniform_pool(arms, d, seed=seed)
    designs = PoolDesigns(pool, exploration, seed, iterations)
    tables = []
    for beta in track(betas, "relative tail", progress):
        env = soft_sparse_environment(arms=pool, d=d, k=k, beta=beta, sigma=sigma, replicates=replicates, seed=seed)
        runs = {
            "random": METHODS["random"](env, T, k, seed, designs),
            "BSLB": bslb(env, T, k, seed=seed, exploration=exploration, design=designs.subset),
        }
        for name, run in runs.items():
            tables.append(outcome(env, run, method=name, k=k, beta=beta, horizon=T, arms=arms))
    table = pd.concat(tables, ignore_index=True)
    return table.assign(design_iterations=iterations, absolute_tail=table["beta"] * np.sqrt(k))


def regret_curves(
    *,
    T: int = 300,
    arms: int = 4000,
    d: int = 400,
    k: int = 5,
    beta: float = 0.0,
    sigma: float = 0.3,
    replicates: int = 8,
    methods: Sequence[str] = DEFAULT_METHODS,
    points: int = 60,
    iterations: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return cumulative regret after each of about `points` pulls, against the best arms so far, for each method.

    Returns:
        One row a (method, replicate, pull): method, k, beta, horizon, arms, explored_pulls (of the replicate's run),
        replicate, pull, regret, design_iterations.
    """
    check_methods(methods)
    check_setting(T=T, arms=arms, replicates=replicates, points=points)
    check_setting(d=d, ks=(k,), betas=(beta,), iterations=iterations)
    pool = uniform_pool(arms, d, seed=seed)
    designs = PoolDesigns(pool, longest_exploration((k,), T), seed, iterations)
    env = soft_sparse_environment(arms=pool, d=d, k=k, beta=beta, sigma=sigma, replicates=replicates, seed=seed)
    pulls = np.unique(np.linspace(1, T, min(points, T)).round().astype(int))
    tables = []
    for name in track(methods, "policy", progress):
        run = METHODS[name](env, T, k, seed, designs)
        curve = regret_curve(env, run)[:, pulls - 1]
        columns = {"method": name, "k": k, "beta": beta, "horizon": T, "arms": arms, "explored_pulls": run.explored}
        index = {"replicate": np.repeat(np.arange(replicates), len(pulls)), "pull": np.tile(pulls, replicates)}
        tables.append(pd.DataFrame({**index, "regret": curve.ravel()}).assign(**columns))
    return pd.concat(tables, ignore_index=True).assign(design_iterations=iterations)


def version_comparison(
    *,
    horizons: Sequence[int] = (100, 200, 400),
    ks: Sequence[int] = (2, 5, 10, 20),
    arms_per_pull: int = 25,
    d: int = 400,
    beta: float = 0.0,
    c_e: float = 1.0,
    sigma: float = 0.3,
    replicates: int = 12,
    iterations: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return exploration length and regret of BSLB with the length in our reading of each version.

    Returns:
        One row a (version, k, horizon, replicate): method, version, k, beta, horizon, arms, replicate,
        explored_pulls, unclipped_pulls (before clipping to [5, 0.9 T]), regret, mean_reward, precision_at_T,
        predicted_k_exponent, predicted_T_exponent (of length and regret), design_iterations.
    """
    check_setting(horizons=horizons, arms_per_pull=arms_per_pull, replicates=replicates)
    check_setting(d=d, ks=ks, betas=(beta,), iterations=iterations)
    tables = []
    for T in track(horizons, "horizon", progress):
        pool = uniform_pool(arms_per_pull * T, d, seed=seed)
        longest = max(exploration_length(max(ks), T, version=v, c_e=c_e) for v in VERSIONS)
        designs = PoolDesigns(pool, longest, seed, iterations)
        for k in ks:
            env = soft_sparse_environment(arms=pool, d=d, k=k, beta=beta, sigma=sigma, replicates=replicates, seed=seed)
            for version in VERSIONS:
                of_k, of_T = EXPONENTS[version]
                run = bslb(env, T, k, seed=seed, version=version, c_e=c_e, design=designs.subset)
                table = outcome(env, run, method="BSLB", version=version, k=k, beta=beta, horizon=T, arms=len(pool))
                tables.append(
                    table.assign(
                        unclipped_pulls=c_e * k**of_k * T**of_T, predicted_k_exponent=of_k, predicted_T_exponent=of_T
                    )
                )
    return pd.concat(tables, ignore_index=True).assign(design_iterations=iterations)


def _pool_seed(seed: int, pool: int) -> int:
    return seed + 1000 * pool
