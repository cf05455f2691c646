"""Minibatches of several clients side by side: padded to one size, padding weighted zero."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lib.federated.local import LocalSGD, minibatches
from lib.federated.types import ClientData

JOINED_NUMBERS = 2**20  # numbers in the examples of all clients up to which they are joined into one tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """One minibatch of each of C clients.

    Attributes:
        x: inputs, shape ``(C, B, ...)``; a smaller minibatch is filled up with copies of an example of the client.
        y: targets, shape ``(C, B)`` or ``(C, B, ...)``.
        weights: what each example counts in its client's mean loss, shape ``(C, B)``: one over the size of the client's
            minibatch, zero for padding and for clients that have done all their minibatches.
        active: one or zero, shape ``(C,)``: whether the client still trains; None when all do.
    """

    x: torch.Tensor
    y: torch.Tensor
    weights: torch.Tensor
    active: torch.Tensor | None


def cohort_batches(datas: Sequence[ClientData], sgd: LocalSGD, rngs: Sequence[np.random.Generator]) -> Iterator[Batch]:
    """Yield the minibatches of C clients, step by step; client ``c`` draws its own from ``rngs[c]``."""
    return scheduled_batches(
        datas, [minibatches(data.examples, sgd, rng) for data, rng in zip(datas, rngs, strict=True)]
    )


def scheduled_batches(datas: Sequence[ClientData], schedules: Sequence[Sequence[np.ndarray]]) -> Iterator[Batch]:
    """Yield given minibatches of C clients, step by step.

    Client ``c`` uses its training examples ``schedules[c][s]`` in step ``s``, and none once its schedule is over.
    """
    xs, ys = [data.train_x for data in datas], [data.train_y for data in datas]
    dtype = xs[0].dtype if xs[0].is_floating_point() else torch.get_default_dtype()
    device = xs[0].device
    rows, sizes = _table(schedules)
    weights = (np.arange(rows.shape[2]) < sizes[:, :, None]) / np.maximum(sizes, 1)[:, :, None]
    active = torch.from_numpy(sizes > 0).to(device, dtype)
    index, weights = torch.from_numpy(rows).to(device), torch.from_numpy(weights).to(device, dtype)
    take_x, take_y = _taker(xs), _taker(ys)
    for step, longest in enumerate(sizes.max(axis=1)):
        now = index[step, :, :longest]
        everyone = bool(sizes[step].all())
        yield Batch(take_x(now), take_y(now), weights[step, :, :longest], None if everyone else active[step])


def _table(schedules: Sequence[Sequence[np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows form each minibatch, ``(steps, C, B)``, and its size ``(steps, C)``; padding is row zero."""
    steps = max(len(schedule) for schedule in schedules)
    sizes = np.zeros((steps, len(schedules)), dtype=int)
    for c, schedule in enumerate(schedules):
        sizes[: len(schedule), c] = [len(rows) for rows in schedule]
    table = np.zeros((*sizes.shape, sizes.max(initial=0)), dtype=np.int64)
    for c, schedule in enumerate(schedules):
        for step, rows in enumerate(schedule):
            table[step, c, : len(rows)] = rows
    return table, sizes


def _taker(parts: list[torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the function from rows ``(C, B)`` to the examples ``(C, B, ...)`` at these rows of each client's part.

    Small parts are joined, so that one call takes the rows of all clients; copying large ones would cost more than it
    saves.
    """
    if sum(part.numel() for part in parts) > JOINED_NUMBERS:
        return lambda rows: torch.stack([part[own] for part, own in zip(parts, rows, strict=True)])
    joined = parts[0] if len(parts) == 1 else torch.cat(parts)
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    offsets = torch.from_numpy(starts).to(joined.device).unsqueeze(1)
    return lambda rows: joined.index_select(0, (rows + offsets).flatten()).unflatten(0, rows.shape)
