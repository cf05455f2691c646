"""Numerical checks of the propositions in `lib.fedper.theory`."""

import functools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from torch import nn

from lib.federated.algorithms import FedAvg, FedRep
from lib.federated.local import LocalSGD
from lib.federated.model import Model, squared_error
from lib.federated.side_by_side import Outcome, run_side_by_side
from lib.federated.stack import select
from lib.federated.types import Algorithm, Federation
from lib.fedper.experiments.arms import DIGITS_NET, Progress, track
from lib.fedper.federations import class_federation, digits
from lib.fedper.fedper import FedPer, fedper
from lib.fedper.theory import (
    BlockDescent,
    block_descent,
    largest_curvature,
    largest_difference,
    linear_federation,
    linear_representation,
    subspace_distance,
    trajectory,
)


def block_descent_check(
    *, rates: Sequence[float] = (0.05, 0.15, 0.25, 0.4), personal_units: int = 1, rounds: int = 40, seed: int = 0
) -> pd.DataFrame:
    """Run FedPer with one full-batch step a round beside block gradient descent on the pooled objective.

    Both in double precision: where a step is long, rounding grows from round to round, and single precision would hide
    whether the two are the same.

    Returns:
        One row a learning rate and round: lr, round, objective (of the descent), difference (largest absolute
        difference between the weights of the two, base and personal layers), bound (the step up to which the
        objective must fall: two over the largest curvature of a client's loss at the start,
        in the middle and at the end of this path).
    """
    federation = _double(class_federation(*digits(), classes_per_client=4, seed=seed))
    bounds = {}
    rows = []
    for lr in rates:
        algorithm = fedper(
            double_net,
            personal_units=personal_units,
            local=LocalSGD(lr=lr, batch_size=None, epochs=1),
            head_init="common",
            seed=seed,
        )
        base = algorithm.init(seed).tensors
        head = select(algorithm.model.init(seed), algorithm.personal)
        descent = block_descent(algorithm.model, federation, base, [head] * len(federation), lr=lr, steps=rounds)
        steps = trajectory(algorithm, federation, rounds=rounds, seed=seed)
        curvature = 0.0
        for round, (one, (state, memories)) in enumerate(zip(descent, steps, strict=True)):
            if round in (0, rounds // 2, rounds):
                curvature = max(curvature, _curvature(algorithm.model, federation, one))
            apart = [largest_difference(one.base, state.tensors)]
            apart += [largest_difference(one.personal[c], memory) for c, memory in memories.items()]
            rows.append({"lr": lr, "round": round, "objective": one.objective, "difference": max(apart)})
        bounds[lr] = 2 / curvature
    return pd.DataFrame(rows).assign(bound=lambda table: table["lr"].map(bounds))


def double_net() -> nn.Module:
    """Return the network of the digits in double precision."""
    return DIGITS_NET().double()


def _double(federation: Federation) -> Federation:
    clients = (replace(c, train_x=c.train_x.double(), test_x=c.test_x.double()) for c in federation.clients)
    return replace(federation, clients=tuple(clients))


def _curvature(model: Model, federation: Federation, state: BlockDescent) -> float:
    return max(
        largest_curvature(model, state.base | own, data)
        for own, data in zip(state.personal, federation.clients, strict=True)
    )


def shared_representation(
    *,
    examples: Sequence[int] = (10, 40),
    clients: int = 30,
    d: int = 20,
    r: int = 2,
    rounds: int = 120,
    lr: float = 0.1,
    head_steps: int = 5,
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return how fast the shared linear directions are found, in the setting of Collins et al., arXiv 2102.07078.

    FedPer takes one joint full-batch step a round, FedRep one step on the head and then one on the base, or
    `head_steps` and one, FedAvg one step on one model for all. "local only" is each client's least-squares fit of
    smallest norm, at which gradient descent from zero ends.

    Returns:
        One row a method, seed and recorded round: examples (a client), method, seed, round, distance (sine of the
        largest principal angle between base and true directions; NaN for local fits, which have no common base),
        error (test error over the variance of the response, mean over clients).
    """
    rows, every = [], range(seed, seed + seeds)
    for n in track(examples, "shared representation", progress):
        made = [linear_federation(clients=clients, examples=n, d=d, r=r, seed=s) for s in every]
        federations = [federation for federation, _ in made]
        for name, algorithm in _linear_methods(d, r, lr, head_steps).items():
            watch = functools.partial(_note, rows, n, name, algorithm, made, every)
            run_side_by_side(algorithm, federations, list(every), rounds=rounds, watch=watch)
        for s, federation in zip(every, federations, strict=True):
            alone = _least_squares_error(federation)
            rows += [[n, "local only", s, round, np.nan, alone] for round in range(10, rounds + 1, 10)]
    return pd.DataFrame(rows, columns=["examples", "method", "seed", "round", "distance", "error"])


def _note(
    rows: list[list],
    n: int,
    name: str,
    algorithm: Algorithm,
    made: Sequence[tuple[Federation, np.ndarray]],
    seeds: Sequence[int],
    round: int,
    outcomes: Sequence[Outcome],
) -> None:
    """Add to `rows` those of `shared_representation` after every tenth round, one a seed."""
    if round % 10:
        return
    for seed, (federation, directions), found in zip(seeds, made, outcomes, strict=True):
        distance = subspace_distance(found.state.tensors["blocks.0.0.weight"].numpy(), directions)
        rows.append(
            [n, name, seed, round, distance, _relative_error(algorithm, federation, found.state, found.memories)]
        )


def _linear_methods(d: int, r: int, lr: float, head_steps: int) -> dict[str, Algorithm]:
    model = Model(functools.partial(linear_representation, d, r), squared_error)
    once = LocalSGD(lr=lr, batch_size=None, epochs=1)
    more = LocalSGD(lr=lr, batch_size=None, epochs=head_steps)
    personal = model.names[1:]
    return {
        "FedRep": FedRep(model=model, local=once, head=once, personal=personal),
        f"FedRep, {head_steps} head steps": FedRep(model=model, local=once, head=more, personal=personal),
        "FedPer": FedPer(model=model, local=once, personal=personal),
        "FedAvg": FedAvg(model=model, local=once),
    }


def _least_squares_error(federation: Federation) -> float:
    """Return the mean over clients of the relative test error of the least-squares fit of smallest norm."""
    errors = []
    for data in federation.clients:
        weights = np.linalg.lstsq(data.train_x.double().numpy(), data.train_y.double().numpy(), rcond=None)[0]
        target = data.test_y.double().numpy()
        errors.append(np.mean((data.test_x.double().numpy() @ weights - target) ** 2) / np.mean(target**2))
    return float(np.mean(errors))


def _relative_error(algorithm: Algorithm, federation: Federation, state, memories) -> float:
    """Return the mean over clients of test error (half squared) over half the variance of the responses."""
    rngs = [np.random.default_rng(0) for _ in federation.clients]
    kept = [memories.get(c, {}) for c in range(len(federation))]
    found = algorithm.evaluate_cohort(state, federation.clients, kept, rngs)
    scales = [float(data.test_y.square().mean()) / 2 for data in federation.clients]
    return float(np.mean([metrics["personal_loss"] / scale for metrics, scale in zip(found, scales, strict=True)]))
