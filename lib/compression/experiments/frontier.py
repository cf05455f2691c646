"""Moving the thresholds: which students the reward prefers, and the frontier of accuracy, time and size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.compression.experiments.methods import METHODS, UPDATE, Progress, judged_history
from lib.compression.optimum import PATH
from lib.compression.reward import Thresholds, ddc
from lib.compression.search import search
from lib.compression.students import StudentTrainer, Teacher

LADDER = PATH  # thresholds of accuracy, time and parameters, from the paper's to ever larger students


def label(at: Thresholds) -> str:
    """Return the thresholds as text: accuracy, time, parameters."""
    return f"{at.a:g}, {at.t:g}, {at.c:g}"


def preferred(history: pd.DataFrame, *, ladder: Sequence[Thresholds] = LADDER) -> pd.DataFrame:
    """Return, for each seed and thresholds, the student with the best reward among all that were trained.

    `history` holds the trained students of any searches; this is what a perfect search among them would return.
    Columns: thresholds, a_th, t_th, c_th, seed, a, t, c, reward.
    """
    trained = history[history["trained"] & history["a"].notna()]
    rows = []
    for at in ladder:
        values = trained.assign(value=ddc(trained["a"], trained["t"], trained["c"], at))
        for seed, some in values.groupby("seed"):
            best = some.loc[some["value"].idxmax()]
            rows.append(_row(at, int(seed), best))
    return pd.DataFrame(rows)


def searched(
    teachers: Sequence[Teacher],
    *,
    ladder: Sequence[Thresholds] = LADDER,
    iterations: int = 24,
    rollouts: int = 5,
    progress: Progress | None = None,
) -> dict[str, pd.DataFrame]:
    """Search anew for each of the thresholds and teachers: ``frontier`` as of `preferred`, and ``history``."""
    jobs = [(at, seed) for at in ladder for seed in range(len(teachers))]
    histories, rows = [], []
    for at, seed in jobs if progress is None else progress(jobs, "thresholds"):
        trainer = StudentTrainer(teachers[seed], METHODS["DDC"][1], seed=seed)
        found = search(
            teachers[seed].architecture,
            trainer,
            reward=lambda a, t, c, at=at: ddc(a, t, c, at),
            iterations=iterations,
            rollouts=rollouts,
            update=UPDATE,
            seed=seed,
        )
        histories.append(judged_history(found.history).assign(thresholds=label(at), seed=seed))
        best = found.history.loc[found.history["reward"].idxmax()]
        rows.append(_row(at, seed, best.rename({"reward": "value"})))
    return {"frontier": pd.DataFrame(rows), "history": pd.concat(histories, ignore_index=True)}


def pareto(history: pd.DataFrame) -> pd.DataFrame:
    """Return the trained students that no other one beats in accuracy and time, by rising time."""
    trained = history[history["trained"] & history["a"].notna()].sort_values(["t", "a"], ascending=[True, False])
    best = np.maximum.accumulate(trained["a"].to_numpy())
    first = np.concatenate([[True], best[1:] > best[:-1]])
    return trained[first]


def _row(at: Thresholds, seed: int, best: pd.Series) -> dict[str, float | str | int]:
    facts = {"thresholds": label(at), "a_th": at.a, "t_th": at.t, "c_th": at.c, "seed": seed, "reward": best["value"]}
    return facts | {name: float(best[name]) for name in ("a", "t", "c")}
