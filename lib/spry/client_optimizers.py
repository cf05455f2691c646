"""Client optimizers as functions, so that one call steps one client or a stack of clients.

They equal `torch.optim.SGD` and `torch.optim.AdamW` with torch's default decay rates. As in the authors' code of Spry
(arXiv 2405.15551), their state starts from nothing in every round.
"""

from collections.abc import Callable

import torch

from lib.federated.local import LocalSGD
from lib.federated.stack import per_client
from lib.federated.types import Tensors

ClientOptimizer = Callable[[Tensors, Tensors, Tensors, int, LocalSGD, "torch.Tensor | None"], tuple[Tensors, Tensors]]


def sgd(
    values: Tensors,
    gradient: Tensors,
    moments: Tensors,
    step: int,
    local: LocalSGD,
    rates: torch.Tensor | None = None,
) -> tuple[Tensors, Tensors]:
    """Return values and moments after one step of gradient descent with momentum and weight decay (not decoupled).

    Args:
        values: parameters by name, any shapes; left as they are.
        gradient: their gradients.
        moments: what the previous step returned, {} before the first.
        step: number of this step, from 1 (not used).
        local: learning rate, momentum and weight decay.
        rates: learning rates ``(C,)`` of the clients in a stack, in place of that of `local`.
    """
    moved, kept = {}, {}
    for name, value in values.items():
        direction = gradient[name]
        if local.weight_decay:
            direction = direction + local.weight_decay * value
        if local.momentum:
            direction = kept[name] = direction + local.momentum * moments.get(name, torch.zeros_like(value))
        moved[name] = value - _rate(local, rates, value) * direction
    return moved, kept


def adamw(
    values: Tensors,
    gradient: Tensors,
    moments: Tensors,
    step: int,
    local: LocalSGD,
    rates: torch.Tensor | None = None,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    floor: float = 1e-8,
) -> tuple[Tensors, Tensors]:
    """Return values and moments after one step of AdamW, whose weight decay is apart from the gradient.

    The arguments are those of `sgd`, and Adam's decay rates and `floor` of the denominator; `local.momentum` is not
    used. Weight decay zero is Adam.
    """
    moved, kept = {}, {}
    for name, value in values.items():
        zero = torch.zeros_like(value)
        m = beta1 * moments.get(f"m.{name}", zero) + (1 - beta1) * gradient[name]
        v = beta2 * moments.get(f"v.{name}", zero) + (1 - beta2) * gradient[name].square()
        scale = (v / (1 - beta2**step)).sqrt() + floor
        lr = _rate(local, rates, value)
        moved[name] = value * (1 - lr * local.weight_decay) - lr / (1 - beta1**step) * m / scale
        kept |= {f"m.{name}": m, f"v.{name}": v}
    return moved, kept


def _rate(local: LocalSGD, rates: torch.Tensor | None, value: torch.Tensor) -> float | torch.Tensor:
    return local.lr if rates is None else per_client(rates.to(value), value)


OPTIMIZERS: dict[str, ClientOptimizer] = {"sgd": sgd, "adamw": adamw}
