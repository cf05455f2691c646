"""Minibatches of several clients side by side: padded to one size, padding weighted zero."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lib.federated.local import LocalSGD, minibatches
from lib.federated.types import ClientData


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
    x, y = (_joined([getattr(data, part) for data in datas]) for part in ("train_x", "train_y"))
    dtype = x.dtype if x.is_floating_point() else torch.get_default_dtype()
    rows, sizes = _table(schedules, np.cumsum([0, *(data.examples for data in datas[:-1])]))
    weights = (np.arange(rows.shape[2]) < sizes[:, :, None]) / np.maximum(sizes, 1)[:, :, None]
    active = torch.from_numpy(sizes > 0).to(x.device, dtype)
    index, weights = torch.from_numpy(rows).to(x.device), torch.from_numpy(weights).to(x.device, dtype)
    for step, longest in enumerate(sizes.max(axis=1)):
        now = index[step, :, :longest]
        flat = now.flatten()
        everyone = bool(sizes[step].all())
        yield Batch(
            x.index_select(0, flat).unflatten(0, now.shape),
            y.index_select(0, flat).unflatten(0, now.shape),
            weights[step, :, :longest],
            None if everyone else active[step],
        )


def _table(schedules: Sequence[Sequence[np.ndarray]], offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows form each minibatch, ``(steps, C, B)``, and its size ``(steps, C)``; padding is row zero."""
    steps = max(len(schedule) for schedule in schedules)
    sizes = np.zeros((steps, len(schedules)), dtype=int)
    for c, schedule in enumerate(schedules):
        sizes[: len(schedule), c] = [len(rows) for rows in schedule]
    table = np.repeat(np.tile(offsets, (steps, 1))[:, :, None], sizes.max(initial=0), axis=2)
    for c, schedule in enumerate(schedules):
        for step, rows in enumerate(schedule):
            table[step, c, : len(rows)] += rows
    return table, sizes


def _joined(parts: list[torch.Tensor]) -> torch.Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)
