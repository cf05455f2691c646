"""The same small search over settings for every policy that has one, on seeds that no other experiment uses."""

import pandas as pd

from lib.bslb.baselines.estc import estc
from lib.bslb.baselines.explore_commit import popart_etc, ridge_etc, uniform_etc
from lib.bslb.baselines.greedy_lasso import greedy_lasso
from lib.bslb.baselines.lints import lints
from lib.bslb.baselines.linucb import linucb
from lib.bslb.baselines.thresholded_lasso import thresholded_lasso
from lib.bslb.bslb import bslb, exploration_length
from lib.bslb.environments import Environment, soft_sparse_environment, uniform_pool
from lib.bslb.experiments.checks import check_setting
from lib.bslb.experiments.methods import REFIT, PoolDesigns, Progress, outcome, track
from lib.bslb.policy import Run

# Three settings a method; a length factor of None is the length that the method's own paper asks for.
GRID: dict[str, tuple[dict[str, float | None], ...]] = {
    "BSLB": tuple({"c_e": c} for c in (0.5, 1.0, 2.0)),
    "ridge ETC": tuple({"c_e": c} for c in (0.5, 1.0, 2.0)),
    "uniform ETC": tuple({"c_e": c} for c in (0.5, 1.0, 2.0)),
    "PopArt ETC": tuple({"c_e": c} for c in (1.0, 2.0, 4.0)),
    "ESTC": tuple({"c_e": c} for c in (None, 1.0, 2.0)),
    "LinUCB": tuple({"alpha": a, "penalty": p} for a, p in ((0.1, 1.0), (0.0, 30.0), (0.1, 30.0))),
    "LinTS": tuple({"v": v} for v in (0.3, 0.1, 0.01)),
    "greedy Lasso": tuple({"start": n} for n in (10, 20, 40)),
    "thresholded Lasso": tuple({"lam0": x} for x in (0.01, 0.02, 0.05)),
}
_SHARED = {"BSLB": bslb, "ridge ETC": ridge_etc, "PopArt ETC": popart_etc}
_PLAIN = {"LinUCB": linucb, "LinTS": lints}
_REFITTED = {"greedy Lasso": greedy_lasso, "thresholded Lasso": thresholded_lasso}


def tune(
    *,
    T: int = 300,
    arms: int = 4000,
    d: int = 400,
    k: int = 5,
    sigma: float = 0.3,
    replicates: int = 4,
    seed: int = 10_000,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the regret of every method of `GRID` at each of its settings, three for each method.

    `methods.TUNED` holds the winners at the default parameters. The pool, the parameters and the noise come from a
    seed that no other experiment uses, so that no comparison is made on what the settings were chosen on.

    Args:
        T: number of pulls.
        arms: number of arms M.
        d: dimension.
        k: sparsity.
        sigma: standard deviation of the reward noise.
        replicates: parameters and noises on one pool.
        seed: seed of everything.
        progress: wraps the loop over methods.

    Returns:
        One row a (method, setting, replicate): method, setting, replicate, regret, best (whether the setting has the
        lowest median regret of its method).
    """
    check_setting(T=T, arms=arms, d=d, ks=(k,), replicates=replicates)
    pool = uniform_pool(arms, d, seed=seed)
    env = soft_sparse_environment(arms=pool, d=d, k=k, sigma=sigma, replicates=replicates, seed=seed)
    longest = max(exploration_length(k, T, c_e=options["c_e"] or 1.0) for m in _SHARED for options in GRID[m])
    designs = PoolDesigns(pool, longest, seed)
    tables = []
    for method in track(list(GRID), "tuning", progress):
        for options in GRID[method]:
            run = _play(method, env, T, k, seed, designs, options)
            tables.append(outcome(env, run, method=method, setting=describe(options)))
    table = pd.concat(tables, ignore_index=True)[["method", "setting", "replicate", "regret"]]
    medians = table.groupby(["method", "setting"])["regret"].transform("median")
    return table.assign(best=medians == medians.groupby(table["method"]).transform("min"))


def describe(options: dict[str, float | None]) -> str:
    """Return the setting in words, such as "alpha=0, penalty=30"."""
    if options.get("c_e", 0) is None:
        return "length as published"
    return ", ".join(f"{name}={value:g}" for name, value in options.items())


def _play(
    method: str, env: Environment, T: int, k: int, seed: int, designs: PoolDesigns, options: dict[str, float | None]
) -> Run:
    if method in _SHARED:
        return _SHARED[method](env, T, k, seed=seed, design=designs.subset, **options)
    if method in _PLAIN:
        return _PLAIN[method](env, T, seed=seed, **options)
    if method in _REFITTED:
        return _REFITTED[method](env, T, seed=seed, refit=REFIT, **options)
    if method == "uniform ETC":
        return uniform_etc(env, T, k, seed=seed, **options)
    c_e = options["c_e"]
    length = None if c_e is None else exploration_length(k, T, c_e=c_e)
    return estc(env, T, k, seed=seed, exploration=length, design=designs.spread)
