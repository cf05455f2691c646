"""Eager attention with a shorter forward-mode rule: fewer passes and temporaries, and no products with absent tangents.

The Jacobian of the softmax is symmetric, so the kernel of its backward pass gives its directional derivative; PyTorch's
own rule computes exponentials and a log-sum-exp anew.
"""

import torch
from torch import nn

from lib.spry.frozen_rule import Rule

NAME = "scarce_eager"  # of the attention in transformers' table


class _Weights(Rule):
    """``softmax(scale q k^T + mask)``: q and k ``(n heads, T, d)``, mask ``(n, 1, T, T)`` without a derivative."""

    @staticmethod
    def forward(q, k, mask, heads, scale):
        scores = torch.bmm(q, k.transpose(1, 2))
        if mask is None:
            scores.mul_(scale)
        else:
            scores = torch.add(mask, scores.unflatten(0, (-1, heads)), alpha=scale).flatten(0, 1)
        return torch.softmax(scores, dim=-1)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        q, k, *_, ctx.scale = inputs
        needs_q, needs_k, *_ = ctx.needs_input_grad
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(q if needs_k else None, k if needs_q else None, output)
        ctx.save_for_forward(q, k, output)

    @staticmethod
    def jvp(ctx, q_t, k_t, *_):
        q, k, weights = ctx.saved_tensors
        return _softmax_product(_two_products(q_t, k.transpose(1, 2), q, _transposed(k_t), ctx.scale), weights)

    @staticmethod
    def backward(ctx, grad):
        q, k, weights = ctx.saved_tensors
        if grad is None:
            return None, None, None, None, None
        scores = _softmax_product(grad, weights).mul_(ctx.scale)
        needs_q, needs_k = ctx.needs_input_grad[:2]
        return (
            torch.bmm(scores, k) if needs_q else None,
            torch.bmm(scores.transpose(1, 2), q) if needs_k else None,
            None,
            None,
            None,
        )


class _Mix(Rule):
    """``weights v``, both with three axes."""

    @staticmethod
    def forward(weights, v):
        return torch.bmm(weights, v)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        weights, v = inputs
        needs_weights, needs_v = ctx.needs_input_grad
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(weights if needs_v else None, v if needs_weights else None)
        ctx.save_for_forward(weights, v)

    @staticmethod
    def jvp(ctx, weights_t, v_t):
        weights, v = ctx.saved_tensors
        return _two_products(weights_t, v, weights, v_t)

    @staticmethod
    def backward(ctx, grad):
        weights, v = ctx.saved_tensors
        if grad is None:
            return None, None
        needs_weights, needs_v = ctx.needs_input_grad
        return (
            torch.bmm(grad, v.transpose(1, 2)) if needs_weights else None,
            torch.bmm(weights.transpose(1, 2), grad) if needs_v else None,
        )


def attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return outputs ``(N, T, heads, d)`` and weights ``(N, heads, T, T)``, as transformers' eager attention does.

    Args:
        module: the attention layer; read for `training` and for grouped keys.
        query: ``(N, heads, T, d)``.
        key: like `query`, or with fewer heads.
        value: like `key`.
        attention_mask: added to the scores, ``(N or 1, 1, T, T)``; None for no mask.
        scaling: factor of the scores; None is ``1 / sqrt(d)``.
        dropout: rate on the weights, in train mode.
    """
    heads = query.shape[1]
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    groups = heads // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    weights = _Weights.apply(query.flatten(0, 1), key.flatten(0, 1), attention_mask, heads, scaling)
    weights = nn.functional.dropout(weights.unflatten(0, (-1, heads)), p=dropout, training=module.training)
    mixed = _Mix.apply(weights.flatten(0, 1), value.flatten(0, 1)).unflatten(0, (-1, heads))
    return mixed.transpose(1, 2).contiguous(), weights


def use_attention(module: nn.Module) -> None:
    """Let the models of transformers in `module` that have eager attention use `attention`."""
    for part in module.modules():
        config = getattr(part, "config", None)
        if getattr(config, "_attn_implementation", None) == "eager":
            _register()
            config._attn_implementation = NAME


def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, eager_mask)


def _softmax_product(v: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the Jacobian of the softmax over the last axis, whose values are `weights`, times v."""
    return torch.ops.aten._softmax_backward_data(v, weights, -1, weights.dtype)


def _two_products(a_t, b, a, b_t, scale=1):
    """Return ``scale (a_t b + a b_t)`` without the term whose tangent is absent."""
    if a_t is not None and b_t is not None:
        return torch.baddbmm(torch.bmm(a_t, b), a, b_t, beta=scale, alpha=scale)
    one = torch.bmm(a, b_t) if a_t is None else torch.bmm(a_t, b)
    return one if scale == 1 else one.mul_(scale)


def _transposed(x):
    return None if x is None else x.transpose(1, 2)
