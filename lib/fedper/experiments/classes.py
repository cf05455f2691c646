"""FedPer against FedAvg and others on images dealt out by class, all arms on the same partitions."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from lib.federated.partition_plot import partition_table
from lib.fedper.baselines import method
from lib.fedper.experiments.arms import DIGITS_NET, Plan, Progress, arm, check_build, track
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
    x, y = digits()
    parts = []
    cells = [(k, s) for k in classes_per_client for s in range(seed, seed + seeds)]
    for k, s in track(cells, "classes a client", progress):
        federation = class_federation(x, y, clients=clients, classes_per_client=k, seed=s, name="digits")
        for count in personal_units:
            algorithm = fedper(DIGITS_NET, personal_units=count, local=plan.local, eval_timing="both")
            labels = {"classes_per_client": k, "personal_units": count}
            rows, history = arm(
                arm_name(count, units), algorithm, federation, plan, seed=s, evaluate_every=evaluate_every, **labels
            )
            parts += [rows, finetuned(rows, algorithm, history, federation, plan, seed=s)]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


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
    """Return the final accuracy of other methods, on the partitions and with the columns of `accuracy_by_classes`."""
    plan = Plan(rounds=rounds, steps=steps, lr=lr)
    x, y = digits()
    parts = []
    cells = [(k, s) for k in classes_per_client for s in range(seed, seed + seeds)]
    for k, s in track(cells, "other methods", progress):
        federation = class_federation(x, y, clients=clients, classes_per_client=k, seed=s, name="digits")
        for name in methods:
            algorithm = method(name, DIGITS_NET, plan.local, seed=s)
            parts.append(arm(name, algorithm, federation, plan, seed=s, classes_per_client=k)[0])
    return pd.concat(parts, ignore_index=True)


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
    x, y = digits()
    parts = []
    cells = [(k, s) for k in classes_per_client for s in range(seed, seed + seeds)]
    for k, s in track(cells, "initial heads", progress):
        federation = class_federation(x, y, clients=clients, classes_per_client=k, seed=s, name="digits")
        algorithm = fedper(
            DIGITS_NET, personal_units=1, local=plan.local, head_init="common", seed=s, eval_timing="both"
        )
        name = "FedPer 1, common head"
        rows, _ = arm(name, algorithm, federation, plan, seed=s, evaluate_every=evaluate_every, classes_per_client=k)
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)
