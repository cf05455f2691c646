"""Dropout noise in finite differences: what the released baselines divided by a small step."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

Progress = Callable[[Iterable, str], Iterable]
MODES = ("eval", "shared_mask", "as_released")


def dropout_noise(
    *,
    steps: Sequence[float] = (1e-4, 1e-3, 1e-2, 1e-1),
    modes: Sequence[str] = MODES,
    draws: int = 20,
    dropout: float = 0.1,
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Compare central differences with exact directional derivatives on a tiny BERT with dropout.

    The exact derivative is taken with the dropout mask of the first of the two evaluations (without dropout in mode
    "eval"). "as_released" draws another mask for the second.

    Returns:
        One row a mode, step and seed: mode, step, seed, correlation (over `draws` directions), error (standard
        deviation of the difference), signal (standard deviation of the exact derivative), error_theory (deviation of
        the loss over masks times sqrt(2) over 2 step; NaN unless masks differ).
    """
    import torch

    from lib.spry.forward_gradient import forward_gradient
    from lib.spry.perturbations import Key, perturbation
    from lib.spry.text_model import dropout_loss, text_model, trainable
    from lib.spry.zero_order import central_difference

    rows = []
    cells = range(seed, seed + seeds)
    for s in progress(cells, "dropout") if progress else cells:
        net = text_model("bert", layers=2, dropout=dropout, seed=s)
        params = trainable(net)
        shapes = {name: value.shape for name, value in params.items()}
        generator = torch.Generator().manual_seed(s)
        ids = torch.randint(1, 256, (8, 16), generator=generator)
        x, y = torch.stack([ids, torch.ones_like(ids)], dim=1), torch.randint(2, (8,), generator=generator)
        directions = [perturbation(Key(s, 0, i, 0, 0), shapes) for i in range(draws)]
        with torch.no_grad():
            losses = [float(dropout_loss(net, x, y, mode="shared_mask", seed=i)(params)) for i in range(draws)]
        first_mask = {mode: "eval" if mode == "eval" else "shared_mask" for mode in modes}
        derivatives = {
            same: np.array(
                [
                    float(forward_gradient(dropout_loss(net, x, y, mode=same, seed=i), params, v).jvps[0])
                    for i, v in enumerate(directions)
                ]
            )
            for same in set(first_mask.values())
        }
        for mode in modes:
            exact = derivatives[first_mask[mode]]
            for step in steps:
                found = np.array(
                    [
                        float(central_difference(dropout_loss(net, x, y, mode=mode, seed=i), params, v, step=step).jvps)
                        for i, v in enumerate(directions)
                    ]
                )
                noise = np.std(losses) * np.sqrt(2) / (2 * step) if mode == "as_released" else np.nan
                correlation = float(np.corrcoef(found, exact)[0, 1])
                rows.append([mode, step, s, correlation, float(np.std(found - exact)), float(np.std(exact)), noise])
    columns = ["mode", "step", "seed", "correlation", "error", "signal", "error_theory"]
    return pd.DataFrame(rows, columns=columns)
