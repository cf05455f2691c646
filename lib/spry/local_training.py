"""What a client of Spry and of its baselines computes: estimated gradients of minibatches, and steps along them.

Several clients go at once: their values have a leading axis and the estimate of one is mapped over it by
``torch.func.vmap``. One client alone, as text models are trained, calls the network directly.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch

from lib.federated.batches import Batch, cohort_batches
from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.stack import per_client, stack, unstack
from lib.federated.types import ClientData, Instruction, Scalars, Tensors
from lib.spry.client_optimizers import OPTIMIZERS
from lib.spry.forward_gradient import ForwardGradient, Loss

DropoutMode = Literal["eval", "shared_mask", "as_released"]
RATE = "lr"  # a client's own learning rate among the numbers that it was sent, where runs go side by side


class Method(Protocol):
    """What an algorithm tells the local loop; `lib.spry.spry.Spry` and its baselines do."""

    model: Model
    optimizer: str
    dropout_mode: DropoutMode

    def owned(self, sent: Instruction) -> tuple[str, ...]:
        """Return the names that the client trains."""

    def directions(self, sent: Instruction, iteration: int) -> Tensors:
        """Return the client's perturbations ``(K, *shape)`` in an iteration; {} for backpropagation."""

    def estimate(self, loss: Loss, params: Tensors, directions: Tensors) -> ForwardGradient:
        """Return the estimated gradient of `loss` at `params`."""


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimates of C clients: losses ``(C,)``, slopes ``(C, K)``, gradients ``(C, *shape)`` by name."""

    losses: torch.Tensor
    jvps: torch.Tensor
    gradient: Tensors


def local_training(
    method: Method,
    sent: Sequence[Instruction],
    datas: Sequence[ClientData],
    local: LocalSGD,
    rngs: Sequence[np.random.Generator],
    *,
    watch: Callable[[int, Tensors], None] | None = None,
) -> tuple[list[Tensors], list[int]]:
    """Return what each of C clients has after local training, its own tensors only, and its number of steps.

    A client that was sent a `RATE` of its own takes it; the learning rate of `local` is for the others.

    `watch` is told every client's estimated gradient of every minibatch, its own tensors only.
    """
    owned = [method.owned(instruction) for instruction in sent]
    trained = trained_by(method.model, owned)
    start = stack([{name: s.tensors[name] for name in method.model.names} for s in sent])
    values, moments = {name: start[name].clone() for name in trained}, {}
    mine = {name: torch.tensor([name in names for names in owned], device=values[name].device) for name in trained}
    counts = torch.zeros(len(sent), dtype=torch.long)
    own = any(RATE in instruction.scalars for instruction in sent)
    rates = torch.tensor([s.scalars.get(RATE, local.lr) for s in sent]) if own else None
    for iteration, batch in enumerate(cohort_batches(datas, local, rngs)):
        found = estimates(method, sent, start | values, trained, batch, iteration)
        if watch:
            _tell(watch, found.gradient, owned, batch)
        moved, moments = OPTIMIZERS[method.optimizer](values, found.gradient, moments, iteration + 1, local, rates)
        for name, value in values.items():
            steps = mine[name] if batch.active is None else mine[name] & (batch.active > 0)
            values[name] = torch.where(per_client(steps, value), moved[name], value)
        counts += 1 if batch.active is None else batch.active.long().cpu()
    rows = unstack(values, len(sent))
    return [{n: row[n] for n in trained if n in names} for row, names in zip(rows, owned, strict=True)], counts.tolist()


def _tell(
    watch: Callable[[int, Tensors], None], gradient: Tensors, owned: Sequence[Sequence[str]], batch: Batch
) -> None:
    for client, names in enumerate(owned):
        if batch.active is None or batch.active[client] > 0:
            watch(client, {name: gradient[name][client] for name in names})


def trained_by(model: Model, owned: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return the names that at least one client owns, in the order of the model."""
    union = set().union(*owned)
    return tuple(name for name in model.parameter_names if name in union)


def estimates(
    method: Method, sent: Sequence[Instruction], values: Tensors, trained: Sequence[str], batch: Batch, iteration: int
) -> Estimates:
    """Return the estimates of C clients on their minibatches.

    Args:
        method: draws the directions and estimates.
        sent: the clients' instructions.
        values: all tensors of the model, stacked.
        trained: names that at least one client trains; a client's direction is zero in those that it does not own.
        batch: the clients' minibatches.
        iteration: number of the local iteration, from 0, which the perturbations and the dropout masks depend on.
    """
    method.model.network(train=method.dropout_mode != "eval")  # built here, since a transform may not freeze weights
    drawn = [method.directions(instruction, iteration) for instruction in sent]
    # Tangents refuse the expanded views that `stack` makes of what all clients were sent.
    moving, still = (
        {n: values[n].contiguous() for n in trained},
        {n: v for n, v in values.items() if n not in set(trained)},
    )
    if len(sent) == 1:
        moving, still = ({n: value[0] for n, value in part.items()} for part in (moving, still))
        seed = mask_seed(sent[0].scalars, iteration)
        call = seeded_call(method.model, method.dropout_mode, seed)
        loss = _loss(method.model, still, batch.x[0], batch.y[0], batch.weights[0], call)
        found = method.estimate(loss, moving, {n: v.to(moving[n]) for n, v in drawn[0].items()})
        return Estimates(found.loss[None], found.jvps[None], {n: g[None] for n, g in found.gradient.items()})

    def one(moving, still, directions, x, y, weights):
        loss = _loss(method.model, still, x, y, weights, seeded_call(method.model, method.dropout_mode, 0))
        found = method.estimate(loss, moving, directions)
        return found.loss, found.jvps, found.gradient

    directions = stacked_directions(drawn, moving)
    return Estimates(*torch.func.vmap(one)(moving, still, directions, batch.x, batch.y, batch.weights))


def stacked_directions(drawn: Sequence[Tensors], values: Tensors) -> Tensors:
    """Return C clients' perturbations as ``(C, K, *shape)`` for the names of `values`, zero where a client has none."""
    first = next((value for client in drawn for value in client.values()), None)
    if first is None:
        return {}
    stacked = {}
    for name, value in values.items():
        parts = [client.get(name) for client in drawn]
        if any(part is None for part in parts):
            nothing = first.new_zeros(len(first), *value.shape[1:])
            parts = [nothing if part is None else part for part in parts]
        stacked[name] = torch.stack(parts).to(value.dtype)
    return stacked


def seeded_call(model: Model, mode: DropoutMode, seed: int) -> Callable[[Tensors, torch.Tensor], torch.Tensor]:
    """Return the call of the network in which dropout draws from `seed`, and torch's generators are left as they were.

    `mode` "eval" has no dropout, "shared_mask" the same masks at every call of one minibatch, "as_released" new ones at
    every call, as in the authors' finite-difference baselines. A network without dropout is the same in all.
    """
    if mode not in ("eval", "shared_mask", "as_released"):
        raise ValueError(f"no dropout mode {mode!r}: choose 'eval', 'shared_mask' or 'as_released'")
    calls = itertools.count()

    def call(values: Tensors, x: torch.Tensor) -> torch.Tensor:
        if mode == "eval" or not model.dropout:
            return model(values, x, train=mode != "eval")
        with torch.random.fork_rng(devices=[x.device] if x.device.type == "cuda" else []):
            torch.manual_seed(seed + next(calls) * (mode == "as_released"))
            return model(values, x, train=True)

    return call


def mask_seed(scalars: Scalars, iteration: int) -> int:
    """Return the seed of the dropout masks of one client in one iteration."""
    parts = [scalars["seed"], scalars["round"], scalars["client"], iteration]
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)


def _loss(model: Model, still: Tensors, x, y, weights, call: Callable) -> Loss:
    return lambda moving: (model.loss(call(still | moving, x), y) * weights).sum()
