"""How far split forward gradients get: the floor that label skew sets, and what lifts it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.spry import theory
from lib.spry.convergence import digits_softmax, split_descent

MAPS = {"fixed": False, "re-sampled": True}


def convergence_floor(
    *,
    alphas: Sequence[float] = (100.0, 1.0, 0.1),
    clients: int = 24,
    blocks: int = 16,
    rounds: int = 400,
    lr: float = 2.0,
    record: Sequence[int] = (1, 2, 5, 10, 20, 50, 100, 150, 200, 250, 300, 350, 400),
    seeds: int = 3,
    seed: int = 0,
) -> pd.DataFrame:
    """Follow ||grad f||^2 of soft-max regression on digits with the clients' blocks fixed or drawn anew in each round.

    Returns:
        One row a map, alpha, seed and recorded round: map, alpha, seed, skew (mean over clients of squared share
        differences), round, norm2 (of the split forward gradient, K = 1, one step a round, full local data),
        norm2_theory (the same descent with exact block gradients: the conditional bias alone).
    """
    rows = []
    record = [r for r in record if r <= rounds]
    for s in range(seed, seed + seeds):
        for alpha in alphas:
            problem = digits_softmax(alpha=alpha, clients=clients, seed=s)
            skew = float(np.square(theory.label_skew(problem.counts)).sum(axis=1).mean())
            plan = {"blocks": blocks, "rounds": rounds, "lr": lr}
            for name, resampled in MAPS.items():
                runs = [
                    split_descent(problem, **plan, resampled=resampled, exact=exact, rng=np.random.default_rng([s, 7]))
                    for exact in (False, True)
                ]
                for r in record:
                    rows.append([name, alpha, s, skew, r, float(runs[0][r]), float(runs[1][r])])
    return pd.DataFrame(rows, columns=["map", "alpha", "seed", "skew", "round", "norm2", "norm2_theory"])
