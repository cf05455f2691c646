"""Gradient estimates from values of the loss alone: what Spry (arXiv 2405.15551) is compared with.

All return a `ForwardGradient` whose `jvps` are finite differences instead of exact derivatives. Noise of dropout is the
loss's business: see `lib.spry.text_model.dropout_loss`.
"""

import torch

from lib.federated.types import Tensors
from lib.spry.forward_gradient import ForwardGradient, Loss, check_directions, combine


def central_difference(
    loss: Loss, params: Tensors, directions: Tensors, *, step: float, at_once: bool = False
) -> ForwardGradient:
    """Return the gradient estimate from ``(f(w + step v) - f(w - step v)) / (2 step)``, in 2 K passes.

    The error of a derivative is ``O(step^2)``, plus rounding of order ``eps |f| / step``.

    Args:
        loss: parameters by name to a scalar; run without a graph.
        params: values of the parameters.
        directions: ``(K, *shape)`` for some of the names.
        step: distance along the direction.
        at_once: evaluate the 2 K points together (`torch.func.vmap`), at the memory of 2 K passes.

    Returns:
        derivatives ``(K,)``, and as `loss` the mean of the 2 K values (the unperturbed one is not computed).

    Raises ValueError if `step` is not positive or directions do not fit.
    """
    ups, downs, typed = _both_sides(loss, params, directions, step, at_once)
    jvps = (ups - downs) / (2 * step)
    return ForwardGradient(torch.cat([ups, downs]).mean(), jvps, combine(jvps, typed), 2 * len(jvps))


def mezo(
    loss: Loss, params: Tensors, directions: Tensors, *, step: float = 1e-3, at_once: bool = False
) -> ForwardGradient:
    """Return MeZO's estimate (arXiv 2305.17333, Algorithm 1): a central difference along standard normal directions.

    FedMeZO (arXiv 2402.05926) uses K = 1. The original replays the direction from a seed to save its memory and walks
    in place, +step, -2 step, +step; the numbers are the same up to rounding.
    """
    return central_difference(loss, params, directions, step=step, at_once=at_once)


def baffle(
    loss: Loss,
    params: Tensors,
    directions: Tensors,
    *,
    step: float = 1e-4,
    as_released: bool = False,
    at_once: bool = False,
) -> ForwardGradient:
    """Return Baffle's estimate by Stein's identity (arXiv 2301.12195), in its central form, in 2 K passes.

    With ``delta = step v`` it is the mean over k of ``(f(w + delta_k) - f(w - delta_k)) / (2 step) * delta_k / step``,
    which is a central difference along v.

    Args:
        loss: see `central_difference`.
        params: see `central_difference`.
        directions: standard normal ``v``, ``(K, *shape)``.
        step: standard deviation sigma of delta.
        as_released: repeat the defect of Spry's released port: perturbations after the first are multiplied by
            ``step / 2`` where they should be divided by ``2 step``, and the first is divided by ``step`` alone, twice
            too large. For small steps K perturbations then carry the information of one.
        at_once: see `central_difference`.
    """
    found = central_difference(loss, params, directions, step=step, at_once=at_once)
    if not as_released:
        return found
    factors = torch.full_like(found.jvps, step**2)  # (step / 2) / (1 / (2 step))
    factors[0] = 2
    jvps = found.jvps * factors
    return ForwardGradient(found.loss, jvps, combine(jvps, _typed(params, directions)), found.passes)


def cosines(candidates: Tensors, previous: Tensors) -> torch.Tensor:
    """Return the cosine ``(C,)`` of each candidate with `previous`, over all names of `candidates` together.

    Where `previous` is zero all cosines are zero.
    """
    rows = torch.cat([value.reshape(len(value), -1) for value in candidates.values()], dim=1)
    aim = torch.cat([previous[name].flatten() for name in candidates]).to(rows)
    products, lengths = rows @ aim, rows.norm(dim=1) * aim.norm()
    return torch.where(lengths > 0, products / lengths, torch.zeros_like(products))


def gradient_variance(gradients: list[Tensors]) -> float:
    """Return the disagreement of a client's gradients of single minibatches: FwdLLM's gate for aggregation.

    The list is split in two halves, and the result is the mean over coordinates of the squared distance of the halves'
    means, over 4: an estimate of the variance of the mean over all. FwdLLM leaves a client out of the average when this
    exceeds a threshold; this normalisation is the companion's. (Spry's released port sets the variance to zero, so that
    the gate is always open.)

    Raises ValueError for fewer than two gradients.
    """
    if len(gradients) < 2:
        raise ValueError("give at least two gradients: the variance comes from two halves")
    half = len(gradients) // 2
    total, count = 0.0, 0
    for name, value in gradients[0].items():
        first = torch.stack([gradient[name] for gradient in gradients[:half]]).mean(dim=0)
        second = torch.stack([gradient[name] for gradient in gradients[half : 2 * half]]).mean(dim=0)
        total += (first - second).square().sum().item() / 4
        count += value.numel()
    return total / count


def _both_sides(
    loss: Loss, params: Tensors, directions: Tensors, step: float, at_once: bool
) -> tuple[torch.Tensor, torch.Tensor, Tensors]:
    """Return the losses ``(K,)`` on either side, and the directions in the parameters' type and place."""
    count = check_directions(params, directions)
    if not step > 0:
        raise ValueError(f"step is {step}: give a positive distance")
    typed = _typed(params, directions)
    still = {name: value.detach() for name, value in params.items() if name not in directions}
    with torch.no_grad():
        if at_once:
            sides = [{n: params[n].detach() + d * v for n, v in typed.items()} for d in (step, -step)]
            points = {name: torch.cat([side[name] for side in sides]) for name in typed}
            values = torch.func.vmap(lambda moved: loss(still | moved), randomness="same")(points)
            ups, downs = values[:count], values[count:]
        else:
            ups, downs = (
                torch.stack([loss(_moved(params, typed, k, distance)) for k in range(count)])
                for distance in (step, -step)
            )
    return ups, downs, typed


def _moved(params: Tensors, directions: Tensors, k: int, distance: float) -> Tensors:
    moved = {name: params[name].detach() + distance * value[k] for name, value in directions.items()}
    return {name: value.detach() for name, value in params.items()} | moved


def _typed(params: Tensors, directions: Tensors) -> Tensors:
    return {name: value.to(params[name]) for name, value in directions.items()}
