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
    every = range(seed, seed + seeds)
    federations = [
        class_federation(x, y, clients=clients, classes_per_client=classes_per_client, seed=s) for s in every
    ]
    rows = []
    for rounds in track(horizons, "stationarity", progress):
        lr = scale / float(np.sqrt(rounds))
        sgd = LocalSGD(lr=lr, batch_size=batch_size, epochs=None, steps=steps)
        shared = {"model": Model(NET), "local": sgd, "personal": last_units(NET(), 1).personal}
        for name, algorithm in {"FedPer": FedPer(**shared), "FedRep": FedRep(head=sgd, **shared)}.items():
            found = _mean_squared_gradients(algorithm, federations, every, rounds, cohort_size)
            rows += [[name, s, rounds, lr, value] for s, value in zip(every, found, strict=True)]
    return pd.DataFrame(rows, columns=["method", "seed", "rounds", "lr", "squared_gradient"])


def _mean_squared_gradients(
    algorithm: PartiallyShared, federations: Sequence[Federation], seeds: Sequence[int], rounds: int, cohort_size: int
) -> np.ndarray:
    """Return the mean over the probed rounds of each federation's run, all trained as one stack of clients."""
    states = [algorithm.init(seed) for seed in seeds]
    heads = []
    for seed, federation in zip(seeds, federations, strict=True):
        first = algorithm.model.init(seed)
        heads.append([{name: first[name] for name in algorithm.personal} for _ in federation.clients])
    probed = set(np.linspace(1, rounds, min(PROBES, rounds)).astype(int))
    found = []
    for round in range(1, rounds + 1):
        if round in probed:
            runs = zip(federations, states, heads, strict=True)
            found.append([squared_gradient(algorithm.model, one, state.tensors, own) for one, state, own in runs])
        work = []  # run, client, and what its training takes
        for run, (seed, federation) in enumerate(zip(seeds, federations, strict=True)):
            cohort = sample_cohort(len(federation), cohort_size, cohort_rng(seed, round))
            sent = algorithm.configure(states[run], round, cohort, configure_rng(seed, round))
            work += [
                (run, c, sent[c], federation.clients[c], heads[run][c], client_rng(seed, round, c)) for c in cohort
            ]
        results = algorithm.train_cohort(*(list(column) for column in list(zip(*work, strict=True))[2:]))
        updates: list[dict] = [{} for _ in seeds]
        for (run, client, *_), (update, head) in zip(work, results, strict=True):
            updates[run][client], heads[run][client] = update, head
        states = [algorithm.aggregate(state, own) for state, own in zip(states, updates, strict=True)]
    return np.mean(found, axis=0)


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
