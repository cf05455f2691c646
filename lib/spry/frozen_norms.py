"""Layer norm and RMS norm with one fused product in their forward-mode rule; absent tangents cost nothing.

The Jacobian of the normalization without its weight is symmetric, so the kernel of its backward pass, applied to a
tangent, gives the directional derivative. PyTorch's own rule takes a dozen passes over the data.
"""

import torch
from torch import nn

from lib.spry.frozen_rule import Rule


class _LayerNorm(Rule):
    @staticmethod
    def forward(x, weight, bias, eps):
        return torch.native_layer_norm(x, weight.shape, weight, bias, eps)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        x, weight, bias, _ = inputs
        _, mean, rstd = output
        ctx.mark_non_differentiable(mean, rstd)
        ctx.set_materialize_grads(False)
        ctx.has_bias = bias is not None
        ctx.save_for_backward(x, weight, mean, rstd)
        ctx.save_for_forward(x, weight, mean, rstd)

    @staticmethod
    def jvp(ctx, x_t, weight_t, bias_t, _):
        x, weight, mean, rstd = ctx.saved_tensors
        total = None
        if x_t is not None:
            only_input = [True, False, False]
            total = (
                weight
                * torch.ops.aten.native_layer_norm_backward(
                    x_t.contiguous(), x, weight.shape, mean, rstd, None, None, only_input
                )[0]
            )
        if weight_t is not None:
            term = ((x - mean) * rstd * weight_t).to(x.dtype)  # the moments are float32 on a GPU
            total = term if total is None else total + term
        if bias_t is not None:
            total = bias_t.expand_as(x).clone() if total is None else total + bias_t
        return total, None, None

    @staticmethod
    def backward(ctx, grad, *_):
        x, weight, mean, rstd = ctx.saved_tensors
        if grad is None:
            return None, None, None, None
        needs = [*ctx.needs_input_grad[:2], ctx.needs_input_grad[2]]
        return *torch.ops.aten.native_layer_norm_backward(
            grad.contiguous(), x, weight.shape, mean, rstd, weight, weight if ctx.has_bias else None, needs
        ), None


class LayerNorm(nn.LayerNorm):
    """`nn.LayerNorm` with the parameters of another one."""

    def __init__(self, other: nn.LayerNorm):
        nn.Module.__init__(self)
        self.normalized_shape, self.eps, self.elementwise_affine = other.normalized_shape, other.eps, True
        self.weight, self.bias, self.training = other.weight, other.bias, other.training

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `x` ``(..., *normalized_shape)`` normalized, scaled and shifted."""
        return _LayerNorm.apply(x, self.weight, self.bias, self.eps)[0]


class _RmsNorm(Rule):
    @staticmethod
    def forward(x, weight, eps):
        wide = x.to(torch.float32) if x.dtype in (torch.float16, torch.bfloat16) else x
        scale = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
        return weight * (wide * scale).to(x.dtype), scale

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs[:2], output[1])
        ctx.save_for_forward(*inputs[:2], output[1])

    @staticmethod
    def jvp(ctx, x_t, weight_t, _):
        x, weight, scale = ctx.saved_tensors
        total = None
        if x_t is not None:
            total = weight * _project(x_t, x, scale).to(x.dtype)
        if weight_t is not None:
            term = weight_t * (x * scale).to(x.dtype)
            total = term if total is None else total + term
        return total, None

    @staticmethod
    def backward(ctx, grad, _):
        x, weight, scale = ctx.saved_tensors
        needs_x, needs_weight, _ = ctx.needs_input_grad
        if grad is None:
            return None, None, None
        x_grad = _project(grad * weight, x, scale).to(x.dtype) if needs_x else None
        return (
            x_grad,
            (grad * (x * scale)).reshape(-1, x.shape[-1]).sum(dim=0).to(weight.dtype) if needs_weight else None,
            None,
        )


def _project(v: torch.Tensor, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Return the symmetric Jacobian of ``x -> x * scale(x)`` times v; with 16-bit `x` in the type of `scale`."""
    along = (v * x).to(scale.dtype).mean(-1, keepdim=True) * scale.pow(2)
    return scale * torch.addcmul(v.to(scale.dtype), x.to(scale.dtype), along, value=-1)


class RmsNorm(nn.Module):
    """The RMS norm of transformers' Llama with the parameters of another one."""

    def __init__(self, other: nn.Module):
        super().__init__()
        self.weight, self.variance_epsilon, self.training = other.weight, other.variance_epsilon, other.training

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `x` ``(..., d)`` over its root mean square, scaled."""
        return _RmsNorm.apply(x, self.weight, self.variance_epsilon)[0]


def is_rms_norm(module: nn.Module) -> bool:
    """Return whether `module` is an RMS norm of transformers' Llama kind."""
    return type(module).__name__ == "LlamaRMSNorm"
