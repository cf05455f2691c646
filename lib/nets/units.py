"""A network that is a chain of units, the last one its classifier."""

from collections.abc import Iterable

import torch
from torch import nn


class UnitNet(nn.Module):
    """A feed-forward network: `blocks` applied in order, the last unit being the classifier.

    Input is of shape ``(batch, ...)`` as the first unit expects it, output ``(batch, classes)`` logits.
    """

    def __init__(self, units: Iterable[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*units)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the logits of `inputs`."""
        return self.blocks(inputs)


def unit_names(net: nn.Module) -> list[list[str]]:
    """Return the parameter names of each unit of ``net.blocks``, in order.

    Raises ValueError if `net` has no `blocks`, or parameters outside them.
    """
    blocks = getattr(net, "blocks", None)
    if not isinstance(blocks, nn.Sequential):
        raise ValueError("the network has no nn.Sequential called 'blocks': wrap its units in lib.nets.units.UnitNet")
    names = [[f"blocks.{place}.{name}" for name, _ in unit.named_parameters()] for place, unit in enumerate(blocks)]
    outside = {name for name, _ in net.named_parameters()} - {name for unit in names for name in unit}
    if outside:
        raise ValueError(f"parameter {min(outside)} lies outside 'blocks': put it into a unit, or split by name")
    return names


def norm_layer(kind: str, channels: int) -> nn.Module:
    """Return the normalization of `channels` feature maps: kind "group" (no state) or "batch" (running statistics).

    Groups hold at least eight channels, so that a map of one pixel is not normalized to zero; at most 32 groups.
    """
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind != "group":
        raise ValueError(f"norm is {kind!r}: choose 'group' or 'batch'")
    groups = max(count for count in range(1, 33) if channels % count == 0 and (count == 1 or channels // count >= 8))
    return nn.GroupNorm(groups, channels)


def classifier(features: int, classes: int) -> nn.Module:
    """Return the last unit of a convolutional network: global average pooling and one linear layer."""
    if classes < 2:
        raise ValueError(f"{classes} classes: a classifier needs at least two")
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, classes))


def scaled(channels: int, width: float) -> int:
    """Return `channels` times `width`, rounded to a multiple of eight (at least eight)."""
    if not width > 0:
        raise ValueError(f"width is {width}: it must be positive")
    return max(8, round(channels * width / 8) * 8)
