"""LoRA layers that add the adapter's output to the frozen layer's in one product, tangents too.

The layer of peft multiplies by its scale and adds in two more passes. A factor without a tangent costs more than
a pass in forward mode: PyTorch makes it an all-zero tangent and works out, in Python, the shape of its product.
"""

import torch
from torch import nn

from lib.spry.frozen_rule import Rule


class _Sum(Rule):
    """``base + scale low B^T``, differentiable in the three tensors; absent tangents cost nothing."""

    @staticmethod
    def forward(base, low, weight, scale):
        return _added(base, low, weight, scale)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        _, low, weight, ctx.scale = inputs
        _, needs_low, needs_weight, _ = ctx.needs_input_grad
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(low if needs_weight else None, weight if needs_low else None)
        ctx.save_for_forward(low, weight)

    @staticmethod
    def jvp(ctx, base_t, low_t, weight_t, _):
        low, weight = ctx.saved_tensors
        if low_t is None and weight_t is None:
            return base_t.clone()
        if low_t is not None and weight_t is not None:  # one product with twice the (few) columns
            left, right = torch.cat([low_t, low], -1), torch.cat([weight, weight_t], -1)
        else:
            left, right = (low_t, weight) if weight_t is None else (low, weight_t)
        if base_t is None:
            return nn.functional.linear(left, right if ctx.scale == 1 else right * ctx.scale)
        return _added(base_t, left, right, ctx.scale)

    @staticmethod
    def backward(ctx, grad):
        low, weight = ctx.saved_tensors
        needs_base, needs_low, needs_weight, _ = ctx.needs_input_grad
        if grad is None:
            return None, None, None, None
        rows = grad.reshape(-1, grad.shape[-1])
        return (
            grad if needs_base else None,
            grad @ (weight * ctx.scale) if needs_low else None,
            rows.T @ low.reshape(-1, low.shape[-1]) * ctx.scale if needs_weight else None,
            None,
        )


def _added(base: torch.Tensor, low: torch.Tensor, weight: torch.Tensor, scale: float) -> torch.Tensor:
    """Return ``base + scale low weight^T`` for `base` ``(..., out)``, `low` ``(..., r)`` and `weight` ``(out, r)``."""
    rows = base.reshape(-1, base.shape[-1])
    return torch.addmm(rows, low.reshape(-1, low.shape[-1]), weight.T, alpha=scale).view(base.shape)


class Lora(nn.Module):
    """The LoRA layer of peft with the parameters of another one, which has one adapter; of one number format."""

    def __init__(self, other: nn.Module):
        super().__init__()
        (self.name,), self.training = other.active_adapters, other.training
        self.base_layer, self.lora_dropout, self.scaling = other.base_layer, other.lora_dropout, other.scaling
        self.lora_A, self.lora_B = other.lora_A, other.lora_B

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``base(x) + scaling B A dropout(x)`` for `x` ``(..., in_features)``."""
        low = self.lora_A[self.name](self.lora_dropout[self.name](x))
        return _Sum.apply(self.base_layer(x), low, self.lora_B[self.name].weight, self.scaling[self.name])


def is_lora(module: nn.Module) -> bool:
    """Return whether `module` is peft's LoRA on a linear layer in its plain form, with one adapter."""
    kind = type(module)
    if (kind.__module__, kind.__name__) != ("peft.tuners.lora.layer", "Linear") or len(module.lora_A) != 1:
        return False
    if module.lora_variant or module.merged or module.disable_adapters:
        return False
    (up,) = module.lora_B.values()
    base = getattr(module.base_layer, "weight", up.weight)  # four-bit layers have none, and answer in the input's type
    return up.bias is None and up.weight.dtype == base.dtype
