"""How wrong a forward gradient is: dimension, number of directions, number of clients that share the work."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.spry import theory


def estimator_error(
    *,
    dimensions: Sequence[int] = (16, 64, 256, 1024),
    perturbations: Sequence[int] = (1, 10),
    clients: Sequence[int] = (1, 4, 16),
    draws: int = 800,
    seeds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure the error of split forward gradients on a random gradient against the closed forms.

    Returns:
        One row a cell and seed: dimension, perturbations, clients, seed, mse and second_moment (relative to the squared
        length of the gradient, means over `draws`), cosine (of the whole estimate), mse_theory, second_moment_theory,
        cosine_theory (NaN for several clients: the formula is for one block).
    """
    rows = []
    for s in range(seed, seed + seeds):
        for d in dimensions:
            for k in perturbations:
                rng = np.random.default_rng([s, d, k])
                gradient = rng.standard_normal(d, dtype=np.float32)
                for m, found in _errors(gradient, k, [m for m in clients if m <= d], draws, rng).items():
                    known = {
                        "mse_theory": theory.relative_mse(d // m, k),
                        "second_moment_theory": theory.relative_second_moment(d // m, k),
                        "cosine_theory": theory.expected_cosine(d, k) if m == 1 else np.nan,
                    }
                    rows.append({"dimension": d, "perturbations": k, "clients": m, "seed": s, **found, **known})
    return pd.DataFrame(rows)


def _errors(
    gradient: np.ndarray, perturbations: int, clients: Sequence[int], draws: int, rng: np.random.Generator
) -> dict[int, dict[str, float]]:
    """Return mean errors by number of clients; all of them judge the same directions ``(draws, K, d)``, cut in blocks.

    The mean over draws is taken in pieces of at most 4 million numbers.
    """
    d, length = len(gradient), float(np.square(gradient).sum())
    totals = {m: np.zeros(3) for m in clients}
    piece = max(1, 4_000_000 // (perturbations * d))
    for start in range(0, draws, piece):
        v = rng.standard_normal((min(piece, draws - start), perturbations, d), dtype=np.float32)
        for m in clients:
            blocks = v.reshape(len(v), perturbations, m, d // m)
            jvps = np.einsum("nkmp,mp->nkm", blocks, gradient.reshape(m, d // m))
            estimate = np.einsum("nkm,nkmp->nmp", jvps, blocks).reshape(len(v), d) / perturbations
            error = np.square(estimate - gradient).sum(axis=1) / length
            moment = np.square(estimate).sum(axis=1) / length
            cosine = estimate @ gradient / length / np.sqrt(moment)
            totals[m] += [error.sum(), moment.sum(), cosine.sum()]
    names = ("mse", "second_moment", "cosine")
    return {m: dict(zip(names, (total / draws).tolist(), strict=True)) for m, total in totals.items()}


def one_step_error(
    *, dimension: int = 256, clients: Sequence[int] = (1, 4, 16), draws: int = 400, seeds: int = 5, seed: int = 0
) -> pd.DataFrame:
    """Measure the error of one synchronous round: blocks joined, averages of own and of shared directions (K = 1).

    Returns:
        One row a method, number of clients and seed: method, clients, seed, mse, mse_theory (relative).
    """
    rows = []
    for s in range(seed, seed + seeds):
        rng = np.random.default_rng([s, dimension])
        gradient = rng.standard_normal(dimension, dtype=np.float32)
        for m in clients:
            v = rng.standard_normal((draws, m, dimension), dtype=np.float32)
            full = (v @ gradient)[..., None] * v
            # Client i's first direction, restricted to its own block: the joined estimate needs one direction in all.
            own = _errors(gradient, 1, [m], draws, rng)[m]["mse"]
            found = {
                "split": own,
                "own directions": _relative(full.mean(axis=1), gradient),
                "shared directions": _relative(full[:, 0], gradient),
            }
            rows += [[name, m, s, error, theory.round_mse(name, dimension, m)] for name, error in found.items()]
    return pd.DataFrame(rows, columns=["method", "clients", "seed", "mse", "mse_theory"])


def _relative(estimates: np.ndarray, gradient: np.ndarray) -> float:
    return float(np.square(estimates - gradient).sum(axis=-1).mean() / np.square(gradient).sum())
