"""Clients that join after training: they have no personalization layers yet."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.federated.algorithms import FedAvg
from lib.federated.evaluation import stacked_metrics
from lib.federated.model import Model
from lib.federated.seeds import client_rng
from lib.federated.stack import select, stack
from lib.federated.training import local_sgd
from lib.federated.types import Algorithm, ClientData, Tensors
from lib.fedper.experiments.arms import DIGITS_NET, Cell, Plan, Progress, arms, track
from lib.fedper.federations import class_federation, digits
from lib.fedper.fedper import FedPer, fedper


def newcomers(
    *,
    examples: Sequence[int] = (5, 10, 20, 40, 80),
    classes_per_client: int = 4,
    veterans: int = 8,
    joining: int = 4,
    adaptation_steps: int = 60,
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    steps: int = 20,
    lr: float = 0.05,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return how clients fare that join a trained federation with few labelled examples.

    `veterans` clients train with FedPer 1 and with FedAvg; then each of `joining` others adapts for `adaptation_steps`
    minibatches on its first so many examples: a new head on FedPer's frozen base, all layers from FedAvg's model, or
    all layers from scratch. FedAvg's model is also used as it is.

    Returns:
        One row a seed, way and number of examples: examples, way, seed, accuracy (mean over the joining clients).
    """
    plan = Plan(rounds=rounds, steps=steps, lr=lr)
    x, y = digits()
    rows, every = [], range(seed, seed + seeds)
    wholes = [
        class_federation(x, y, clients=veterans + joining, classes_per_client=classes_per_client, seed=s) for s in every
    ]
    cells = [Cell(replace(whole, clients=whole.clients[:veterans]), s) for whole, s in zip(wholes, every, strict=True)]
    personal = fedper(DIGITS_NET, personal_units=1, local=plan.local)
    bases, models = (_tensors(a, cells, plan) for a in (personal, FedAvg(model=personal.model, local=plan.local)))
    for s, whole, base, shared in track(list(zip(every, wholes, bases, models, strict=True)), "newcomers", progress):
        new = whole.clients[veterans:]
        for way, start, trained in _starts(personal, base, shared, joining, s):
            for count in examples:
                steps_taken = 0 if way == "FedAvg as it is" else adaptation_steps
                values = _adapted(start, _first(new, count), plan, trained, steps_taken, s)
                found = stacked_metrics(Model(DIGITS_NET), values, new, prefix="own")
                accuracy = float(np.mean([metrics["own_accuracy"] for metrics in found]))
                rows.append({"examples": count, "way": way, "seed": s, "accuracy": accuracy})
    return pd.DataFrame(rows)


def _tensors(algorithm: Algorithm, cells: Sequence[Cell], plan: Plan) -> list[Tensors]:
    """Return the tensors that the server has after training on each of `cells`."""
    return [history.state.tensors for _, history in arms(type(algorithm).__name__, algorithm, cells, plan)]


def _starts(
    algorithm: FedPer, base: Tensors, shared: Tensors, joining: int, seed: int
) -> list[tuple[str, Tensors, list[str] | None]]:
    """Return each way to begin: its name, the newcomers' stacked initial values, and what they train (None: all).

    `base` are the tensors that FedPer's server has after training, `shared` those of FedAvg's.
    """
    model = algorithm.model
    fresh = [model.init(1000 * seed + 100 + place) for place in range(joining)]
    headed = [select(base | select(own, algorithm.personal), model.names) for own in fresh]
    return [
        ("FedPer base, new head", stack(headed), list(algorithm.personal)),
        ("FedAvg, fine-tuned", stack([shared] * joining), None),
        ("FedAvg as it is", stack([shared] * joining), None),
        ("from scratch", stack(fresh), None),
    ]


def _first(clients: Sequence[ClientData], count: int) -> list[ClientData]:
    return [replace(data, train_x=data.train_x[:count], train_y=data.train_y[:count]) for data in clients]


def _adapted(
    start: Tensors, datas: list[ClientData], plan: Plan, trained: list[str] | None, steps: int, seed: int
) -> Tensors:
    sgd = replace(plan.local, steps=steps)
    rngs = [client_rng(seed, 1, 1000 + place) for place in range(len(datas))]
    return local_sgd(Model(DIGITS_NET), start, datas, sgd, rngs, trained=trained)
