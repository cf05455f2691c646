"""Projected gradient ascent (PGA): train away from the data. Source: Shejwalkar et al., arXiv 2108.10241."""

from collections.abc import Callable

import torch


def gradient_ascent(
    loss: Callable[[torch.Tensor], torch.Tensor],
    weights: torch.Tensor,
    *,
    steps: int = 10,
    lr: float = 0.1,
    norm: float | None = None,
) -> torch.Tensor:
    """Return the update ``(d,)`` of `steps` of gradient ascent on `loss` from `weights` ``(d,)``.

    `norm` brings the update to that length, the bound of the server or of the benign updates; None leaves it.
    """
    if steps < 1 or lr <= 0:
        raise ValueError(f"steps = {steps} must be at least 1 and lr = {lr} positive")
    current = weights.detach()
    for _ in range(steps):
        leaf = current.clone().requires_grad_()
        with torch.enable_grad():
            gradient = torch.autograd.grad(loss(leaf), leaf)[0]
        current = current + lr * gradient
    update = current - weights
    length = update.norm()
    return update if norm is None or length == 0 else update * (norm / length)
