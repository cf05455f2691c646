"""The search: draw students from the policy, evaluate them, learn from their rewards (the paper's algorithm)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from lib.compression import layers
from lib.compression.policy import Baseline, Policy, Update, advantages, learn, new_policy, sample
from lib.compression.reward import INVALID, ddc

# Metrics of one student: at least `a`, `t`, `c` (accuracy, time, parameters over the teacher's); more are kept in the
# history. An evaluator takes decisions ``(n, places)`` on valid students and returns one row of metrics for each.
Metrics = dict[str, float]
Evaluate = Callable[[np.ndarray], Sequence[Metrics]]
Reward = Callable[[Any, Any, Any], Any]
PAPER = Update()


@dataclass(frozen=True)
class Found:
    """Outcome of a search: one row a sampled student, the best student, and the policy that was learned.

    `history` has columns iteration, sample, reward, valid, trained (False where the cache answered), minimal, kept
    (share of free leaves), key, and the evaluator's metrics; `keep` are the decisions of the best-rewarded student.
    """

    history: pd.DataFrame
    keep: np.ndarray
    policy: Policy | None

    @property
    def trainings(self) -> int:
        """Return how many students were trained."""
        return int(self.history["trained"].sum())


class Evaluator:
    """Answers decisions with metrics, asking `evaluate` for valid students that are not in `cache` only.

    Without `cached`, every valid student is evaluated as often as it is drawn, as in the authors' code. `smaller` is
    that of `lib.compression.layers.invalid`.
    """

    def __init__(
        self, teacher: layers.Architecture, evaluate: Evaluate, *, cached: bool = True, smaller: bool = True
    ) -> None:
        self.teacher, self.evaluate, self.cached, self.smaller = teacher, evaluate, cached, smaller
        self.forced = ~layers.free(teacher)
        self.cache: dict[bytes, Metrics] = {}

    def __call__(self, actions: np.ndarray) -> list[dict[str, Any]]:
        """Return one row a row of `actions`: key, valid, trained, kept, minimal, and the metrics of valid ones."""
        keeps = np.asarray(actions, dtype=bool) | self.forced
        keys = [np.packbits(keep).tobytes() for keep in keeps]
        students = [layers.student(self.teacher, keep) for keep in keeps]
        valid = [layers.invalid(each, self.teacher, smaller=self.smaller) is None for each in students]
        ask, seen = [], set(self.cache) if self.cached else set()
        for i, key in enumerate(keys):
            if valid[i] and key not in seen:
                ask.append(i)
                if self.cached:
                    seen.add(key)
        answers = dict(zip(ask, self.evaluate(keeps[ask]), strict=True)) if ask else {}
        self.cache |= {keys[i]: answers[i] for i in ask}
        rows = []
        for i, key in enumerate(keys):
            kept = keeps[i][~self.forced]
            facts = {"key": key.hex(), "valid": valid[i], "trained": i in answers, "kept": kept.mean()}
            facts |= {"minimal": not kept.any()}
            rows.append(facts | (answers.get(i, self.cache.get(key, {})) if valid[i] else {}))
        return rows


def rewards_of(rows: Sequence[dict[str, Any]], reward: Reward) -> np.ndarray:
    """Return the reward of each row, `INVALID` where the student was rejected."""
    return np.array([float(reward(row["a"], row["t"], row["c"])) if row["valid"] else INVALID for row in rows])


def search(
    teacher: layers.Architecture,
    evaluate: Evaluate,
    *,
    reward: Reward = ddc,
    iterations: int = 100,
    rollouts: int = 5,
    update: Update = PAPER,
    policy: Policy | None = None,
    cached: bool = True,
    seed: int = 0,
    progress: Callable[[Iterable[int], str], Iterable[int]] | None = None,
    stop: Callable[[pd.DataFrame], bool] | None = None,
) -> Found:
    """Search for the student with the best reward by REINFORCE (the paper's pseudocode, specification 3.8).

    Args:
        teacher: Architecture whose leaves are kept or removed.
        evaluate: Trains and measures students.
        reward: Function of a, t and c.
        iterations: Updates of the policy.
        rollouts: Students drawn in each.
        update: How the policy learns.
        policy: A policy to continue with (transfer); it is copied. A fresh one if None.
        cached: Whether a student that was evaluated before is not trained again.
        seed: Seed of the fresh policy and of the draws.
        progress: Wraps the iterations.
        stop: Called with the history after each iteration; the search ends early when it says True.
    """
    if iterations < 1 or rollouts < 1:
        raise ValueError(f"{iterations} iterations of {rollouts} rollouts: both must be at least 1")
    learner = new_policy(seed=seed)
    if policy is not None:
        learner.load_state_dict(policy.state_dict())
    optimizer = torch.optim.Adam(learner.parameters(), lr=update.lr)
    inputs, free = torch.as_tensor(layers.features(teacher)), layers.free(teacher)
    rng, baseline = np.random.default_rng(seed), Baseline(update.baseline)
    ask, rows, drawn = Evaluator(teacher, evaluate, cached=cached), [], []
    steps = range(iterations) if progress is None else progress(range(iterations), "search")
    for iteration in steps:
        actions = sample(learner(inputs), rollouts, rng)
        answers = ask(actions)
        rewards = rewards_of(answers, reward)
        weights = advantages(rewards, baseline.value(rewards), shared=update.shared)
        learn(learner, optimizer, inputs, free, actions, weights, each=update.each)
        baseline.observe(rewards)
        drawn.append(actions)
        for place, (answer, value) in enumerate(zip(answers, rewards, strict=True)):
            rows.append({"iteration": iteration, "sample": place, "reward": value} | answer)
        if stop is not None and stop(pd.DataFrame(rows)):
            break
    return _found(rows, np.concatenate(drawn), free, learner)


def random_search(
    teacher: layers.Architecture,
    evaluate: Evaluate,
    *,
    reward: Reward = ddc,
    trainings: int,
    rollouts: int = 5,
    keep: float | None = 0.5,
    seed: int = 0,
    most: int = 10_000,
    stop: Callable[[pd.DataFrame], bool] | None = None,
) -> Found:
    """Draw students without learning until `trainings` different ones were evaluated; the best by `reward` is kept.

    Each free leaf is kept with probability `keep`, or with one drawn anew for each student from [0, 1] if None, which
    covers all sizes. Gives up after `most` draws, or when `stop` says True of the history.
    """
    rng, free = np.random.default_rng(seed), layers.free(teacher)
    ask, rows, drawn = Evaluator(teacher, evaluate), [], []
    while len(ask.cache) < trainings and len(rows) < most:
        count = min(rollouts, trainings - len(ask.cache))
        share = rng.random((count, 1)) if keep is None else keep
        actions = rng.random((count, len(free))) < share
        answers = ask(actions)
        for place, (answer, value) in enumerate(zip(answers, rewards_of(answers, reward), strict=True)):
            rows.append({"iteration": len(drawn), "sample": place, "reward": value} | answer)
        drawn.append(actions)
        if stop is not None and stop(pd.DataFrame(rows)):
            break
    return _found(rows, np.concatenate(drawn), free, None)


def decisions(key: str, teacher: layers.Architecture) -> np.ndarray:
    """Return the decisions ``(places,)`` that `key` of a history stands for."""
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(key), dtype=np.uint8))
    return bits[: len(layers.places(teacher))].astype(bool)


def best(history: pd.DataFrame, teacher: layers.Architecture, *, iterations: int | None = None) -> np.ndarray:
    """Return the decisions with the best reward among the students of the first `iterations` (all if None)."""
    rows = history if iterations is None else history[history["iteration"] < iterations]
    return decisions(rows.loc[rows["reward"].idxmax(), "key"], teacher)


def _found(rows: list[dict[str, Any]], drawn: np.ndarray, free: np.ndarray, policy: Policy | None) -> Found:
    history = pd.DataFrame(rows)
    return Found(history, drawn[int(history["reward"].to_numpy().argmax())] | ~free, policy)
