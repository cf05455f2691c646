"""Where FedPer begins to lose: label skew from one class a client to identical clients."""

import functools
import itertools
from collections.abc import Sequence

import pandas as pd

from lib.fedper.baselines import method
from lib.fedper.experiments.arms import DIGITS_NET, Cell, Plan, Progress, compared
from lib.fedper.experiments.images import CNN, pooled
from lib.fedper.experiments.own_rates import RATES, Arm, each_at_own_rate
from lib.fedper.federations import digits, dirichlet_federation

CIFAR10_ALPHAS = (0.1, 0.5, 5.0)
CIFAR10_METHODS = ("FedAvg", "FedPer 2", "local only")


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


def cifar10_by_skew(
    *,
    plan: Plan,
    alphas: Sequence[float] = CIFAR10_ALPHAS,
    methods: Sequence[str] = CIFAR10_METHODS,
    rates: Sequence[float] = RATES,
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy over rounds on CIFAR-10 in Dirichlet class shares, every method at its own rate for each alpha.

    Returns:
        The rows of `own_rates.at_own_rate`, with the column alpha.
    """
    arms = []
    for alpha, name in itertools.product(alphas, methods):
        federation = functools.partial(dirichlet_federation, *pooled("cifar10"), alpha=alpha, name="CIFAR-10")
        arms.append((Arm(name=name, build=CNN, federation=federation, plan=plan), {"alpha": alpha}))
    return each_at_own_rate(arms, rates=rates, seeds=seeds, seed=seed, progress=progress)
