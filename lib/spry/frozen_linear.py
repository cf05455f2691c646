"""Layers whose forward-mode rule leaves out the tangents that are not there.

PyTorch's rule for a linear layer with a frozen weight multiplies by an all-zero tangent of that weight, which costs as
much as a dense product: 3 forward passes a directional derivative where 2 suffice. The layers here compute the same
values, directional derivatives and gradients.
"""

import torch
from torch import nn

from lib.spry.frozen_adapter import Lora, is_lora
from lib.spry.frozen_attention import use_attention
from lib.spry.frozen_norms import LayerNorm, RmsNorm, is_rms_norm
from lib.spry.frozen_rule import Rule


class _Product(Rule):
    """``x W^T + b``, differentiable in all three; absent tangents cost nothing."""

    @staticmethod
    def forward(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        return nn.functional.linear(x, weight, bias)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        x, weight, _ = inputs
        needs_x, needs_weight, _ = ctx.needs_input_grad
        ctx.set_materialize_grads(False)
        # Like PyTorch's own layer, keep no activation for the backward pass that a frozen weight has no use for.
        ctx.save_for_backward(x if needs_weight else None, weight if needs_x else None)
        ctx.save_for_forward(x, weight)

    @staticmethod
    def jvp(ctx, x_t, weight_t, bias_t):
        x, weight = ctx.saved_tensors
        if x_t is None and weight_t is None:
            return bias_t.expand(*x.shape[:-1], -1).clone()
        if x_t is None:
            return nn.functional.linear(x, weight_t, bias_t)
        if weight_t is None:
            return nn.functional.linear(x_t, weight, bias_t)
        if x.shape[-1] < weight.shape[0]:  # one product with twice the (few) columns, such as LoRA's B
            return nn.functional.linear(torch.cat([x_t, x], -1), torch.cat([weight, weight_t], -1), bias_t)
        return nn.functional.linear(x_t, weight) + nn.functional.linear(x, weight_t, bias_t)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        if grad is None:
            return None, None, None
        rows = grad.reshape(-1, grad.shape[-1])
        return (
            grad @ weight if needs_x else None,
            rows.T @ x.reshape(-1, x.shape[-1]) if needs_weight else None,
            rows.sum(dim=0) if needs_bias else None,
        )


class Linear(nn.Linear):
    """`nn.Linear` with the parameters of another one, and a forward-mode rule that skips absent tangents."""

    def __init__(self, other: nn.Linear):
        nn.Module.__init__(self)
        self.in_features, self.out_features = other.in_features, other.out_features
        self.weight, self.bias = other.weight, other.bias
        self.training = other.training

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``x W^T + b`` for `x` ``(..., in_features)``."""
        return _Product.apply(x, self.weight, self.bias)


def skip_frozen_tangents(module: nn.Module) -> nn.Module:
    """Return `module`, changed in place, with cheaper forward-mode rules; values and parameter names stay as they are.

    Linear layers, LoRA on them, layer and RMS norms are replaced, sharing their parameters; where `module` is or holds
    a model of transformers with eager attention, so is its attention. What has no tangent is found at every call, so
    any subset of the parameters can be perturbed; layers below the first perturbed one carry none anyway.
    """
    for parent in reversed(list(module.modules())):  # children first: the base layer of an adapter
        for name, child in parent.named_children():
            if type(child) is nn.Linear:
                setattr(parent, name, Linear(child))
            elif type(child) is nn.LayerNorm and child.elementwise_affine:
                setattr(parent, name, LayerNorm(child))
            elif is_rms_norm(child):
                setattr(parent, name, RmsNorm(child))
            elif is_lora(child):
                setattr(parent, name, Lora(child))
    use_attention(module)
    return Linear(module) if type(module) is nn.Linear else module
