"""What the server does with the average of its clients: plain averaging, or an adaptive step along it.

Source: Reddi et al., "Adaptive Federated Optimization", arXiv 2003.00295, algorithm 2. With average minus weights as
the negative gradient, every optimizer maps ``(weights, average, moments)`` to ``(weights, moments)`` and changes none
of its arguments. Moments are named ``m.<tensor>`` and ``v.<tensor>``; {} before the first step.
"""

from collections.abc import Callable

import torch

from lib.federated.types import Tensors

ServerOptimizer = Callable[..., tuple[Tensors, Tensors]]


def fedavg(
    weights: Tensors, average: Tensors, moments: Tensors, *, step: int = 1, lr: float = 1.0
) -> tuple[Tensors, Tensors]:
    """Return weights moved by `lr` of the way to `average`; at `lr` one, the average itself."""
    if lr == 1:
        return dict(average), {}
    return {name: value + lr * (average[name] - value) for name, value in weights.items()}, {}


def fedadagrad(
    weights: Tensors,
    average: Tensors,
    moments: Tensors,
    *,
    step: int = 1,
    lr: float = 0.1,
    beta1: float = 0.0,
    tau: float = 1e-3,
    initial_v: float | None = None,
) -> tuple[Tensors, Tensors]:
    """Return weights and moments after one FedAdagrad step: ``v + delta**2``, see `fedadam` for the arguments."""
    return _adaptive(weights, average, moments, lambda v, d2: v + d2, lr, beta1, tau, initial_v)


def fedadam(
    weights: Tensors,
    average: Tensors,
    moments: Tensors,
    *,
    step: int = 1,
    lr: float = 0.1,
    beta1: float = 0.9,
    beta2: float = 0.99,
    tau: float = 1e-3,
    initial_v: float | None = None,
    bias_correction: bool = False,
) -> tuple[Tensors, Tensors]:
    """Return weights and moments after one FedAdam step.

    Args:
        weights: the server's tensors.
        average: the weighted mean of the clients' tensors.
        moments: what the previous step returned.
        step: number of this step, from 1; only the bias correction reads it.
        lr: server learning rate.
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        tau: floor of the denominator; larger means less adaptive.
        initial_v: second moment before the first step; None is ``tau**2``, the paper's smallest choice.
        bias_correction: multiply `lr` by ``sqrt(1 - beta2**step) / (1 - beta1**step)`` as Adam does (not in the paper).
    """
    if bias_correction:
        lr = lr * (1 - beta2**step) ** 0.5 / (1 - beta1**step)
    return _adaptive(weights, average, moments, lambda v, d2: beta2 * v + (1 - beta2) * d2, lr, beta1, tau, initial_v)


def fedyogi(
    weights: Tensors,
    average: Tensors,
    moments: Tensors,
    *,
    step: int = 1,
    lr: float = 0.1,
    beta1: float = 0.9,
    beta2: float = 0.99,
    tau: float = 1e-3,
    initial_v: float | None = None,
) -> tuple[Tensors, Tensors]:
    """Return weights and moments after one FedYogi step, whose second moment changes by bounded amounts.

    The arguments are those of `fedadam`.
    """

    def second(v: torch.Tensor, d2: torch.Tensor) -> torch.Tensor:
        return v - (1 - beta2) * d2 * torch.sign(v - d2)

    return _adaptive(weights, average, moments, second, lr, beta1, tau, initial_v)


def _adaptive(weights, average, moments, second, lr, beta1, tau, initial_v) -> tuple[Tensors, Tensors]:
    if tau <= 0:
        raise ValueError(f"tau = {tau} must be positive, it keeps the denominator from zero; give 1e-3, say")
    start = tau**2 if initial_v is None else initial_v
    updated, kept = {}, {}
    for name, value in weights.items():
        delta = average[name] - value
        m = beta1 * moments.get(f"m.{name}", torch.zeros_like(value)) + (1 - beta1) * delta
        v = second(moments.get(f"v.{name}", torch.full_like(value, start)), delta.square())
        updated[name] = value + lr * m / (v.sqrt() + tau)
        kept |= {f"m.{name}": m, f"v.{name}": v}
    return updated, kept
