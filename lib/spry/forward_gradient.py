"""Forward gradients: directional derivatives from one forward pass each, times the directions.

Source: Baydin et al. (arXiv 2202.08587); used on parts of the trainable weights by Spry (arXiv 2405.15551).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch.autograd import forward_ad

from lib.federated.types import Tensors

Loss = Callable[[Tensors], torch.Tensor]  # all parameters by name -> scalar
Backend = Literal["func", "dual"]


@dataclass(frozen=True, eq=False)
class ForwardGradient:
    """An estimate of the gradient from directional derivatives.

    Attributes:
        loss: value of the loss, a scalar tensor; the mean over the evaluations at the unperturbed point, if several.
        jvps: ``(K,)`` directional derivatives, exact or by finite differences, not finite ones included.
        gradient: `combine` of them, for the perturbed names only.
        passes: evaluations of the loss that this took; one with a tangent counts one.
    """

    loss: torch.Tensor
    jvps: torch.Tensor
    gradient: Tensors
    passes: int


def forward_gradient(
    loss: Loss, params: Tensors, directions: Tensors, *, backend: Backend | None = None, at_once: bool = False
) -> ForwardGradient:
    """Return the forward gradient of `loss` at `params` along `directions`.

    With standard normal directions it is unbiased; its relative squared error is ``(d + 1) / K`` for d numbers.

    Args:
        loss: parameters by name to a scalar. If it draws random numbers (dropout), each of the K passes has its own
            and its own loss value; `lib.spry.text_model.dropout_loss` fixes them.
        params: values of the parameters.
        directions: ``(K, *shape)`` for some of the names; the others are constants and carry no tangent.
        backend: ``"func"``, `torch.func.jvp`, or ``"dual"``, `torch.autograd.forward_ad`; both give the same numbers.
            None is the quicker one that can do it: ``"dual"``, or ``"func"`` at once.
        at_once: propagate the K tangents together (`torch.func.vmap`): the values are computed once, at the memory of K
            tangents and with the same random numbers for all K. PyTorch can do this with ``"func"`` only.

    Raises ValueError if there is no direction, if names or shapes do not fit, or for ``"dual"`` at once.
    """
    count = check_directions(params, directions)
    backend = backend or ("func" if at_once else "dual")
    if backend not in ("func", "dual"):
        raise ValueError(f"backend is {backend!r}: choose 'func' or 'dual'")
    if at_once and backend == "dual":
        raise ValueError("dual numbers cannot be batched (no vmap rule for make_dual): use backend='func' at once")
    derivative = _func if backend == "func" else _dual
    moving = {name: params[name].detach() for name in directions}
    still = {name: value.detach() for name, value in params.items() if name not in directions}

    def along(direction: Tensors) -> tuple[torch.Tensor, torch.Tensor]:
        return derivative(lambda values: loss(still | values), moving, direction)

    # Tangents pass through no_grad (and only they should: no graph for backpropagation is kept).
    with torch.no_grad():
        typed = {name: value.to(params[name]) for name, value in directions.items()}
        if at_once:
            values, jvps = torch.func.vmap(along, randomness="same")(typed)
        else:
            each = [along({name: value[k] for name, value in typed.items()}) for k in range(count)]
            values, jvps = (torch.stack(column) for column in zip(*each, strict=True))
        return ForwardGradient(values.mean(), jvps, combine(jvps, typed), 1 if at_once else count)


def combine(jvps: torch.Tensor, directions: Tensors) -> Tensors:
    """Return ``mean_k jvps[k] * directions[name][k]`` for each name.

    Derivatives that are not finite (overflow of a low-precision tangent) are left out of the mean; if none is finite
    the result is zero, that is, no step. The server of the per-iteration protocol calls this with the K scalars it got.
    """
    finite = jvps.isfinite()
    weights = torch.where(finite, jvps, 0) / finite.sum().clamp(min=1)
    return {name: torch.tensordot(weights.to(value), value, dims=1) for name, value in directions.items()}


def check_directions(params: Tensors, directions: Tensors) -> int:
    """Return the number K of directions; raises ValueError if names or shapes do not fit `params`."""
    counts = {len(value) if value.dim() else 0 for value in directions.values()}
    if len(counts) != 1 or 0 in counts:
        raise ValueError("give K >= 1 directions, the same number for each of at least one parameter")
    for name, value in directions.items():
        if name not in params or value.shape[1:] != params[name].shape:
            known = tuple(params[name].shape) if name in params else "no such parameter"
            raise ValueError(f"direction {name!r} is {tuple(value.shape)}: it must be (K, *shape), shape {known}")
    return counts.pop()


def _func(loss: Loss, values: Tensors, tangents: Tensors) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.func.jvp(loss, (values,), (tangents,))


def _dual(loss: Loss, values: Tensors, tangents: Tensors) -> tuple[torch.Tensor, torch.Tensor]:
    with forward_ad.dual_level():
        duals = {name: forward_ad.make_dual(value, tangents[name]) for name, value in values.items()}
        value, tangent = forward_ad.unpack_dual(loss(duals))
        # A loss that the perturbed parameters do not reach has no tangent at all.
        return value, torch.zeros_like(value) if tangent is None else tangent
