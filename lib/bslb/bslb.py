"""BSLB: explore a well-covered subset of the arms, fit a Lasso, commit to the best arms that are left."""

from functools import partial

import numpy as np

from lib.bslb.environments import Environment
from lib.bslb.policy import Run, check_problem, explore_then_commit, replicate_rngs
from lib.bslb.regression import ESTIMATORS, estimate
from lib.bslb.subset import Design, good_subset

VERSIONS = ("v1", "v2")
_DESIGN = 201  # stream of the design, which is computed once for all replicates


def exploration_length(k: int, T: int, *, version: str = "v1", c_e: float = 1.0) -> int:
    """Return the number of exploration pulls, an integer in [5, 0.9 T].

    The first version of the paper needs ``c_e k^(1/3) T^(2/3)``, the second ``c_e k^(2/3) T^(2/3)``. Companion's
    reconstruction: these are the lengths that balance exploration and error to the published rates of arXiv 2410.20041.

    Args:
        k: sparsity.
        T: number of pulls.
        version: "v1" or "v2".
        c_e: constant factor.

    Raises:
        ValueError: for an unknown version, or if `k`, `T` or `c_e` is not positive.
    """
    if version not in VERSIONS:
        raise ValueError(f"version must be one of {VERSIONS}, got {version!r}")
    if k < 1 or T < 1 or not c_e > 0:
        raise ValueError(f"k, T and c_e must be positive, got k={k}, T={T}, c_e={c_e}")
    length = c_e * k ** ((1 if version == "v1" else 2) / 3) * T ** (2 / 3)
    return int(min(max(round(length), 5), max(int(0.9 * T), 1)))


def bslb(
    env: Environment,
    T: int,
    k: int,
    *,
    seed: int,
    version: str = "v1",
    c_e: float = 1.0,
    c_l: float = 1.5,
    u: int | None = None,
    explore: str = "subset",
    exploration: int | None = None,
    estimator: str = "lasso",
    refit: int | None = None,
    solver: str = "fw",
    iterations: int = 100,
    design: Design | None = None,
    intercept: bool = False,
) -> Run:
    """Run blocked sparse linear bandits (BSLB) on all replicates of `env`.

    Explore-then-commit on a well-covered subset follows arXiv 2410.20041; all constants are the companion's
    reconstruction. Expert feedback is needed twice only: after exploration and at the end.

    Args:
        env: the environment; replicates share the subset, which depends on the arms alone.
        T: number of pulls.
        k: sparsity that sets the exploration length.
        seed: seed of design, exploration and tie-breaking.
        version: whose exploration length, "v1" or "v2".
        c_e: factor on the exploration length.
        c_l: factor on the Lasso penalty.
        u: size of the subset; default ``min(M, 3 d)``, raised to the exploration length.
        explore: "subset", or "uniform" for arms drawn from the whole pool (the ablation).
        exploration: exploration length that overrides `version` and `c_e`.
        estimator: one of `regression.ESTIMATORS`.
        refit: fit again after every `refit` exploit pulls; None never does.
        solver: design solver of `good_subset`.
        iterations: iterations of that solver.
        design: a design computed before for the same arms, to be shared by many runs.
        intercept: fit an intercept, for rewards whose level is far from zero; arms are ranked without it.

    Returns:
        A `Run` with `explored` the exploration length.

    Raises:
        ValueError: if T exceeds M, k exceeds d, an option is unknown, or the subset is smaller than the exploration.
    """
    check_problem(env, T, k=k)
    if explore not in ("subset", "uniform"):
        raise ValueError(f'explore must be "subset" or "uniform", got {explore!r}')
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator must be one of {ESTIMATORS}, got {estimator!r}")
    length = exploration_length(k, T, version=version, c_e=c_e) if exploration is None else exploration
    if not 1 <= length <= T:
        raise ValueError(f"exploration = {length} must lie between 1 and T = {T}; lower it or raise T")
    M = len(env.arms)
    subset = np.arange(M) if explore == "uniform" else _subset(env, length, u, seed, solver, iterations, design)
    rngs = replicate_rngs(env, seed)
    first = np.stack([rng.permutation(subset)[:length] for rng in rngs])
    covariance = env.arms[subset].T @ env.arms[subset] / len(subset) if estimator == "popart" else None
    fit = partial(estimate, estimator=estimator, sigma=env.sigma, c_l=c_l, covariance=covariance, intercept=intercept)
    return explore_then_commit(env, T, first, fit, rngs, refit=refit)


def default_subset_size(M: int, d: int, exploration: int) -> int:
    """Return ``min(M, 3 d)``, but never less than the exploration that draws from it without replacement."""
    return max(min(M, 3 * d), exploration)


def _subset(env, length, u, seed, solver, iterations, design) -> np.ndarray:
    if design is None:
        size = max(default_subset_size(*env.arms.shape, length) if u is None else u, length)
        rng = np.random.default_rng([seed, 0, _DESIGN])
        design = good_subset(env.arms, size, solver=solver, iterations=iterations, rng=rng)
    if len(design.subset) < length:
        raise ValueError(
            f"the design's subset has {len(design.subset)} arms but exploration needs {length}; raise u or lower c_e"
        )
    return design.subset
