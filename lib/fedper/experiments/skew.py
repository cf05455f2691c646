"""Where FedPer begins to lose: label skew from one class a client to identical clients."""

from collections.abc import Sequence

import pandas as pd

from lib.fedper.baselines import method
from lib.fedper.experiments.arms import DIGITS_NET, Cell, Plan, Progress, compared
from lib.fedper.federations import digits, dirichlet_federation


def accuracy_by_skew(
    *,
    alphas: Sequence[float] = (0.01, 0.3, 100.0),
    methods: Sequence[str] = ("FedAvg", "FedPer 1"),
    clients: int = 10,
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    steps: int = 20,
    lr: float = 0.05,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the final accuracy on digits dealt out in Dirichlet class shares to clients of equal size.

    Returns:
        One row a run: alpha, method, seed, and the columns of `arms.by_round`.
    """
    plan = Plan(rounds=rounds, steps=steps, lr=lr)
    x, y = digits()
    cells = [
        Cell(dirichlet_federation(x, y, clients=clients, alpha=alpha, seed=s, name="digits"), s, {"alpha": alpha})
        for alpha in alphas
        for s in range(seed, seed + seeds)
    ]
    return compared(methods, lambda name: method(name, DIGITS_NET, plan.local, seed=seed), cells, plan, progress)
