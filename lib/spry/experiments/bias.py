"""The bias of split forward gradients under label skew, given who holds what and averaged over who holds what."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.spry import theory
from lib.spry.convergence import block_owners


def label_skew_bias(
    *,
    alphas: Sequence[float] = (0.03, 0.1, 0.3, 1.0, 10.0, 100.0),
    clients: int = 40,
    blocks: int = 8,
    hidden: int = 32,
    warm_steps: int = 15,
    draws: int = 300,
    seeds: int = 3,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure the bias on digits with a two-layer net, after `warm_steps` of gradient descent on all the data.

    For each partition, `draws` cohorts of `blocks` clients hold the blocks of the weights. The mean over directions of
    the joined estimate is exact (no direction is drawn). All squares are relative to ||grad f||^2.

    Returns:
        One row an alpha and seed: alpha, seed, skew (mean over clients of sum_c (share difference)^2), bias2 (mean over
        cohorts), bias2_theory (the exact expectation over cohorts), bias2_label (its part from class shares alone),
        averaged2 (the square of the bias averaged over the cohorts), averaged2_theory (bias2_theory / draws).
    """
    rows = []
    for s in range(seed, seed + seeds):
        by_example, labels = _example_gradients(hidden, warm_steps, s)
        target = by_example.mean(axis=0)
        by_class = np.stack([by_example[labels == c].mean(axis=0) for c in range(10)])
        length = float(np.square(target).sum())
        for alpha in alphas:
            rng, parts = _dealt(labels, clients, alpha, s)
            counts = np.stack([np.bincount(labels[part], minlength=10) for part in parts])
            gradients = np.stack([by_example[part].mean(axis=0) for part in parts])
            cohorts = np.stack([rng.permutation(clients)[:blocks] for _ in range(draws)])
            owners = np.stack([block_owners(len(target), cohort) for cohort in cohorts])
            bias = theory.conditional_bias(gradients, target, owners)
            expected = theory.expected_squared_bias(gradients, target) / length
            row = {
                "alpha": alpha,
                "seed": s,
                "skew": float(np.square(theory.label_skew(counts)).sum(axis=1).mean()),
                "bias2": float(np.square(bias).sum(axis=1).mean()) / length,
                "bias2_theory": expected,
                "bias2_label": theory.expected_squared_bias(theory.skew_gradients(by_class, counts), target) / length,
                "averaged2": float(np.square(bias.mean(axis=0)).sum()) / length,
                "averaged2_theory": expected / draws,
            }
            rows.append(row)
    return pd.DataFrame(rows)


def sampled_bias(
    *,
    alphas: Sequence[float] = (100.0, 1.0, 0.1),
    clients: int = 40,
    blocks: int = 8,
    hidden: int = 32,
    warm_steps: int = 15,
    draws: int = 4000,
    seeds: int = 3,
    seed: int = 0,
) -> pd.DataFrame:
    """Average joined forward gradients over directions that are drawn, one cohort's clients holding the blocks.

    The problem is that of `label_skew_bias`. If the estimate is unbiased, its average is as far from the global
    gradient as the standard error of so many draws.

    Returns:
        One row a setting and seed: alpha (infinite for clients that all hold all examples), seed, draws, error2
        (squared distance of the average from the global gradient), chance2 (squared standard error, from the draws'
        own spread), bias2 (the exact squared bias); all relative to ||grad f||^2.
    """
    rows = []
    for s in range(seed, seed + seeds):
        by_example, labels = _example_gradients(hidden, warm_steps, s)
        target = by_example.mean(axis=0)
        length = float(np.square(target).sum())
        for alpha in (np.inf, *alphas):
            rng, gradients = np.random.default_rng([s, 77]), np.tile(target, (clients, 1))
            if np.isfinite(alpha):
                rng, parts = _dealt(labels, clients, alpha, s)
                gradients = np.stack([by_example[part].mean(axis=0) for part in parts])
            owners = block_owners(len(target), rng.permutation(clients)[:blocks])
            bias = theory.conditional_bias(gradients, target, owners)
            error, chance = _averaged(target + bias, target, owners, draws, rng)
            row = {"alpha": alpha, "seed": s, "draws": draws, "error2": error / length, "chance2": chance / length}
            rows.append(row | {"bias2": float(np.square(bias).sum()) / length})
    return pd.DataFrame(rows)


def _averaged(
    joined: np.ndarray, target: np.ndarray, owners: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Return squared distance from `target` and squared standard error of the average over `draws` directions.

    `joined` ``(d,)`` has in each coordinate the gradient of its owner, who multiplies within its own block alone.
    """
    error = chance = 0.0
    for owner in np.unique(owners):
        mine = owners == owner
        v = rng.standard_normal((draws, mine.sum()))
        estimates = (v @ joined[mine])[:, None] * v
        error += np.square(estimates.mean(axis=0) - target[mine]).sum()
        chance += estimates.var(axis=0, ddof=1).sum() / draws
    return float(error), float(chance)


def _dealt(labels: np.ndarray, clients: int, alpha: float, seed: int) -> tuple[np.random.Generator, list[np.ndarray]]:
    """Return a partition of the examples, and the generator that dealt it."""
    from lib.federated.partition import dirichlet

    rng = np.random.default_rng([seed, round(1000 * alpha)])
    return rng, dirichlet(labels, clients, alpha=alpha, rng=rng)


def _example_gradients(hidden: int, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradient of each digit's cross-entropy ``(1797, d)`` after some descent, and the labels."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x, targets = np.c_[x / 16, np.ones(len(x))].astype(np.float32), np.eye(10, dtype=np.float32)[y]
    rng = np.random.default_rng(seed)
    first = rng.standard_normal((65, hidden), dtype=np.float32) / 8
    second = rng.standard_normal((hidden + 1, 10), dtype=np.float32) / np.float32(np.sqrt(hidden))
    for step in range(steps + 1):
        middle = np.c_[np.maximum(x @ first, 0), np.ones(len(x), dtype=np.float32)]
        scores = middle @ second
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        error = chances / chances.sum(axis=1, keepdims=True) - targets
        back = (error @ second[:-1].T) * (middle[:, :-1] > 0)
        if step < steps:
            first, second = first - 0.5 * x.T @ back / len(x), second - 0.5 * middle.T @ error / len(x)
    each = [np.einsum("ni,nj->nij", *pair).reshape(len(x), -1) for pair in ((x, back), (middle, error))]
    return np.concatenate(each, axis=1).astype(np.float64), y
