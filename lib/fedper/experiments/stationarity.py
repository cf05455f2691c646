"""How fast FedPer approaches a stationary point when clients take part in turns and minibatches are noisy."""

import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from lib.federated.algorithms import FedRep, PartiallyShared
from lib.federated.batches import cohort_batches
from lib.federated.cohort import sample_cohort
from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.seeds import client_rng, cohort_rng, configure_rng
from lib.federated.stack import stack
from lib.federated.training import gradients
from lib.federated.types import Federation, Tensors
from lib.fedper.experiments.arms import Progress, track
from lib.fedper.federations import class_federation, digits
from lib.fedper.fedper import FedPer
from lib.fedper.split import last_units
from lib.nets import mlp

NET = functools.partial(mlp, (64, 32, 10))  # one hidden layer: deeper ones begin near a saddle point
PROBES = 16  # rounds in which the gradient is measured


def stationarity(
    *,
    horizons: Sequence[int] = (32, 128, 512),
    scale: float = 1.0,
    cohort_size: int = 5,
    clients: int = 10,
    classes_per_client: int = 4,
    steps: int = 2,
    batch_size: int = 8,
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the mean squared gradient of simultaneous (FedPer) and alternating (FedRep) training against rounds.

    For each horizon R the learning rate is ``scale / sqrt(R)``, as the analysis of partial personalization asks for
    (Pillutla et al., arXiv 2204.03809). Measured is `squared_gradient`, its mean over rounds spread evenly over R.
    FedRep takes as many steps on the head as on the base.

    Returns:
        One row a method, seed and horizon: method, seed, rounds (R), lr, squared_gradient.
    """
    x, y = digits()
    rows = []
    for s in track(range(seed, seed + seeds), "stationarity", progress):
        federation = class_federation(x, y, clients=clients, classes_per_client=classes_per_client, seed=s)
        for rounds in horizons:
            lr = scale / float(np.sqrt(rounds))
            sgd = LocalSGD(lr=lr, batch_size=batch_size, epochs=None, steps=steps)
            shared = {"model": Model(NET), "local": sgd, "personal": last_units(NET(), 1).personal, "personal_init": s}
            for name, algorithm in {"FedPer": FedPer(**shared), "FedRep": FedRep(head=sgd, **shared)}.items():
                found = _mean_squared_gradient(algorithm, federation, rounds, cohort_size, s)
                rows.append([name, s, rounds, lr, found])
    return pd.DataFrame(rows, columns=["method", "seed", "rounds", "lr", "squared_gradient"])


def _mean_squared_gradient(
    algorithm: PartiallyShared, federation: Federation, rounds: int, cohort_size: int, seed: int
) -> float:
    state, first = algorithm.init(seed), algorithm.model.init(seed)
    heads = [{name: first[name] for name in algorithm.personal} for _ in federation.clients]
    probed = set(np.linspace(1, rounds, min(PROBES, rounds)).astype(int))
    found = []
    for round in range(1, rounds + 1):
        if round in probed:
            found.append(squared_gradient(algorithm.model, federation, state.tensors, heads))
        cohort = sample_cohort(len(federation), cohort_size, cohort_rng(seed, round))
        sent = algorithm.configure(state, round, cohort, configure_rng(seed, round))
        results = algorithm.train_cohort(
            [sent[c] for c in cohort],
            [federation.clients[c] for c in cohort],
            [heads[c] for c in cohort],
            [client_rng(seed, round, c) for c in cohort],
        )
        state = algorithm.aggregate(state, {c: update for c, (update, _) in zip(cohort, results, strict=True)})
        for c, (_, head) in zip(cohort, results, strict=True):
            heads[c] = head
    return float(np.mean(found))


def squared_gradient(model: Model, federation: Federation, base: Tensors, heads: Sequence[Tensors]) -> float:
    """Return ``||grad_base F||^2 + mean_j ||grad_j L_j||^2`` with ``F = sum_j (n_j / n) L_j``, on all examples."""
    values = stack([{name: (base | head)[name] for name in model.names} for head in heads])
    sizes = torch.tensor([data.examples for data in federation.clients]).to(next(iter(base.values())))
    whole = LocalSGD(batch_size=None, epochs=1)
    (batch,) = cohort_batches(federation.clients, whole, [np.random.default_rng(0) for _ in federation.clients])
    grads = gradients(model, values, batch, model.parameter_names)
    of_base = sum(float(torch.tensordot(sizes / sizes.sum(), grads[name], 1).square().sum()) for name in base)
    of_heads = sum(float(grads[name].square().sum()) for name in heads[0])
    return of_base + of_heads / len(federation)
