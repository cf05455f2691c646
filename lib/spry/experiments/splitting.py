"""When splitting pays: rounds to a target on an isotropic quadratic, by number of local steps."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.spry import theory


def splitting_rounds(
    *,
    steps: Sequence[int] = (1, 4, 16, 64),
    dimension: int = 256,
    clients: int = 16,
    lr_factors: Sequence[float] = (0.7, 1.0, 1.4),
    target: float = 100.0,
    seeds: int = 5,
    seed: int = 0,
    longest: int = 600,
) -> pd.DataFrame:
    """Count rounds until ||w||^2 of f(w) = ||w||^2 / 2 has fallen `target` times; every client has the same f.

    Each method is run with `lr_factors` times the step that `theory.best_rounds` finds for it, at every number of
    local steps, so all have the same tuning budget. K = 1.

    Returns:
        One row a method, number of local steps, lr and seed: method, steps, lr, seed, rounds (interpolated on the log
        scale; NaN when the target is not met within `longest` rounds), rounds_theory (at this lr; NaN where the
        expectation does not fall), best_theory (at the best lr).
    """
    rows = []
    for method in theory.METHODS:
        for t in steps:
            best, base = theory.best_rounds(method, dimension=dimension, clients=clients, steps=t, target=target)
            rates = base * np.array(lr_factors)
            rng = np.random.default_rng([seed, t, theory.METHODS.index(method)])
            found = _rounds(method, rates, t, dimension, clients, target, seeds, longest, rng)
            for lr, counts in zip(rates.tolist(), found, strict=True):
                factor = theory.round_factor(method, lr, dimension=dimension, clients=clients, steps=t)
                expected = np.log(target) / -np.log(factor) if factor < 1 else np.nan
                for s, count in enumerate(counts.tolist()):
                    rows.append([method, t, lr, seed + s, count, expected, best])
    columns = ["method", "steps", "lr", "seed", "rounds", "rounds_theory", "best_theory"]
    return pd.DataFrame(rows, columns=columns)


def best_rates(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `splitting_rounds` at each method's and number of steps' best lr (least median of rounds)."""
    middle = table.assign(rounds=table["rounds"].fillna(np.inf)).groupby(["method", "steps", "lr"])["rounds"].median()
    best = {key[:2]: key[2] for key in middle.groupby(["method", "steps"]).idxmin()}
    keep = [
        best[method, steps] == lr
        for method, steps, lr in zip(table["method"], table["steps"], table["lr"], strict=True)
    ]
    return table[keep]


def _rounds(
    method: str, rates: np.ndarray, steps: int, d: int, clients: int, target: float, seeds: int, longest: int, rng
) -> np.ndarray:
    """Return rounds to the target, shape ``(rates, seeds)``; rates and seeds run side by side with the same draws."""
    w = np.repeat(rng.standard_normal((1, seeds, d), dtype=np.float32), len(rates), axis=0)
    start = np.log(np.square(w).sum(axis=-1))
    before, rounds = start.copy(), np.full(start.shape, np.nan)
    for r in range(1, longest + 1):
        w = _round(method, w, rates.astype(np.float32), steps, clients, rng)
        w = np.where(np.isfinite(w), w, np.float32(1e6))  # a run that diverges stays diverged, without warnings
        now = np.log(np.maximum(np.square(w).sum(axis=-1), 1e-30))
        done = np.isnan(rounds) & (start - now >= np.log(target))
        share = (np.log(target) - (start - before)[done]) / (before - now)[done]
        rounds[done], before = r - 1 + share, now
        if not np.isnan(rounds).any():
            break
    return rounds


def _round(method: str, w: np.ndarray, rates: np.ndarray, steps: int, clients: int, rng) -> np.ndarray:
    """Return `w` ``(rates, seeds, d)`` after one round. A client's step on a block b is w_b -= lr (w_b . v_b) v_b."""
    _, seeds, d = w.shape
    if method == "split":
        local = w.reshape(len(rates), seeds, clients, d // clients)
    else:  # with shared directions all clients do the same, so one stands for all
        local = np.repeat(w[:, :, None], clients if method == "own directions" else 1, axis=2)
    for _ in range(steps):
        v = rng.standard_normal(local.shape[1:], dtype=np.float32)
        jvps = np.einsum("rscp,scp->rsc", local, v)
        local = local - (np.clip(jvps, -1e6, 1e6) * rates[:, None, None])[..., None] * v
    return local.reshape(w.shape) if method == "split" else local.mean(axis=2)
