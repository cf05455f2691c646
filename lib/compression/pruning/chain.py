"""A trained chain network without some of its filters: weights are cut, nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from lib.compression.layers import Architecture, Leaf, with_inputs
from lib.compression.networks import Network, build


def convolutions(net: Network) -> list[nn.Conv2d]:
    """Return the convolutions of a chain network in order.

    Raises ValueError for residual networks: their sums tie the filters of several layers together.
    """
    if not all(isinstance(part, Leaf) for part in net.architecture.parts):
        raise ValueError("filters are cut from chains such as VGG only: use library_pruning for residual networks")
    return [part for part in net.parts if isinstance(part, nn.Conv2d)]


def without_filters(net: Network, keep: Sequence[torch.Tensor]) -> Network:
    """Return a copy of the chain `net` with those filters for which `keep`, one bool tensor a convolution, is true.

    What followed a removed filter goes too: its normalization, and its inputs of the next convolution or of the
    classifier. Raises ValueError when a layer would lose all filters, or for residual networks.
    """
    masks = iter(_checked(net, keep))
    wanted = [int(mask.sum()) for mask in keep]
    smaller = build(narrower(net.architecture, wanted))
    inputs = torch.arange(net.architecture.channels)
    features = [count for leaf, count in with_inputs(net.architecture) if leaf.kind == "linear"]
    with torch.no_grad():
        for old, new in zip(net.parts, smaller.parts, strict=True):
            if isinstance(old, nn.Conv2d):
                outputs = next(masks).nonzero()[:, 0]
                new.weight.copy_(old.weight[outputs][:, inputs])
                if old.bias is not None:
                    new.bias.copy_(old.bias[outputs])
                inputs, channels = outputs, old.out_channels
            elif isinstance(old, nn.BatchNorm2d):
                for name in ("weight", "bias", "running_mean", "running_var"):
                    getattr(new, name).copy_(getattr(old, name)[inputs])
                new.num_batches_tracked.copy_(old.num_batches_tracked)
            elif isinstance(old, nn.Sequential):  # the classifier, behind a flattening
                each = features[0] // channels
                columns = (inputs[:, None] * each + torch.arange(each)).ravel()
                new[1].weight.copy_(old[1].weight[:, columns])
                new[1].bias.copy_(old[1].bias)
    return smaller.train(net.training)


def _checked(net: Network, keep: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    layers = convolutions(net)
    if [len(mask) for mask in keep] != [layer.out_channels for layer in layers]:
        raise ValueError("give one bool a filter, for every convolution in order")
    if not all(bool(mask.any()) for mask in keep):
        raise ValueError("a layer would lose all its filters: keep at least one in each")
    return [mask.bool() for mask in keep]


def narrower(architecture: Architecture, widths: Sequence[int]) -> Architecture:
    """Return the chain with the outputs of its convolutions replaced by `widths`."""
    left = iter(widths)
    parts = (replace(leaf, outputs=next(left)) if leaf.kind == "conv" else leaf for leaf in architecture.parts)
    return replace(architecture, parts=tuple(parts))
