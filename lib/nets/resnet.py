"""ResNet-34 (He et al., arXiv 1512.03385)."""

import torch
from torch import nn
from torch.nn import functional

from lib.nets.units import UnitNet, classifier, norm_layer, scaled

# Output channels and number of residual blocks of the four stages.
STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, which is a 1 x 1 convolution where the shape changes.

    The scale of the last normalization starts at zero, so that the block starts as its shortcut (Goyal et al., arXiv
    1706.02677, section 5.1): without it the deep network with group normalization hardly leaves its start.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int, norm: str) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.first_norm = norm_layer(norm, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = norm_layer(norm, outputs)
        nn.init.zeros_(self.second_norm.weight)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(projection, norm_layer(norm, outputs))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the block's feature maps."""
        hidden = functional.relu(self.first_norm(self.first(inputs)))
        return functional.relu(self.second_norm(self.second(hidden)) + self.shortcut(inputs))


def resnet34(*, classes: int = 10, width: float = 1.0, norm: str = "group", stem: str = "imagenet") -> UnitNet:
    """Return ResNet-34 with 18 units: the stem, 16 residual blocks and the classifier.

    Args:
        classes: Number of classes.
        width: Multiplier of all channel counts, rounded to multiples of eight.
        norm: "group" or "batch" (the original).
        stem: "imagenet", a 7 x 7 convolution of stride two and max-pooling as published, or "cifar", a 3 x 3
            convolution of stride one, for images of 32 pixels.
    """
    channels = scaled(STAGES[0][0], width)
    units: list[nn.Module] = [_stem(stem, channels, norm)]
    for stage, (wide, blocks) in enumerate(STAGES):
        wide = scaled(wide, width)
        for place in range(blocks):
            stride = 2 if stage > 0 and place == 0 else 1
            units.append(ResidualBlock(channels, wide, stride=stride, norm=norm))
            channels = wide
    return UnitNet([*units, classifier(channels, classes)])


def _stem(kind: str, channels: int, norm: str) -> nn.Sequential:
    if kind == "cifar":
        layer = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        return nn.Sequential(layer, norm_layer(norm, channels), nn.ReLU())
    if kind != "imagenet":
        raise ValueError(f"stem is {kind!r}: choose 'imagenet' or 'cifar'")
    layer = nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False)
    return nn.Sequential(layer, norm_layer(norm, channels), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1))
