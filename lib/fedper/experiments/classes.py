"""FedPer against FedAvg and others on images dealt out by class, all arms on the same partitions."""

import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from lib.federated.partition_plot import partition_table
from lib.fedper.baselines import method
from lib.fedper.experiments.arms import DIGITS_NET, Cell, Plan, Progress, arms, check_build, compared, track
from lib.fedper.experiments.finetuning import finetuned
from lib.fedper.federations import class_federation, digits
from lib.fedper.fedper import fedper


def accuracy_by_classes(
    *,
    classes_per_client: Sequence[int] = (2, 4, 8, 10),
    personal_units: Sequence[int] = (0, 1, 2, 3, 4),
    clients: int = 10,
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    steps: int = 20,
    lr: float = 0.05,
    evaluate_every: int = 2,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy over rounds on the digits, for each number of classes a client and of personal units.

    All arms of a seed see the same partition, and minibatches drawn by the same generators. 0 personal units is FedAvg,
    all units is local training. After the last round FedAvg and FedPer 1 are also evaluated fine-tuned ("+ FT").

    Returns:
        One row an evaluated round: classes_per_client, personal_units, method, seed, and those of `arms.by_round`.
    """
    plan = Plan(rounds=rounds, steps=steps, lr=lr)
    units = len(DIGITS_NET().blocks)
    check_build(DIGITS_NET, max(personal_units) - 1)
    parts = []
    for count in track(personal_units, "personal units", progress):
        algorithm = fedper(DIGITS_NET, personal_units=count, local=plan.local, eval_timing="both")
        cells = _cells(classes_per_client, clients, range(seed, seed + seeds), personal_units=count)
        found = arms(arm_name(count, units), algorithm, cells, plan, evaluate_every=evaluate_every)
        for cell, (rows, history) in zip(cells, found, strict=True):
            parts += [rows, finetuned(rows, algorithm, history, cell.federation, plan, seed=cell.seed)]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def _cells(classes_per_client: Sequence[int], clients: int, seeds: Sequence[int], **columns: object) -> list[Cell]:
    """Return the digits dealt out with each number of classes a client and each seed."""
    x, y = digits()
    return [
        Cell(class_federation(x, y, clients=clients, classes_per_client=k, seed=s, name="digits"), s, labels)
        for k in classes_per_client
        for labels in [{"classes_per_client": k, **columns}]
        for s in seeds
    ]


def digits_partition(*, classes_per_client: int = 4, clients: int = 10, seed: int = 0) -> pd.DataFrame:
    """Return how many digits of each class each client of `accuracy_by_classes` holds, training and test together.

    Returns:
        One row a client and class: client, class, examples (`lib.federated.partition_plot.partition_table`).
    """
    federation = class_federation(*digits(), clients=clients, classes_per_client=classes_per_client, seed=seed)
    labels = [torch.cat([data.train_y, data.test_y]).numpy() for data in federation.clients]
    ends = np.cumsum([len(part) for part in labels])
    parts = np.split(np.arange(ends[-1]), ends[:-1])
    return partition_table(parts, np.concatenate(labels))


def arm_name(personal_units: int, units: int) -> str:
    """Return the name of FedPer with so many personal units of a network of `units`; none is FedAvg, all local."""
    return {0: "FedAvg", units: "local only"}.get(personal_units, f"FedPer {personal_units}")


def other_methods(
    *,
    classes_per_client: Sequence[int] = (4, 10),
    methods: Sequence[str] = ("FedRep", "LG-FedAvg", "Ditto"),
    clients: int = 10,
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    steps: int = 20,
    lr: float = 0.05,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the final accuracy of other methods, on the partitions and with the columns of `accuracy_by_classes`.

    The head that FedBABU freezes would be one for all seeds.
    """
    plan = Plan(rounds=rounds, steps=steps, lr=lr)
    cells = _cells(classes_per_client, clients, range(seed, seed + seeds))
    return compared(methods, lambda name: method(name, DIGITS_NET, plan.local, seed=seed), cells, plan, progress)


def common_heads(
    *,
    classes_per_client: Sequence[int] = (4, 10),
    clients: int = 10,
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    steps: int = 20,
    lr: float = 0.05,
    evaluate_every: int = 2,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy over rounds of FedPer 1 whose clients all begin with the same head.

    The partitions are those of `accuracy_by_classes`, where each client draws its own head.

    Returns:
        One row an evaluated round: classes_per_client, method, seed, and the columns of `arms.by_round`.
    """
    plan = Plan(rounds=rounds, steps=steps, lr=lr)
    build = functools.partial(fedper, DIGITS_NET, personal_units=1, head_init="common", eval_timing="both")
    parts = []
    for s in track(range(seed, seed + seeds), "initial heads", progress):
        cells = _cells(classes_per_client, clients, [s])
        algorithm = build(local=plan.local, seed=s)
        parts += arms("FedPer 1, common head", algorithm, cells, plan, evaluate_every=evaluate_every)
    return pd.concat([rows for rows, _ in parts], ignore_index=True)
