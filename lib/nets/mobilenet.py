"""MobileNet-v1: depthwise-separable convolutions (Howard et al., arXiv 1704.04861)."""

from torch import nn

from lib.nets.units import UnitNet, classifier, norm_layer, scaled

# Output channels and stride of the 13 depthwise-separable blocks.
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))


def mobilenet_v1(*, classes: int = 10, width: float = 1.0, norm: str = "group", stem_stride: int = 2) -> UnitNet:
    """Return MobileNet-v1 with 15 units: the stem, 13 depthwise-separable blocks and the classifier.

    Args:
        classes: Number of classes.
        width: Multiplier of all channel counts, rounded to multiples of eight.
        norm: "group" or "batch" (the original).
        stem_stride: Stride of the first convolution: 2 as published, 1 keeps more of a 32-pixel image.
    """
    channels = scaled(32, width)
    units = [_convolution(3, channels, stride=stem_stride, norm=norm)]
    for wide, stride in BLOCKS:
        wide = scaled(wide, width)
        units.append(_separable(channels, wide, stride=stride, norm=norm))
        channels = wide
    return UnitNet([*units, classifier(channels, classes)])


def _convolution(inputs: int, outputs: int, *, stride: int, norm: str) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(layer, norm_layer(norm, outputs), nn.ReLU())


def _separable(inputs: int, outputs: int, *, stride: int, norm: str) -> nn.Sequential:
    """Return a depthwise 3 x 3 and a pointwise convolution, each with normalization and ReLU."""
    depthwise = nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False)
    pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
    return nn.Sequential(
        depthwise, norm_layer(norm, inputs), nn.ReLU(), pointwise, norm_layer(norm, outputs), nn.ReLU()
    )
