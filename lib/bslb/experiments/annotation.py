"""Annotation experiments: label the hard points and see what a small classifier gains from them."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from lib.bslb.annotation import (
    AnnotationTask,
    annotation_design,
    choose,
    digits_points,
    evaluate,
    expert,
    split_task,
)

Progress = Callable[[Iterable, str], Iterable]
# Their first labels do not depend on how many follow, so one run at the largest budget serves all budgets.
NESTED = ("random", "margin", "entropy", "k_center", "full_data_linear", "difficulty_oracle")
DIGITS_POLICIES = ("random", "bslb", "uniform_etc", "margin", "k_center", "typicality", "difficulty_oracle", "all")


def choices(
    task: AnnotationTask, policies: Sequence[str], budgets: Sequence[int], *, seed: int, noise: float, **options
) -> dict[tuple[str, int], np.ndarray]:
    """Return the points that each policy labels within each budget; `options` are those of `bslb`."""
    env = expert(task, noise=noise, seed=seed)
    design = annotation_design(task, max(budgets), seed=seed) if "bslb" in policies else None
    chosen = {}
    for policy in policies:
        if policy in NESTED:
            order = choose(task, policy, max(budgets), seed=seed, env=env)
            chosen |= {(policy, T): order[:T] for T in budgets}
        elif policy == "all":
            chosen |= {(policy, T): np.arange(len(task.labels)) for T in budgets}
        else:
            for T in budgets:
                chosen[policy, T] = choose(task, policy, T, seed=seed, env=env, design=design, **options)
    return chosen


def rows_of(task: AnnotationTask, chosen: dict[tuple[str, int], np.ndarray], *, seed: int) -> list[dict]:
    """Return one table row for each policy and budget in `chosen`."""
    rows, everything = [], None
    for (policy, T), points in chosen.items():
        found = evaluate(task, points) if policy != "all" or everything is None else everything
        if policy == "all":
            # Nothing is chosen, so what measures the choice does not apply.
            everything = found | {"mean_difficulty": np.nan, "regret": np.nan, "random_regret": np.nan}
            found = everything
        rows.append({"task": task.name, "policy": policy, "T": T, "seed": seed} | found)
    return rows


def annotation_digits(
    *,
    classes: Sequence[int | str] = (8, 1, 3),
    budgets: Sequence[int] = (60, 100),
    seeds: int = 10,
    seed: int = 0,
    noise: float = 0.2,
    policies: Sequence[str] = DIGITS_POLICIES,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Label handwritten digits under a budget, one-vs-rest, and test the classifier on hard and easy digits.

    The difficulty of a digit is how badly small classifiers predict it (`model_difficulty`); 67 % of the digits form
    the pool. A policy chooses `T` points; the bandits also get a noisy difficulty rating of each point they label. The
    classifier is a logistic regression on the labels bought. Margin sampling may refit a reliable model between labels,
    the bandit asks the expert in two batches. Companion's reconstruction of the paper's annotation protocol.

    Args:
        classes: digits to tell from the rest; also ``"digits"`` (ten classes) and ``"parity"``.
        budgets: numbers of labels T.
        seeds: number of replicates: split, expert noise and policy are drawn anew.
        seed: first seed; replicate i uses ``seed + i``.
        noise: standard deviation of the expert's rating, in standard deviations of the difficulty.
        policies: names out of `lib.bslb.annotation.POLICIES`.
        progress: wraps the outer loop.

    Returns:
        One row a task, policy, T and seed: task, policy, T, seed, mean_difficulty, regret and random_regret (standard
        deviations of the difficulty, regrets summed over T), hard_accuracy, easy_accuracy, hard_accuracy_balanced,
        easy_accuracy_balanced, positive_fraction.
    """
    rows = []
    jobs = [(task, replicate) for task in classes for replicate in range(seed, seed + seeds)]
    prepared = {task: digits_points(task, seed=seed) for task in classes}
    for task, replicate in progress(jobs, "digits") if progress else jobs:
        split = split_task(prepared[task], seed=replicate)
        rows += rows_of(split, choices(split, policies, budgets, seed=replicate, noise=noise), seed=replicate)
    return pd.DataFrame(rows)


def annotation_counterexamples(
    *,
    budgets: Sequence[int] = (60, 100),
    seeds: int = 10,
    seed: int = 0,
    noise: float = 0.2,
    policies: Sequence[str] = ("random", "bslb", "uniform_etc", "margin", "entropy", "difficulty_oracle", "all"),
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Run `annotation_digits` where the classes are balanced: ten digits, and even or odd.

    With few labels and balanced classes hard points are the wrong ones to buy (the regime dependence that Sorscher et
    al., arXiv 2206.14486, describe): even the difficulty oracle loses to random labels. Columns as `annotation_digits`;
    `positive_fraction` counts label 1.
    """
    return annotation_digits(
        classes=("digits", "parity"), budgets=budgets, seeds=seeds, seed=seed, noise=noise, policies=policies,
        progress=progress,
    )  # fmt: skip
