"""Linear layers whose frozen weights are stored in four bits, in plain PyTorch, for every way to differentiate.

Weights are rounded to 15 levels a block of 64, two to a byte, with one scale a block in the type of the weights: 4.25
bits a weight in bfloat16. No claim to accuracy or speed is made; what counts here is what is stored and when.
"""

import torch
from torch import nn

BLOCK = 64


def pack(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `weight`, whose size is a multiple of 64, as codes ``(n/2,)`` uint8 and scales ``(n/64, 1)``.

    Raises ValueError for other sizes.
    """
    if weight.numel() % BLOCK:
        raise ValueError(f"{weight.numel()} weights: four-bit blocks need a multiple of {BLOCK}")
    blocks = weight.detach().reshape(-1, BLOCK)
    scales = (blocks.abs().amax(dim=1, keepdim=True) / 7).clamp(min=torch.finfo(weight.dtype).tiny)
    codes = (blocks / scales).round_().clamp_(-7, 7).add_(8).to(torch.uint8).reshape(-1, 2)
    return codes[:, 0] | codes[:, 1] << 4, scales


def unpack(codes: torch.Tensor, scales: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Return the weights ``shape`` that `codes` and `scales` stand for, in the type of `scales`."""
    numbers = torch.empty((len(codes), 2), dtype=scales.dtype, device=codes.device)
    numbers[:, 0] = codes & 15
    numbers[:, 1] = codes >> 4
    return numbers.sub_(8).view(-1, BLOCK).mul_(scales).view(shape)


class _Product(torch.autograd.Function):
    """``x W^T`` that keeps the four-bit codes for the backward pass, not the weights, and has a forward-mode rule."""

    @staticmethod
    def forward(x, codes, scales, shape):
        return x @ unpack(codes, scales, shape).T

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        _, ctx.codes, ctx.scales, ctx.shape = inputs

    @staticmethod
    def jvp(ctx, x_t, *_):
        return x_t @ unpack(ctx.codes, ctx.scales, ctx.shape).T

    @staticmethod
    def backward(ctx, grad):
        return grad @ unpack(ctx.codes, ctx.scales, ctx.shape), None, None, None


class FourBitLinear(nn.Module):
    """A linear layer with a frozen four-bit weight.

    With `keep_dequantized` the product is left to autograd, which keeps the dequantized weight until the backward pass,
    as quantization libraries do that have no backward rule of their own.
    """

    def __init__(self, other: nn.Linear, *, keep_dequantized: bool = False):
        super().__init__()
        self.in_features, self.out_features = other.in_features, other.out_features
        self.keep_dequantized = keep_dequantized
        codes, scales = pack(other.weight)
        self.register_buffer("codes", codes)
        self.register_buffer("scales", scales)
        self.bias = other.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``x W^T + b`` for `x` ``(..., in_features)``."""
        shape = (self.out_features, self.in_features)
        if self.keep_dequantized:
            out = x @ unpack(self.codes, self.scales, shape).T
        else:
            out = _Product.apply(x, self.codes, self.scales, shape)
        return out if self.bias is None else out + self.bias


def quantize(net: nn.Module, *, keep_dequantized: bool = False) -> nn.Module:
    """Replace, in place, the frozen linear layers of `net` by `FourBitLinear`; trained ones stay as they are."""
    for parent in list(net.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Linear) and not child.weight.requires_grad:
                setattr(parent, name, FourBitLinear(child, keep_dequantized=keep_dequantized))
    return net
