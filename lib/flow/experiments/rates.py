"""How the gradient falls: of the global model over rounds, and at the models that a client could use."""

import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from lib.federated.algorithms import FedAvg
from lib.federated.algorithms.outputs import padded_tests
from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.seeds import evaluation_rng
from lib.federated.side_by_side import run_side_by_side
from lib.federated.types import Federation, ServerState, Tensors
from lib.flow.experiments.arms import Progress, track
from lib.flow.flow import Flow, flow
from lib.flow.mixture import mixture
from lib.flow.routing import UnitRouting
from lib.flow.synthetic import synthetic
from lib.nets import mlp

LINEAR = Model(functools.partial(mlp, (60, 10)))  # logistic regression
LEVELS = (0.0, 0.5, 1.0)  # alpha = beta


def global_rates(
    *,
    levels: Sequence[float] = LEVELS,
    horizons: Sequence[int] = (8, 32, 128),
    scale: float = 0.4,
    floor_lr: float = 0.1,
    floor_rounds: int = 80,
    steps: int = 10,
    cohort_size: int = 10,
    clients: int = 30,
    seeds: int = 3,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the squared gradient of FedAvg's global loss, logistic regression on synthetic(a, a).

    Returns:
        One row a level, seed and horizon: kind "rate", level (a), seed, rounds (R), lr (``scale / sqrt(R)``),
        squared_gradient (smallest of 16 rounds spread over R). And one a level and seed of kind "floor": the mean over
        the last quarter of `floor_rounds` rounds at the constant learning rate `floor_lr`.
    """
    late = set(range(3 * floor_rounds // 4, floor_rounds + 1))
    plans = [("rate", r, scale / float(np.sqrt(r)), set(np.linspace(1, r, 16).astype(int))) for r in horizons]
    cells = [(level, s) for level in levels for s in range(seed, seed + seeds)]
    made = [synthetic(alpha=a, beta=a, clients=clients, examples=100, seed=s).to(device) for a, s in cells]
    rows = []
    for kind, rounds, lr, probed in track([*plans, ("floor", floor_rounds, floor_lr, late)], "global rates", progress):
        paths = _gradients(made, [s for _, s in cells], rounds, lr, steps, cohort_size, probed)
        for (level, s), path in zip(cells, paths, strict=True):
            rows.append([kind, level, s, rounds, lr, min(path) if kind == "rate" else float(np.mean(path))])
    return pd.DataFrame(rows, columns=["kind", "level", "seed", "rounds", "lr", "squared_gradient"])


def _gradients(
    federations: Sequence[Federation],
    seeds: Sequence[int],
    rounds: int,
    lr: float,
    steps: int,
    cohort_size: int,
    probed: set[int],
) -> list[list[float]]:
    """Return, for each federation, the squared gradients before the rounds `probed`."""
    algorithm = FedAvg(model=LINEAR, local=LocalSGD(lr=lr, batch_size=10, epochs=None, steps=steps))
    found: list[list[float]] = [[] for _ in federations]

    def look(round: int, states: Sequence[ServerState]) -> None:
        if round + 1 in probed:
            for path, state, federation in zip(found, states, federations, strict=True):
                path.append(global_gradient(state.tensors, federation))

    device = federations[0].clients[0].train_x.device
    look(0, [algorithm.init(seed).to(device) for seed in seeds])
    run_side_by_side(
        algorithm,
        federations,
        seeds,
        rounds=rounds,
        cohort_size=cohort_size,
        watch=lambda round, outcomes: look(round, [outcome.state for outcome in outcomes]),
    )
    return found


def global_gradient(values: Tensors, federation: Federation) -> float:
    """Return the squared norm of the gradient of the mean training loss over all examples."""
    total = sum(data.examples for data in federation.clients)
    parts = [
        output_gradient(LINEAR(values, data.train_x), data.train_x, data.train_y) * (data.examples / total)
        for data in federation.clients
    ]
    return float(torch.stack(parts).sum(dim=0).square().sum())


def output_gradient(outputs: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the gradient of the mean cross-entropy for the weights and biases of a linear layer, ``(classes, d + 1)``.

    It depends on the layer only through its `outputs`, so it is defined for a routed layer too: as the gradient for a
    shift of both branches alike.
    """
    errors = torch.softmax(outputs, dim=1) - torch.nn.functional.one_hot(y, outputs.shape[1])
    return errors.T @ torch.cat([x, x.new_ones(len(x), 1)], dim=1) / len(x)


def personal_gradients(
    *,
    settings: Sequence[tuple[str, int]] = (("unlike", 60), ("alike", 15), ("two types", 120)),
    clients: int = 20,
    rounds: int = 25,
    seeds: int = 3,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the squared gradients of clients' test losses at the models of Flow, one linear layer, and two bounds.

    Settings are "unlike" clients, synthetic(1, 1), "alike" ones, or clients whose instances are of "two types" as in
    `lib.flow.mixture`, half of each, with a number of training examples each.

    Returns:
        One row a setting, seed and client: setting, examples, seed, client and what `gradient_terms` returns.
    """
    routing = UnitRouting(LINEAR, (16,), 60)
    algorithm = flow(routing, LocalSGD(lr=0.05, momentum=0.9, batch_size=10, epochs=3), push=0.1)
    rows = []
    for kind, examples in track(settings, "personal gradients", progress):
        every = range(seed, seed + seeds)
        made = [_federation(kind, clients, examples, s).to(device) for s in every]
        for s, one, outcome in zip(
            every, made, run_side_by_side(algorithm, made, list(every), rounds=rounds), strict=True
        ):
            labels = {"setting": kind, "examples": examples, "seed": s}
            found = _terms(algorithm, outcome.state, one, [evaluation_rng(s, rounds, c) for c in range(clients)])
            rows += [labels | {"client": c} | terms for c, terms in enumerate(found)]
    return pd.DataFrame(rows)


def _federation(kind: str, clients: int, examples: int, seed: int) -> Federation:
    sizes = {"clients": clients, "test": 200, "seed": seed}
    if kind == "two types":
        return mixture(rho=0.5, train=examples, features=60, classes=10, **sizes).federation
    return synthetic(alpha=1, beta=1, examples=examples, iid=kind == "alike", **sizes)


def _terms(
    algorithm: Flow, state: ServerState, federation: Federation, rngs: Sequence[np.random.Generator]
) -> list[dict[str, float]]:
    """Return `gradient_terms` of each client of a trained `algorithm` with one routed linear layer."""
    parts, x = algorithm.personalize(state, federation.clients, rngs), padded_tests(federation.clients)
    with torch.no_grad():
        q = algorithm.routing.shares(parts.policy, x)
    ours, own = (algorithm.routed_outputs(parts, x, mode="hard", shares=torch.full_like(q, one)) for one in (0, 1))
    return [
        gradient_terms(ours[c], own[c], q[c, :, 0] > 0.5, data.test_x, data.test_y)
        for c, data in enumerate(federation.clients)
    ]


def gradient_terms(
    ours: torch.Tensor, own: torch.Tensor, local: torch.Tensor, x: torch.Tensor, y: torch.Tensor
) -> dict[str, float]:
    """Return squared gradients of one client's mean loss at the branches of a linear layer and at their routed mix.

    Args:
        ours: outputs ``(n, classes)`` of the global branch.
        own: outputs of the local branch.
        local: which instances take the local branch, booleans ``(n,)``.
        x: inputs of the layer ``(n, d)``.
        y: labels ``(n,)``.

    Returns:
        ``share`` of the instances on the local branch; ``global``, ``local``, ``routed``; ``mix``, the first two
        weighted by the routes; ``parts``, the same with each branch's gradient over the instances that take it alone.
        The routed gradient is the mean of those two gradients with these weights, so its square is at most ``parts``.
    """
    ours, own, x = ours.double(), own.double(), x.double()
    share = float(local.double().mean())

    def square(outputs: torch.Tensor, rows: torch.Tensor) -> float:
        return float(output_gradient(outputs[rows], x[rows], y[rows]).square().sum()) if rows.any() else 0.0

    every = torch.ones_like(local)
    found = {"share": share, "global": square(ours, every), "local": square(own, every)}
    found["routed"] = square(torch.where(local.unsqueeze(1), own, ours), every)
    found["mix"] = share * found["local"] + (1 - share) * found["global"]
    found["parts"] = share * square(own, local) + (1 - share) * square(ours, ~local)
    return found
