"""Batch normalization in federated images: who keeps its running statistics, and does it change the picture?"""

import functools
import itertools
from collections.abc import Callable, Sequence

import pandas as pd
from torch import nn

from lib.federated.algorithms import PartiallyShared
from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.types import Algorithm
from lib.fedper.experiments.arms import Plan, Progress
from lib.fedper.experiments.images import CNN, pooled
from lib.fedper.experiments.own_rates import RATES, Arm, each_at_own_rate
from lib.fedper.federations import class_federation
from lib.fedper.fedper import fedper
from lib.fedper.split import by_name
from lib.report.intervals import last_round

BATCH_CNN = functools.partial(CNN, norm="batch")
# Personal units and what becomes of the running statistics of the base, by the name of the arm.
POLICIES = {
    "FedAvg, statistics averaged": (0, "average"),
    "FedAvg, statistics kept": (0, "local"),
    "FedPer 2, statistics averaged": (2, "average"),
    "FedPer 2, statistics kept": (2, "local"),
}
FEDBN = "FedBN"
GROUP = {"FedAvg": "FedAvg, group norm", "FedPer 2": "FedPer 2, group norm"}


def fedbn(build: Callable[[], nn.Module], local: LocalSGD) -> PartiallyShared:
    """Return FedBN (arXiv 2102.07623): batch normalization stays with the client, all else is averaged.

    Raises ValueError for a network without batch normalization.
    """
    net = build()
    layers = [name for name, layer in net.named_modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    if not layers:
        raise ValueError("the network has no batch normalization that could stay with a client: build it with some")
    personal = by_name(net, [f"{name}.*" for name in layers], bn_policy="local").personal
    return PartiallyShared(model=Model(build), local=local, personal=personal)


def normalized(name: str, build: Callable[[], nn.Module], local: LocalSGD, *, seed: int) -> Algorithm:
    """Return the algorithm called `name`: one of `POLICIES`, or FedBN. `seed` draws nothing."""
    if name == FEDBN:
        return fedbn(build, local)
    units, policy = POLICIES[name]
    return fedper(build, personal_units=units, local=local, bn_policy=policy)


def normalizations_on_cifar10(
    *,
    plan: Plan,
    classes_per_client: Sequence[int] = (4, 10),
    methods: Sequence[str] = (*POLICIES, FEDBN),
    rates: Sequence[float] = RATES,
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy over rounds on CIFAR-10 of a network with batch normalization, by policy, each at its own rate.

    Returns:
        The rows of `own_rates.at_own_rate`, with the column classes_per_client.
    """
    arms = []
    for k, name in itertools.product(classes_per_client, methods):
        federation = functools.partial(class_federation, *pooled("cifar10"), classes_per_client=k, name="CIFAR-10")
        one = Arm(name=name, build=BATCH_CNN, federation=federation, plan=plan, make=normalized)
        arms.append((one, {"classes_per_client": k}))
    return each_at_own_rate(arms, rates=rates, seeds=seeds, seed=seed, progress=progress)


def normalizations(group: pd.DataFrame, batch: pd.DataFrame) -> pd.DataFrame:
    """Return the last rows of `batch` (`normalizations_on_cifar10`) and of the same methods in `group`.

    `group` are rows of `images.accuracy_on_cifar10`, whose network differs in its normalization alone. Rows of use
    "tuning" are kept.
    """
    group = group[group["method"].isin(GROUP) & group["classes_per_client"].isin(batch["classes_per_client"])]
    return pd.concat([last_round(rows) for rows in (group.replace({"method": GROUP}), batch)], ignore_index=True)
