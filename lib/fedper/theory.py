"""What can be proved about FedPer, in forms that can be checked (the companion's propositions: the paper has none)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from lib.federated.model import Model
from lib.federated.seeds import client_rng, configure_rng
from lib.federated.types import Algorithm, ClientData, Federation, Memory, ServerState, Tensors
from lib.nets import UnitNet


def trajectory(
    algorithm: Algorithm, federation: Federation, *, rounds: int, seed: int
) -> Iterator[tuple[ServerState, dict[int, Memory]]]:
    """Yield the server's state and the clients' memories before the first round and after each of `rounds` rounds.

    The same protocol and the same draws as `lib.federated.run` with full participation and no failures.
    """
    state, memories, clients = algorithm.init(seed), {}, range(len(federation))
    yield state, memories
    for round in range(1, rounds + 1):
        sent = algorithm.configure(state, round, clients, configure_rng(seed, round))
        results = algorithm.train_cohort(
            [sent[c] for c in clients],
            federation.clients,
            [memories.get(c, {}) for c in clients],
            [client_rng(seed, round, c) for c in clients],
        )
        state = algorithm.aggregate(state, {c: update for c, (update, _) in enumerate(results)})
        memories = {c: memory for c, (_, memory) in enumerate(results)}
        yield state, memories


@dataclass(frozen=True)
class BlockDescent:
    """The state of block gradient descent: `base`, one personal block a client, and the `objective` there."""

    base: Tensors
    personal: tuple[Tensors, ...]
    objective: float


def block_descent(
    model: Model, federation: Federation, base: Tensors, personal: Sequence[Tensors], *, lr: float, steps: int
) -> Iterator[BlockDescent]:
    """Yield the states of gradient descent on the weighted objective, in one place and without any federation.

    The objective is ``F = sum_j g_j L_j(base, personal_j)`` with ``g_j`` a client's share of all examples and ``L_j``
    its mean loss. The base takes the step `lr`, the personal block of client ``j`` the step ``lr / g_j``; FedPer with
    one full-batch local step a round is this method. The first state yielded is the start.
    """
    total = sum(data.examples for data in federation.clients)
    shares = [data.examples / total for data in federation.clients]
    base, personal = dict(base), [dict(block) for block in personal]
    for step in range(steps + 1):
        leaves = {name: value.detach().requires_grad_() for name, value in base.items()}
        blocks = [{name: value.detach().requires_grad_() for name, value in block.items()} for block in personal]
        losses = [
            model.loss(model(leaves | block, data.train_x), data.train_y).mean()
            for block, data in zip(blocks, federation.clients, strict=True)
        ]
        objective = sum(share * loss for share, loss in zip(shares, losses, strict=True))
        yield BlockDescent(dict(base), tuple(dict(block) for block in personal), float(objective.detach()))
        if step == steps:
            return
        inputs = [*leaves.values(), *(value for block in blocks for value in block.values())]
        found = iter(torch.autograd.grad(objective, inputs))
        base = {name: value - lr * next(found) for name, value in base.items()}
        personal = [
            {name: value - lr / share * next(found) for name, value in block.items()}
            for share, block in zip(shares, personal, strict=True)
        ]


def largest_curvature(model: Model, values: Tensors, data: ClientData, *, iterations: int = 15) -> float:
    """Return the largest absolute eigenvalue of the Hessian of one client's mean loss, by power iteration.

    A lower estimate of the loss's smoothness, from `values` in the neighbourhood that matters.
    """
    leaves = [value.detach().requires_grad_() for value in values.values()]
    loss = model.loss(model(dict(zip(values, leaves, strict=True)), data.train_x), data.train_y).mean()
    slopes = torch.autograd.grad(loss, leaves, create_graph=True)
    generator = torch.Generator().manual_seed(0)
    vector = [torch.randn(value.shape, generator=generator, dtype=value.dtype) for value in slopes]
    size = torch.sqrt(sum(part.square().sum() for part in vector))
    for _ in range(iterations):
        unit = [part / size for part in vector]
        product = sum((slope * part).sum() for slope, part in zip(slopes, unit, strict=True))
        vector = torch.autograd.grad(product, leaves, retain_graph=True)
        size = torch.sqrt(sum(part.square().sum() for part in vector))
    return float(size)


def largest_difference(first: Tensors, second: Tensors) -> float:
    """Return the largest absolute difference between two sets of tensors with the same names."""
    return max(float((first[name] - second[name]).abs().max()) for name in first)


def linear_representation(d: int, r: int) -> UnitNet:
    """Return ``x -> w (B x)``: a base of `r` linear features of `d` inputs, and a personal linear head, no biases."""
    return UnitNet([nn.Sequential(nn.Linear(d, r, bias=False)), nn.Sequential(nn.Linear(r, 1, bias=False))])


def linear_federation(*, clients: int, examples: int, d: int, r: int, seed: int) -> tuple[Federation, np.ndarray]:
    """Return clients whose responses are linear in `r` shared directions, and these directions ``(d, r)``, orthonormal.

    ``y = <w_j, B^T x>`` without noise, with standard normal ``x`` and ``w_j``; every client tests on 100 examples.
    The setting is that of Collins et al., arXiv 2102.07078.
    """
    if not 1 <= r < d or examples < 1:
        raise ValueError(f"d = {d}, r = {r}, {examples} examples: r must be below d, and a client needs an example")
    rng = np.random.default_rng([seed, d, r])
    directions = np.linalg.qr(rng.standard_normal((d, r)))[0]
    parts = []
    for _ in range(clients):
        x = rng.standard_normal((examples + 100, d))
        y = x @ directions @ rng.standard_normal(r)
        x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
        parts.append(ClientData(x[:examples], y[:examples], x[examples:], y[examples:]))
    return Federation("shared linear representation", tuple(parts), 0), directions


def subspace_distance(rows: np.ndarray, directions: np.ndarray) -> float:
    """Return the sine of the largest angle between the spans of `rows` ``(r, d)`` and of `directions` ``(d, r)``.

    0 when they span the same space, 1 when some direction is orthogonal to all rows.
    """
    found = np.linalg.qr(np.asarray(rows, dtype=np.float64).T)[0]
    wanted = np.linalg.qr(np.asarray(directions, dtype=np.float64))[0]
    return float(np.linalg.norm(wanted - found @ (found.T @ wanted), ord=2))
