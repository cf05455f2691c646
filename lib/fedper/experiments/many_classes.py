"""A hundred classes without a download: Gaussian clusters behind one nonlinear map, where CIFAR-100 is out of reach."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib.fedper.experiments.arms import Plan
from lib.fedper.experiments.own_rates import accuracy_at_own_rates
from lib.nets import mlp

CLASSES, INPUTS, PER_CLASS = 100, 50, 60
NET = functools.partial(mlp, (INPUTS, 128, 64, CLASSES))
PLAN = Plan(rounds=30, steps=20, batch_size=16)
MANY_METHODS = ("FedAvg", "FedPer 1", "FedPer 2", "local only")
MANY_RATES = (0.01, 0.03, 0.1, 0.3)


@functools.lru_cache(maxsize=1)
def clusters(*, spread: float = 1.8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs ``(6000, 50)`` float32 and labels ``(6000,)`` of 100 classes, 60 examples each.

    A class is a Gaussian cluster of standard deviation `spread` around a centre with independent standard normal
    coordinates; all points go through one random map ``tanh(zA) B`` and are scaled to unit variance.
    """
    rng = np.random.default_rng([seed, 100])
    labels = np.repeat(np.arange(CLASSES), PER_CLASS)
    hidden = rng.standard_normal((CLASSES, INPUTS))[labels] + spread * rng.standard_normal((len(labels), INPUTS))
    first, second = rng.standard_normal((2, INPUTS, INPUTS)) / np.sqrt(INPUTS)
    inputs = np.tanh(hidden @ first) @ second
    return ((inputs - inputs.mean(0)) / inputs.std(0)).astype(np.float32), labels


def accuracy_on_many_classes(
    *,
    classes_per_client: Sequence[int] = (10, 20, 50, 100),
    methods: Sequence[str] = MANY_METHODS,
    rates: Sequence[float] = MANY_RATES,
    plan: Plan = PLAN,
    **options: Any,
) -> pd.DataFrame:
    """Return accuracy over rounds on `clusters`, ten clients with k classes each, each method at its own rate.

    `options` are the others of `own_rates.accuracy_at_own_rates`, whose rows are returned.
    """
    setting = {"classes_per_client": classes_per_client, "methods": methods, "rates": rates}
    return accuracy_at_own_rates("clusters", *clusters(), NET, plan, **setting, **options)
