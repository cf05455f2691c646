"""Bandit policies side by side on a pool whose scores are known: regret, precision and rank correlation."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from lib.bslb.baselines.explore_commit import ridge_etc, uniform_etc
from lib.bslb.baselines.linucb import linucb
from lib.bslb.baselines.oracle import oracle
from lib.bslb.baselines.random import random_pulls
from lib.bslb.bslb import bslb, default_subset_size, exploration_length
from lib.bslb.ceiling import linear_ceiling
from lib.bslb.environments import Environment
from lib.bslb.metrics import final_regret, mean_reward, precision_at_T
from lib.bslb.policy import Run
from lib.bslb.subset import Design, good_subset

BANDIT_POLICIES = ("random", "bslb", "uniform_etc", "ridge_etc", "linucb", "greedy_lasso", "full_data_linear", "oracle")


def compare_bandits(
    env: Environment,
    policies: Sequence[str],
    budgets: Sequence[int],
    *,
    k: int,
    seed: int,
    intercept: bool = True,
    u: int | None = None,
    extra: dict[str, Callable[[Environment, int], Run]] | None = None,
    progress: Callable[[Iterable, str], Iterable] | None = None,
) -> list[dict]:
    """Return one table row for each policy, budget and replicate of `env`.

    Keys: policy, T, seed (``seed`` plus the replicate), d, explored (pulls), regret and random_regret (the exact
    expectation of random pulls), mean_reward, precision (share of the pulls among the T best) and kendall_tau (rank
    correlation of the final estimate with the means, NaN without estimate). `k` is BSLB's sparsity, `u` its subset
    size, `intercept` says that the level of the rewards is not zero. `extra` maps further policy names to functions of
    the environment and T. `progress` wraps the loop over policies.
    """
    extra = extra or {}
    unknown = [name for name in policies if name not in (*BANDIT_POLICIES, *extra)]
    if unknown:
        raise ValueError(f"unknown policies {unknown}; choose out of {', '.join(BANDIT_POLICIES)}")
    design = None
    if {"bslb", "ridge_etc"} & set(policies):
        size = u or default_subset_size(*env.arms.shape, exploration_length(k, max(budgets)))
        design = good_subset(env.arms, size, iterations=60, rng=np.random.default_rng([seed, 303]))
    ceiling = linear_ceiling(env, seed=seed) if "full_data_linear" in policies else None
    rows = []
    for policy in progress(list(policies), "policies") if progress else policies:
        for T in budgets:
            if policy in extra:
                run = extra[policy](env, T)
            else:
                run = _run(policy, env, T, k=k, seed=seed, intercept=intercept, design=design, ceiling=ceiling)
            scores = ceiling if policy == "full_data_linear" else _scores(env, run)
            rows += _rows(policy, env, T, run, scores, seed)
    return rows


def _run(
    policy: str,
    env: Environment,
    T: int,
    *,
    k: int,
    seed: int,
    intercept: bool,
    design: Design | None,
    ceiling: np.ndarray | None,
) -> Run:
    """Run one policy by name; LinUCB, which has no intercept, gets a constant feature instead."""
    options = {"seed": seed, "intercept": intercept}
    table: dict[str, Callable[[], Run]] = {
        "random": lambda: random_pulls(env, T, seed=seed),
        "bslb": lambda: bslb(env, T, k, design=design, **options),
        "uniform_etc": lambda: uniform_etc(env, T, k, **options),
        "ridge_etc": lambda: ridge_etc(env, T, k, design=design, **options),
        "linucb": lambda: linucb(_with_constant(env) if intercept else env, T, seed=seed),
        # Greedy Lasso with an intercept: 20 random pulls, then the best arms of a Lasso refitted every 20.
        "greedy_lasso": lambda: uniform_etc(env, T, k, exploration=min(20, T), refit=20, **options),
        "full_data_linear": lambda: Run(np.argsort(-ceiling, axis=1, kind="stable")[:, :T], 0),
        "oracle": lambda: oracle(env, T),
    }
    return table[policy]()


def _with_constant(env: Environment) -> Environment:
    # Ten times as long as an arm: the ridge penalty then hardly touches the level, and no arm is preferred for it.
    level = 10.0 * np.sqrt(np.mean(np.einsum("md,md->m", env.arms, env.arms)))
    arms = np.column_stack([env.arms, np.full(len(env.arms), level)])
    return Environment(arms, env.means, env.rewards, env.sigma)


def _scores(env: Environment, run: Run) -> np.ndarray | None:
    return None if run.estimate is None else run.estimate[:, : env.arms.shape[1]] @ env.arms.T


def _rows(policy: str, env: Environment, T: int, run: Run, scores: np.ndarray | None, seed: int) -> list[dict]:
    best = np.sort(env.means, axis=1)[:, ::-1][:, :T].sum(axis=1)
    expected = best - T * env.means.mean(axis=1)
    columns = zip(final_regret(env, run), expected, mean_reward(env, run), precision_at_T(env, run), strict=True)
    from scipy.stats import kendalltau

    rows = []
    for s, (regret, random_regret, reward, precision) in enumerate(columns):
        tau = np.nan if scores is None else float(kendalltau(scores[s], env.means[s]).statistic)
        row = {"policy": policy, "T": T, "seed": seed + s, "d": env.arms.shape[1], "explored": run.explored}
        values = {"regret": regret, "random_regret": random_regret, "mean_reward": reward, "precision": precision}
        rows.append(row | {name: float(value) for name, value in values.items()} | {"kendall_tau": tau})
    return rows
