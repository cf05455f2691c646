"""How the policy moves on a surrogate: rewards, ways of updating, transfer; many seeds, no training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lib.compression.dynamics import iterations_to, policy_dynamics
from lib.compression.experiments.statements import small_surrogate
from lib.compression.layers import free
from lib.compression.optimum import every_student
from lib.compression.policy import Update
from lib.compression.reward import additive, ddc, n2n
from lib.compression.surrogate import Reward, Surrogate
from lib.compression.theory_gradient import gradient_ascent, plateau

Progress = Callable[[Iterable[Any], str], Iterable[Any]]
REWARDS: Mapping[str, Reward] = {"DDC": ddc, "N2N": n2n, "additive": additive}
UPDATES: Mapping[str, Update] = {
    "own advantage": Update(),
    "shared advantage": Update(shared=True),
    "released code": Update.released(),
}


def dynamics(
    surrogate: Surrogate,
    *,
    rewards: Iterable[str] = ("DDC", "N2N"),
    updates: Iterable[str] = tuple(UPDATES),
    iterations: int = 100,
    seeds: int = 8,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the history of every reward under every way of updating, with columns reward_name and update in front.

    Column ``share`` is the mean reward over that of the smallest network, column `minimal` the share of the students
    that are the smallest network.
    """
    unknown = (set(rewards) - set(REWARDS)) | (set(updates) - set(UPDATES))
    if unknown:
        raise ValueError(f"no {min(unknown)!r}: choose rewards from {', '.join(REWARDS)}, updates {', '.join(UPDATES)}")
    jobs = [(reward, update) for reward in rewards for update in updates]
    parts = []
    for reward, update in jobs if progress is None else progress(jobs, "dynamics"):
        history, _ = policy_dynamics(
            surrogate, REWARDS[reward], update=UPDATES[update], iterations=iterations, seeds=seeds
        )
        least = smallest(surrogate, REWARDS[reward])
        parts.append(history.assign(reward_name=reward, update=update, share=history["reward"] / least))
    return pd.concat(parts, ignore_index=True)


def transfer_dynamics(
    surrogate: Surrogate,
    *,
    top: float = 1.0,
    low: float = 0.95,
    update: Update = UPDATES["own advantage"],
    iterations: int = 100,
    seeds: int = 8,
) -> pd.DataFrame:
    """Search on all classes, then on an easier subset with the learned and with fresh policies (P6).

    `top` and `low` are the subset's accuracy ratios. Column ``arm`` is "transfer" or "scratch", `share` as in
    `dynamics`.
    """
    _, policies = policy_dynamics(surrogate, ddc, update=update, iterations=iterations, seeds=seeds)
    easier = surrogate.subset(top=top, low=low)
    least = smallest(easier, ddc)
    parts = []
    for arm, start in (("transfer", policies), ("scratch", None)):
        options = {"update": update, "iterations": iterations, "seeds": seeds, "start": start, "seed": 1}
        history, _ = policy_dynamics(easier, ddc, **options)
        parts.append(history.assign(arm=arm, share=history["reward"] / least))
    return pd.concat(parts, ignore_index=True)


def speed(history: pd.DataFrame, *, by: list[str], level: float = 0.9) -> pd.DataFrame:
    """Return for each group of `by` and seed the iterations to `level` of the smallest network's reward, and the end.

    Columns: `by`, seed, iterations (infinity if never), final (mean share over the last tenth), minimal (share of
    smallest networks there).
    """
    rows = []
    for key, group in history.groupby(by, sort=False):
        reached = iterations_to(group, level, column="share")
        end = group[group["iteration"] >= 0.9 * (group["iteration"].max() + 1)].groupby("seed")
        for seed in reached.index:
            facts = dict(zip(by, key, strict=True)) | {"seed": seed, "iterations": reached[seed]}
            rows.append(facts | {"final": end["share"].mean()[seed], "minimal": end["minimal"].mean()[seed]})
    return pd.DataFrame(rows)


def exact_learning(surrogate: Surrogate | None = None, *, steps: int = 120, rate: float = 8.0) -> pd.DataFrame:
    """Return learning curves along the exact gradient, without noise, on a network small enough to enumerate (P5).

    Without `surrogate`, that of `lib.compression.experiments.statements.small_surrogate`.

    The step is `rate` over the largest reward, so that rewards of different scale are comparable. Columns reward_name,
    step, reward, share (of the largest reward), plateau (first rise over steepest rise of the curve).
    """
    surrogate = small_surrogate() if surrogate is None else surrogate
    keep, parts = every_student(surrogate), []
    for name, reward in REWARDS.items():
        found = surrogate.rewards(keep, reward)
        curve, _ = gradient_ascent(found, steps=steps, rate=rate / found.max())
        columns = {"step": np.arange(steps + 1), "reward": curve, "share": curve / found.max()}
        parts.append(pd.DataFrame({"reward_name": name} | columns | {"plateau": plateau(curve)}))
    return pd.concat(parts, ignore_index=True)


def smallest(surrogate: Surrogate, reward: Reward) -> float:
    """Return the noiseless reward of the smallest network."""
    return float(surrogate.rewards(~free(surrogate.teacher), reward))


def first_rewards(surrogate: Surrogate, *, students: int = 20_000, seed: int = 0) -> pd.DataFrame:
    """Return what a fresh policy (every layer kept with probability 1/2) sees, next to the smallest network (P5).

    Columns reward_name, fresh (mean over `students` valid or not), spread (standard deviation), smallest, ratio.
    """
    rng, deciding = np.random.default_rng(seed), free(surrogate.teacher)
    keep = (rng.random((students, len(deciding))) < 0.5) | ~deciding
    rows = []
    for name, reward in REWARDS.items():
        found = surrogate.rewards(keep, reward)
        least = smallest(surrogate, reward)
        rows.append((name, found.mean(), found.std(), least, least / found.mean()))
    return pd.DataFrame(rows, columns=["reward_name", "fresh", "spread", "smallest", "ratio"])
