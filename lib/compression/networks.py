"""The teachers of the paper, their small versions for digits, and the network that an architecture describes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from lib.compression.layers import Architecture, Block, Leaf, after

VGG11 = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")


def resnet(
    widths: Sequence[int], *, classes: int = 10, channels: int = 3, pixels: int = 32, blocks: int = 2
) -> Architecture:
    """Return a residual network: a 3 x 3 stem and one stage of `blocks` basic blocks for each of `widths`.

    Every stage but the first starts with a stride of two. Normalization is by batch, convolutions have no bias.
    """
    parts: list[Leaf | Block] = [_conv(widths[0]), Leaf("batchnorm"), Leaf("relu")]
    inputs, size = widths[0], pixels
    for stage, width in enumerate(widths):
        for place in range(blocks):
            stride = 2 if stage and not place else 1
            main = (_conv(width, stride), Leaf("batchnorm"), Leaf("relu"), _conv(width), Leaf("batchnorm"))
            changed = stride > 1 or inputs != width
            projection = (Leaf("conv", 1, stride, 0, width), Leaf("batchnorm")) if changed else ()
            parts.append(Block(main, projection))
            inputs, size = width, (size - 1) // stride + 1
    parts += [Leaf("avgpool", size, size), Leaf("linear", outputs=classes, bias=True)]
    return Architecture(tuple(parts), channels, pixels)


def vgg(
    layout: Sequence[int | str], *, classes: int = 10, channels: int = 3, pixels: int = 32, bias: bool = True
) -> Architecture:
    """Return a chain of 3 x 3 convolutions with batch normalization and ReLU; "M" in `layout` is 2 x 2 max-pooling.

    The classifier is one linear layer on all features that are left (the average pooling before it has a kernel of
    one, as in the authors' code).
    """
    parts: list[Leaf | Block] = []
    for entry in layout:
        if entry == "M":
            parts.append(Leaf("maxpool", 2, 2))
        else:
            parts += [_conv(int(entry), bias=bias), Leaf("batchnorm"), Leaf("relu")]
    parts += [Leaf("avgpool", 1, 1), Leaf("linear", outputs=classes, bias=True)]
    return Architecture(tuple(parts), channels, pixels)


def resnet18(classes: int = 10) -> Architecture:
    """Return the paper's ResNet-18 for 32-pixel images: 11,173,962 parameters at ten classes."""
    return resnet((64, 128, 256, 512), classes=classes)


def vgg11(classes: int = 10) -> Architecture:
    """Return the paper's VGG-11 with batch normalization: 9,231,114 parameters at ten classes."""
    return vgg(VGG11, classes=classes)


def mini_resnet(widths: Sequence[int] = (4, 8, 16), *, classes: int = 10) -> Architecture:
    """Return a residual network for 8-pixel digits, built as ResNet-18 is: 35 places, 30 of them free."""
    return resnet(widths, classes=classes, channels=1, pixels=8)


def mini_vgg(layout: Sequence[int | str] = (8, "M", 16, "M", 32), *, classes: int = 10) -> Architecture:
    """Return a VGG for 8-pixel digits."""
    return vgg(layout, classes=classes, channels=1, pixels=8)


def narrowed(architecture: Architecture, factor: float, *, least: int = 1) -> Architecture:
    """Return `architecture` with the outputs of every convolution times `factor`, rounded, at least `least`."""

    def thinner(leaf: Leaf) -> Leaf:
        if leaf.kind != "conv":
            return leaf
        return Leaf("conv", leaf.kernel, leaf.stride, leaf.padding, max(least, round(leaf.outputs * factor)), leaf.bias)

    def inside(part: Leaf | Block) -> Leaf | Block:
        if isinstance(part, Leaf):
            return thinner(part)
        return Block(tuple(map(thinner, part.main)), tuple(map(thinner, part.shortcut)))

    return Architecture(tuple(map(inside, architecture.parts)), architecture.channels, architecture.pixels)


def with_classes(architecture: Architecture, classes: int) -> Architecture:
    """Return `architecture` with `classes` outputs of its classifier."""
    return replace(architecture, parts=(*architecture.parts[:-1], replace(architecture.parts[-1], outputs=classes)))


class Residual(nn.Module):
    """ReLU of the sum of `main` and `shortcut`, either of which may be the identity."""

    def __init__(self, main: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.main, self.shortcut = main, shortcut

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the block's feature maps."""
        return torch.relu(self.main(inputs) + self.shortcut(inputs))


class Network(nn.Module):
    """The network of `architecture`: images ``(batch, channels, pixels, pixels)`` in, logits ``(batch, classes)`` out.

    ``parts[i]`` is the module of ``architecture.parts[i]``.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        channels, pixels, modules = architecture.channels, architecture.pixels, []
        for part in architecture.parts:
            paths = [(part,)] if isinstance(part, Leaf) else [part.main, part.shortcut]
            built = [_chain(path, channels, pixels) for path in paths]
            modules.append(Residual(built[0][0], built[1][0]) if isinstance(part, Block) else built[0][0])
            channels, pixels = built[0][1:]
        self.parts = nn.ModuleList(modules)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the logits of `inputs`."""
        for part in self.parts:
            inputs = part(inputs)
        return inputs


def build(architecture: Architecture, *, seed: int = 0) -> Network:
    """Return the network of `architecture` with fresh weights drawn by `seed`; torch's own generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(architecture)


def _conv(outputs: int, stride: int = 1, *, bias: bool = False) -> Leaf:
    return Leaf("conv", 3, stride, 1, outputs, bias)


def _chain(leaves: Sequence[Leaf], channels: int, pixels: int) -> tuple[nn.Module, int, int]:
    """Return the module of a path, with channels and side length behind it."""
    modules = []
    for leaf in leaves:
        modules.append(_module(leaf, channels, pixels))
        channels, pixels = after(leaf, channels, pixels)
    if not modules:
        return nn.Identity(), channels, pixels
    return (modules[0] if len(modules) == 1 else nn.Sequential(*modules)), channels, pixels


def _module(leaf: Leaf, channels: int, pixels: int) -> nn.Module:
    if leaf.kind == "conv":
        return nn.Conv2d(channels, leaf.outputs, leaf.kernel, leaf.stride, leaf.padding, bias=leaf.bias)
    if leaf.kind == "linear":
        return nn.Sequential(nn.Flatten(), nn.Linear(channels * pixels**2, leaf.outputs))
    if leaf.kind == "batchnorm":
        return nn.BatchNorm2d(channels)
    if leaf.kind == "relu":
        return nn.ReLU()
    return (nn.MaxPool2d if leaf.kind == "maxpool" else nn.AvgPool2d)(leaf.kernel, leaf.stride)
