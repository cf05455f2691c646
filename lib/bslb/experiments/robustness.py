"""Where BSLB gains and where it does not: anisotropic pools, noise, wrong reward models, dense parameters."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.bslb.baselines.random import random_pulls
from lib.bslb.bslb import bslb
from lib.bslb.environments import (
    Environment,
    anisotropic_environment,
    make_environment,
    soft_sparse_environment,
    uniform_pool,
)
from lib.bslb.experiments.checks import check_setting
from lib.bslb.experiments.methods import (
    METHODS,
    PoolDesigns,
    Progress,
    check_methods,
    feedback_batches,
    longest_exploration,
    outcome,
    track,
)

REWARDS = ("linear", "saturating", "interactions")


def subset_gain(
    *,
    rares: Sequence[float] = (0.05, 0.1, 0.3, 1.0),
    T: int = 200,
    arms: int = 3000,
    d: int = 200,
    k: int = 6,
    sigma: float = 0.2,
    exploration: int = 60,
    u: int = 600,
    pools: int = 5,
    replicates: int = 4,
    iterations: int = 40,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the regret with subset and with uniform exploration as a minority of the arms gets rarer.

    Only the fraction `rare` of the arms shows the second half of the coordinates, where most of the reward is.

    Returns:
        One row a (rare, method, pool, replicate): method ("subset", "uniform", "random"), rare, pool, horizon, arms,
        replicate, explored_pulls, regret, mean_reward, precision_at_T, lambda_min (of the mean outer product of the
        arms that exploration draws from; NaN for random), design_iterations.
    """
    check_setting(T=T, arms=arms, exploration=exploration, u=u, pools=pools, replicates=replicates)
    check_setting(d=d, ks=(k,), iterations=iterations)
    if not len(rares):
        raise ValueError("rares is empty; give at least one minority fraction")
    tables = []
    for rare in track(rares, "minority fraction", progress):
        for pool in range(pools):
            own = seed + 1000 * pool
            env = anisotropic_environment(arms=arms, d=d, rare=rare, k=k, sigma=sigma, replicates=replicates, seed=own)
            design = PoolDesigns(env.arms, exploration, own, iterations, u).subset
            uniform = np.random.default_rng([own, 302]).permutation(arms)[:u]
            runs = {
                "subset": (bslb(env, T, k, seed=own, exploration=exploration, design=design), design.subset),
                "uniform": (bslb(env, T, k, seed=own, exploration=exploration, explore="uniform"), uniform),
                "random": (random_pulls(env, T, seed=own), None),
            }
            for name, (run, source) in runs.items():
                table = outcome(env, run, method=name, rare=rare, pool=pool, horizon=T, arms=arms)
                value = np.nan if source is None else _lambda_min(env.arms[source])
                tables.append(table.assign(lambda_min=value))
    return pd.concat(tables, ignore_index=True).assign(design_iterations=iterations)


def _lambda_min(rows: np.ndarray) -> float:
    return float(np.linalg.eigvalsh(rows.T @ rows / len(rows))[0])


def estimator_by_noise(
    *,
    sigmas: Sequence[float] = (0.1, 0.3, 0.6, 1.2),
    rewards: Sequence[str] = REWARDS,
    methods: Sequence[str] = ("random", "BSLB (v1, c=1)", "ridge ETC", "greedy Lasso", "LinUCB (alpha=0)"),
    T: int = 300,
    arms: int = 4000,
    d: int = 400,
    k: int = 5,
    replicates: int = 8,
    iterations: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the regret of each method as the expert gets noisier and the reward stops being linear.

    Rewards: "linear"; "saturating", a monotone function of the linear reward that flattens (tanh of three times it);
    "interactions", the linear reward plus products of pairs of its features. All are scaled to the spread of the
    linear one, whose standard deviation over the arms is 0.58 for Uniform(-1, 1) entries.

    Returns:
        One row a (reward, sigma, method, replicate): method, reward, sigma, k, horizon, arms, replicate,
        explored_pulls, regret, mean_reward, precision_at_T, regret_over_random (regret divided by that of random
        pulls in the same replicate), design_iterations.
    """
    check_methods(methods)
    check_setting(T=T, arms=arms, d=d, ks=(k,), replicates=replicates, iterations=iterations)
    if not (len(sigmas) and len(rewards)):
        raise ValueError("sigmas or rewards is empty; give at least one of each")
    unknown = sorted(set(rewards) - set(REWARDS))
    if unknown:
        raise ValueError(f"unknown rewards {unknown}; choose from {', '.join(REWARDS)}")
    pool = uniform_pool(arms, d, seed=seed)
    designs = PoolDesigns(pool, longest_exploration((k,), T), seed, iterations)
    base = soft_sparse_environment(arms=pool, d=d, k=k, replicates=replicates, seed=seed)
    tables = []
    for sigma in track(sigmas, "noise", progress):
        for reward in rewards:
            env = make_environment(pool, _bent(base, reward), sigma=sigma, seed=seed)
            random = outcome(env, random_pulls(env, T, seed=seed))["regret"].to_numpy()
            for name in methods:
                run = METHODS[name](env, T, k, seed, designs)
                table = outcome(env, run, method=name, reward=reward, sigma=sigma, k=k, horizon=T, arms=arms)
                tables.append(table.assign(regret_over_random=table["regret"] / random))
    return pd.concat(tables, ignore_index=True).assign(design_iterations=iterations)


def _bent(env: Environment, reward: str) -> np.ndarray:
    """Return expected rewards, shape ``(S, M)``, that depend on the linear ones as `reward` says."""
    linear = env.means
    if reward == "linear":
        return linear
    if reward == "saturating":
        bent = np.tanh(3 * linear)
    else:
        # ((sum of terms)^2 - sum of squares) / 2 is the sum over pairs of products of the terms theta_j a_j.
        pairs = (linear**2 - np.square(env.theta) @ np.square(env.arms).T) / 2
        bent = linear + pairs * linear.std(axis=1, keepdims=True) / pairs.std(axis=1, keepdims=True)
    return bent * linear.std(axis=1, keepdims=True) / bent.std(axis=1, keepdims=True)


def sparsity_edge(
    *,
    settings: Sequence[tuple[int, float]] = ((5, 0.0), (10, 0.3), (30, 0.3)),
    methods: Sequence[str] = (
        "random",
        "BSLB (v1, c=1)",
        "ridge ETC",
        "LinUCB (alpha=0)",
        "LinUCB (alpha=1)",
        "greedy Lasso",
    ),
    T: int = 300,
    arms: int = 4000,
    d: int = 400,
    sigma: float = 0.3,
    replicates: int = 8,
    iterations: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return regret and feedback batches on pools of independent arms, where BSLB is not the best policy.

    Random arms make exploration free, so policies that adapt after every batch win; they need the expert at hand all
    the time, BSLB asks twice.

    Args:
        settings: pairs of sparsity k and relative tail beta.
        methods: names from `methods.METHODS`.
        T: number of pulls.
        arms: number of arms M.
        d: dimension.
        sigma: standard deviation of the reward noise.
        replicates: parameters and noises on one pool.
        iterations: iterations of the design solvers.
        seed: seed of everything.
        progress: wraps the loop over settings.

    Returns:
        One row a (setting, method, replicate): method, k, beta, horizon, arms, feedback_batches, replicate,
        explored_pulls, regret, mean_reward, precision_at_T, design_iterations.
    """
    check_methods(methods)
    check_setting(T=T, arms=arms, settings=settings, replicates=replicates, iterations=iterations)
    for k, beta in settings:
        check_setting(d=d, ks=(k,), betas=(beta,))
    pool = uniform_pool(arms, d, seed=seed)
    designs = PoolDesigns(pool, longest_exploration([k for k, _ in settings], T), seed, iterations)
    tables = []
    for k, beta in track(settings, "sparsity", progress):
        env = soft_sparse_environment(arms=pool, d=d, k=k, beta=beta, sigma=sigma, replicates=replicates, seed=seed)
        for name in methods:
            columns = {"method": name, "k": k, "beta": beta, "horizon": T, "arms": arms}
            run = METHODS[name](env, T, k, seed, designs)
            tables.append(outcome(env, run, **columns, feedback_batches=feedback_batches(name, T)))
    return pd.concat(tables, ignore_index=True).assign(design_iterations=iterations)
