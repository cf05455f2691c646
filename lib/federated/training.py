"""Local training of several clients at once, on parameters with a leading client axis."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from lib.federated.batches import Batch, cohort_batches
from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.stack import per_client
from lib.federated.types import ClientData, Tensors


def local_sgd(
    model: Model,
    start: Tensors,
    datas: Sequence[ClientData],
    sgd: LocalSGD,
    rngs: Sequence[np.random.Generator],
    *,
    trained: Iterable[str] | None = None,
    proximal: float = 0.0,
    anchor: Tensors | None = None,
) -> Tensors:
    """Return the values of C clients after local training, shapes ``(C, ...)``.

    Each client minimizes its mean loss plus ``proximal / 2`` times the squared distance of its parameters to `anchor`.

    Args:
        model: network and loss; one with buffers trains one client at a time (C = 1).
        start: values to start from, stacked, every name of the model; left as they are.
        datas: the clients' data, C of them.
        sgd: learning rate, minibatches and so on.
        rngs: the clients' generators.
        trained: names of the parameters to train, the others stay frozen; None trains all.
        proximal: strength of the pull to `anchor`.
        anchor: stacked values to stay near; None is `start`.
    """
    names = model.parameter_names if trained is None else tuple(trained)
    values = {name: value.clone(memory_format=torch.contiguous_format) for name, value in start.items()}
    anchor, velocity = anchor or start, {}
    for batch in cohort_batches(datas, sgd, rngs):
        directions = gradients(model, values, batch, names)
        if proximal:
            directions = {n: d.add(values[n] - anchor[n], alpha=proximal) for n, d in directions.items()}
        if sgd.weight_decay:
            directions = {n: d.add(values[n], alpha=sgd.weight_decay) for n, d in directions.items()}
        if sgd.momentum:
            for name in velocity:
                torch.add(directions[name], velocity[name], alpha=sgd.momentum, out=velocity[name])
            # Two parameters may share one gradient tensor, so momenta are kept in tensors of their own.
            directions = velocity = velocity or {name: d.clone() for name, d in directions.items()}
        descend(values, directions, sgd.lr, batch)
    return values


def gradients(model: Model, values: Tensors, batch: Batch, names: Iterable[str]) -> Tensors:
    """Return the gradients of each client's mean minibatch loss with respect to its parameters `names`, stacked.

    The losses of different clients share no parameter, so one backward pass of their sum gives every client its own.
    """
    leaves = {name: values[name].detach().requires_grad_() for name in names}
    if not leaves:
        return {}
    with torch.enable_grad():
        outputs = model.stacked(values | leaves, batch.x, train=True)
        losses = model.loss(outputs.flatten(0, 1), batch.y.flatten(0, 1))
        total = (losses * batch.weights.flatten()).sum()
    found = torch.autograd.grad(total, list(leaves.values()), materialize_grads=True)
    return dict(zip(leaves, found, strict=True))


def descend(values: Tensors, directions: Tensors, lr: float, batch: Batch) -> None:
    """Subtract `lr` times `directions` from `values` in place, for the clients that are still active in `batch`."""
    for name, direction in directions.items():
        if batch.active is not None:
            direction = direction * per_client(batch.active, direction)
        values[name].sub_(direction, alpha=lr)
