"""The policies that the regret experiments compare, by name, and the designs that runs on one pool share."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from lib.bslb.baselines.estc import estc, spread_design
from lib.bslb.baselines.explore_commit import popart_etc, ridge_etc, uniform_etc
from lib.bslb.baselines.greedy_lasso import greedy_lasso
from lib.bslb.baselines.lints import lints
from lib.bslb.baselines.linucb import linucb
from lib.bslb.baselines.oracle import oracle
from lib.bslb.baselines.random import random_pulls
from lib.bslb.baselines.thresholded_lasso import thresholded_lasso
from lib.bslb.bslb import bslb, default_subset_size, exploration_length
from lib.bslb.environments import Environment
from lib.bslb.metrics import final_regret, mean_reward, precision_at_T
from lib.bslb.policy import Run
from lib.bslb.subset import Design, good_subset

Progress = Callable[[Iterable, str], Iterable]


@dataclass(frozen=True)
class PoolDesigns:
    """Designs of one pool, computed when first asked for: they depend on the arms alone.

    Attributes:
        arms: the pool, shape ``(M, d)``.
        exploration: longest exploration that will draw from the subset.
        seed: seed of the rounding.
        iterations: solver iterations; few suffice on isotropic pools.
        u: size of the subset; default as in `bslb`.
        draws: draws of the rounding, of which the best is kept.
    """

    arms: np.ndarray
    exploration: int
    seed: int
    iterations: int = 3
    u: int | None = None
    draws: int = 1

    @property
    def used(self) -> bool:
        """Whether a design has been computed."""
        return bool({"subset", "spread"} & set(self.__dict__))

    @cached_property
    def subset(self) -> Design:
        """The well-covered subset that all BSLB runs on this pool explore."""
        size = default_subset_size(*self.arms.shape, self.exploration) if self.u is None else self.u
        rng = np.random.default_rng([self.seed, 301])
        return good_subset(self.arms.astype(np.float32), size, iterations=self.iterations, draws=self.draws, rng=rng)

    @cached_property
    def spread(self) -> tuple[np.ndarray, float]:
        """ESTC's design without a cap."""
        return spread_design(self.arms, iterations=self.iterations)


REFIT = 20  # pulls between two fits of the greedy and the thresholded Lasso
Method = Callable[[Environment, int, int, int, PoolDesigns], Run]


def _subset_method(policy: Callable[..., Run], **options) -> Method:
    return lambda env, T, k, seed, designs: policy(env, T, k, seed=seed, design=designs.subset, **options)


def _plain_method(policy: Callable[..., Run], **options) -> Method:
    return lambda env, T, k, seed, designs: policy(env, T, seed=seed, **options)


# The settings with the lowest median regret in `tuning.tune` at its default parameters; every method had three.
TUNED: dict[str, dict[str, float]] = {
    "BSLB": {"c_e": 1.0},
    "ridge ETC": {"c_e": 1.0},
    "uniform ETC": {"c_e": 1.0},
    "PopArt ETC": {"c_e": 2.0},
    "ESTC": {"c_e": 1.0},
    "LinUCB": {"alpha": 0.0, "penalty": 30.0},
    "LinTS": {"v": 0.01},
    "greedy Lasso": {"start": 10},
    "thresholded Lasso": {"lam0": 0.01},
}


def _tuned_estc(env: Environment, T: int, k: int, seed: int, designs: PoolDesigns) -> Run:
    length = exploration_length(k, T, **TUNED["ESTC"])
    return estc(env, T, k, seed=seed, exploration=length, design=designs.spread)


METHODS: dict[str, Method] = {
    "random": _plain_method(random_pulls),
    "BSLB (v1, c=1)": _subset_method(bslb),
    "BSLB (v1, c=2)": _subset_method(bslb, c_e=2.0),
    "BSLB (v2, c=1)": _subset_method(bslb, version="v2"),
    "ridge ETC": _subset_method(ridge_etc, **TUNED["ridge ETC"]),
    "uniform ETC": lambda env, T, k, seed, designs: uniform_etc(env, T, k, seed=seed, **TUNED["uniform ETC"]),
    "PopArt ETC": _subset_method(popart_etc, **TUNED["PopArt ETC"]),
    "ESTC": lambda env, T, k, seed, designs: estc(env, T, k, seed=seed, design=designs.spread),
    "ESTC (tuned length)": _tuned_estc,
    "LinUCB": _plain_method(linucb, **TUNED["LinUCB"]),
    "LinUCB (alpha=0)": _plain_method(linucb, **TUNED["LinUCB"] | {"alpha": 0.0}),
    "LinUCB (alpha=1)": _plain_method(linucb, **TUNED["LinUCB"] | {"alpha": 1.0}),
    "LinTS": _plain_method(lints, **TUNED["LinTS"]),
    "greedy Lasso": _plain_method(greedy_lasso, refit=REFIT, **TUNED["greedy Lasso"]),
    "thresholded Lasso": _plain_method(thresholded_lasso, refit=REFIT, **TUNED["thresholded Lasso"]),
    "oracle": _plain_method(oracle),
}
# Policies that refit as rewards come in and so need the expert at hand all the time; the others ask at most twice.
ADAPTIVE = tuple(name for name in METHODS if name.startswith("Lin") or name in ("greedy Lasso", "thresholded Lasso"))

DEFAULT_METHODS = tuple(name for name in METHODS if name not in ("LinUCB (alpha=0)", "LinUCB (alpha=1)", "oracle"))


def check_methods(methods: Sequence[str]) -> None:
    """Raise ValueError if `methods` names a policy that is not in `METHODS`."""
    unknown = sorted(set(methods) - set(METHODS))
    if unknown or not methods:
        raise ValueError(f"unknown methods {unknown}; choose from {', '.join(METHODS)}")


def feedback_batches(name: str, T: int) -> int:
    """Return how many times the expert is asked for a batch of labels by the method `name` over `T` pulls."""
    if name.startswith(("LinUCB", "LinTS")):
        return T
    if name in ("greedy Lasso", "thresholded Lasso"):
        start = TUNED[name].get("start", REFIT)
        return 1 + max(-(-(T - start) // REFIT), 0)
    return 1 if name in ("random", "oracle") else 2


def longest_exploration(ks: Iterable[int], T: int) -> int:
    """Return the longest exploration of an entry of `METHODS` that draws from the subset, at `ks` and `T` pulls."""
    lengths = [("v1", 2.0), ("v2", 1.0), *(("v1", TUNED[name]["c_e"]) for name in ("ridge ETC", "PopArt ETC"))]
    return max(exploration_length(k, T, version=version, c_e=c_e) for k in ks for version, c_e in lengths)


def track(items: Iterable, label: str, progress: Progress | None) -> Iterable:
    """Return `items`, wrapped by `progress` if there is one."""
    return items if progress is None else progress(items, label)


def outcome(env: Environment, run: Run, **columns) -> pd.DataFrame:
    """Return one row a replicate: `columns`, replicate, explored_pulls, regret, mean_reward, precision_at_T."""
    return pd.DataFrame(
        {
            **{name: [value] * len(env.means) for name, value in columns.items()},
            "replicate": np.arange(len(env.means)),
            "explored_pulls": run.explored,
            "regret": final_regret(env, run),
            "mean_reward": mean_reward(env, run),
            "precision_at_T": precision_at_T(env, run),
        }
    )
