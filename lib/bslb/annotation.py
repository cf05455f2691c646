"""Annotation under a budget: which points to label, and how good a small classifier they make."""

from dataclasses import dataclass

import numpy as np

from lib.bslb.active import k_center, typicality, uncertainty
from lib.bslb.bslb import bslb, default_subset_size
from lib.bslb.ceiling import linear_ceiling
from lib.bslb.difficulty import classifier, model_difficulty, thirds
from lib.bslb.environments import Environment, make_environment
from lib.bslb.subset import Design, good_subset

BANDITS = ("bslb", "uniform_etc")
ACTIVE = ("margin", "entropy", "k_center", "typicality")
POLICIES = ("random", *BANDITS, *ACTIVE, "full_data_linear", "difficulty_oracle", "all")


@dataclass(frozen=True)
class AnnotationTask:
    """A pool to annotate and a validation set to judge the classifier on.

    Attributes:
        name: what the labels mean.
        arms: features that the bandit and the geometric policies see, standardised, shape ``(M, d)``.
        inputs: features that the classifier sees, shape ``(M, p)``; often the same array as `arms`.
        difficulty: what the expert's rating measures, shape ``(M,)``.
        labels: integer classes, shape ``(M,)``.
        valid_inputs: features of the validation points, shape ``(n, p)``.
        valid_labels: their classes, shape ``(n,)``.
        hard: mask of the hardest third of the validation points, shape ``(n,)``.
        easy: mask of the easiest third, shape ``(n,)``.
    """

    name: str
    arms: np.ndarray
    inputs: np.ndarray
    difficulty: np.ndarray
    labels: np.ndarray
    valid_inputs: np.ndarray
    valid_labels: np.ndarray
    hard: np.ndarray
    easy: np.ndarray


@dataclass(frozen=True)
class LabelledPoints:
    """A whole labelled data set before it is split: see `AnnotationTask` for `arms`, `inputs` and `difficulty`."""

    name: str
    arms: np.ndarray
    inputs: np.ndarray
    difficulty: np.ndarray
    labels: np.ndarray


def standardise(features: np.ndarray) -> np.ndarray:
    """Return `features` (n, d) with constant columns dropped and the rest scaled to mean 0, standard deviation 1."""
    scale = features.std(axis=0)
    kept = scale > 1e-12 * max(1.0, float(np.abs(features).max()))
    return (features[:, kept] - features[:, kept].mean(axis=0)) / scale[kept]


def split_task(points: LabelledPoints, *, pool: float = 0.67, seed: int) -> AnnotationTask:
    """Return the task with a random fraction `pool` of the points to annotate and the others for validation."""
    order = np.random.default_rng([seed, 301]).permutation(len(points.labels))
    cut = round(pool * len(order))
    rows, held = order[:cut], order[cut:]
    hard, easy = thirds(points.difficulty[held])
    return AnnotationTask(
        points.name,
        points.arms[rows],
        points.inputs[rows],
        points.difficulty[rows],
        points.labels[rows],
        points.inputs[held],
        points.labels[held],
        hard,
        easy,
    )


def digits_labels(task: int | str, digits: np.ndarray) -> tuple[str, np.ndarray]:
    """Return the task's name and labels (n,): a digit for one-vs-rest, ``"digits"`` for ten classes, ``"parity"``."""
    if task == "digits":
        return "10 digits", digits
    if task == "parity":
        return "even or odd", digits % 2
    if task in range(10):
        return f"digit {task} or not", (digits == task).astype(int)
    raise ValueError(f'unknown digits task {task!r}; pass a digit 0-9, "digits" or "parity"')


def expert(task: AnnotationTask, *, noise: float, seed: int) -> Environment:
    """Return the bandit environment in which a pull of a point returns its difficulty plus Gaussian `noise`.

    Without noise the learner has to estimate the scale of what its linear model misses.
    """
    return make_environment(task.arms, task.difficulty[None], sigma=noise, sigma_known=noise > 0, seed=seed)


def choose(
    task: AnnotationTask,
    policy: str,
    T: int,
    *,
    seed: int,
    env: Environment,
    design: Design | None = None,
    k: int = 10,
    **options,
) -> np.ndarray:
    """Return the points that `policy` has labelled, in order, shape ``(T,)``.

    Args:
        task: the annotation task.
        policy: one of `POLICIES` but ``all``.
        T: number of labels.
        seed: seed of the policy.
        env: the expert, from `expert`; of the others only ``full_data_linear`` and the oracle look at the difficulty.
        design: the well-covered subset of the arms that ``bslb`` explores, computed by the caller once for all T.
        k: sparsity handed to the bandits.
        **options: further options of `bslb`; half of the pulls explore unless `exploration` says otherwise.
    """
    if policy == "random":
        return np.random.default_rng([seed, 302]).permutation(len(task.arms))[:T]
    if policy in BANDITS:
        settings = {"exploration": T // 2, "intercept": True} | options
        explore = {"explore": "subset", "design": design} if policy == "bslb" else {"explore": "uniform"}
        return bslb(env, T, min(k, task.arms.shape[1]), seed=seed, **explore, **settings).order[0]
    if policy in ("margin", "entropy"):
        return uncertainty(task.inputs, task.labels, T, seed=seed, score=policy)
    if policy == "k_center":
        return k_center(task.arms, T, seed=seed)
    if policy == "typicality":
        return typicality(task.arms, T, seed=seed)
    if policy == "full_data_linear":
        return np.argsort(-linear_ceiling(env, seed=seed)[0], kind="stable")[:T]
    if policy == "difficulty_oracle":
        return np.argsort(-task.difficulty, kind="stable")[:T]
    raise ValueError(f"unknown policy {policy!r}; choose one of {', '.join(POLICIES)}")


def annotation_design(task: AnnotationTask, T: int, *, iterations: int = 60, seed: int) -> Design:
    """Return the well-covered subset of the task's arms from which up to half of `T` labels explore.

    Its size is ``min(M, 3 d)``, or T/2 if that is more.
    """
    size = default_subset_size(*task.arms.shape, T // 2)
    return good_subset(task.arms, size, iterations=iterations, rng=np.random.default_rng([seed, 303]))


def evaluate(task: AnnotationTask, chosen: np.ndarray) -> dict[str, float]:
    """Return how the classifier trained on the `chosen` points does, and what was chosen.

    Keys: `mean_difficulty` of the chosen points, `regret` against the hardest points of the same number (units of the
    difficulty), `random_regret` (the expected regret of random labels, exact), `hard_accuracy` and `easy_accuracy` on
    the validation thirds, the same as `..._balanced` (mean recall over the classes present), and `positive_fraction`,
    the share of label 1. Where all labels are of one class the classifier answers that class.
    """
    labels = task.labels[chosen]
    if len(np.unique(labels)) == 1:
        answers = np.full(len(task.valid_labels), labels[0])
    else:
        answers = classifier().fit(task.inputs[chosen], labels).predict(task.valid_inputs)
    best = -np.partition(-task.difficulty, len(chosen) - 1)[: len(chosen)]
    right = answers == task.valid_labels
    return {
        "mean_difficulty": float(task.difficulty[chosen].mean()),
        "regret": float(best.sum() - task.difficulty[chosen].sum()),
        "random_regret": float(best.sum() - len(chosen) * task.difficulty.mean()),
        "hard_accuracy": float(right[task.hard].mean()),
        "easy_accuracy": float(right[task.easy].mean()),
        "hard_accuracy_balanced": _balanced(right[task.hard], task.valid_labels[task.hard]),
        "easy_accuracy_balanced": _balanced(right[task.easy], task.valid_labels[task.easy]),
        "positive_fraction": float((labels == 1).mean()),
    }


def _balanced(right: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean([right[labels == value].mean() for value in np.unique(labels)]))


def digits_points(task: int | str, *, seed: int = 0) -> LabelledPoints:
    """Return the bundled digits (1797 points) labelled for `task`, with model-based difficulty.

    The bandit sees the 61 non-constant pixels standardised, the classifiers the 64 grey levels in [0, 1].
    """
    from lib.data import load

    digits = load("digits")
    name, labels = digits_labels(task, digits.labels)
    difficulty = model_difficulty(digits.features, labels, seed=seed)
    return LabelledPoints(name, standardise(digits.features), digits.features, difficulty, labels)
