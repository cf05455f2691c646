"""Which students each reward prefers: the best one on a surrogate, and those that a search with it ends at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np
import pandas as pd

from lib.compression.dynamics import policy_dynamics
from lib.compression.layers import free
from lib.compression.optimum import best_student
from lib.compression.reward import additive, constrained_n2n, ddc, first_draft, n2n, second_draft
from lib.compression.surrogate import Reward, Surrogate

# The constraint of N2N is the one at the end of its horizon, when it is fully in force.
ALL_REWARDS: Mapping[str, Reward] = {
    "DDC": ddc,
    "additive": additive,
    "N2N": n2n,
    "N2N, constrained": partial(constrained_n2n, iteration=15, horizon=15),
    "first draft": first_draft,
    "second draft": second_draft,
}
BEST, END = "best student", "end of the search"


def preferences(
    surrogate: Surrogate, *, rewards: Iterable[str] = tuple(ALL_REWARDS), iterations: int = 100, seeds: int = 4
) -> pd.DataFrame:
    """Return by reward the best student of the `surrogate`, and what policies draw in the last tenth of a search.

    Columns: reward_name, what ("best student" or "end of the search", means of one seed), seed, a, t, c (ratios to the
    teacher), minimal (share of students that keep nothing). The searches of all rewards move side by side.
    """
    names, deciding, rows = list(rewards), free(surrogate.teacher), []
    for name in names:
        keep, _ = best_student(surrogate, ALL_REWARDS[name])
        rows.append((name, BEST, 0, *map(float, surrogate.metrics(keep)), float(not keep[deciding].any())))
    count = len(names) * seeds
    history, _ = policy_dynamics(surrogate, _by_block(names), iterations=iterations, seeds=count)
    last = history[history["iteration"] >= 0.9 * iterations].groupby("seed")
    means = last[["accuracy", "time", "parameters", "minimal"]].mean()
    rows += [(names[place // seeds], END, place % seeds, *means.loc[place]) for place in range(count)]
    return pd.DataFrame(rows, columns=["reward_name", "what", "seed", "a", "t", "c", "minimal"])


def _by_block(names: list[str]) -> Reward:
    """Return the reward that answers equal parts of the policies, the first axis, by one of `names` each."""

    def reward(a: np.ndarray, t: np.ndarray, c: np.ndarray) -> np.ndarray:
        parts = zip(names, *(np.split(ratio, len(names)) for ratio in (a, t, c)), strict=True)
        return np.concatenate([ALL_REWARDS[name](*ratios) for name, *ratios in parts])

    return reward
