"""A small convolutional network for 28- and 32-pixel images."""

import itertools
from collections.abc import Sequence

from torch import nn

from lib.nets.units import UnitNet, classifier, norm_layer


def small_cnn(
    channels: Sequence[int] = (16, 32, 64),
    *,
    classes: int = 10,
    image_channels: int = 3,
    norm: str = "group",
    pixels: int | None = None,
) -> UnitNet:
    """Return a network of one unit per entry of `channels`, and a classifier.

    A unit is a 3 x 3 convolution of stride two, normalization and ReLU, so each one halves the image. Inputs have
    shape ``(batch, image_channels, height, width)``. `norm` is "group" or "batch". The classifier sees the mean of each
    channel, or every feature of images of `pixels` squared if given: it then learns in far fewer steps.
    """
    if not channels:
        raise ValueError("no channels: give the width of at least one convolutional unit")
    widths = [image_channels, *channels]
    units = [
        nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False), norm_layer(norm, b), nn.ReLU())
        for a, b in itertools.pairwise(widths)
    ]
    if pixels is None:
        return UnitNet([*units, classifier(widths[-1], classes)])
    for _ in channels:
        pixels = (pixels + 1) // 2
    return UnitNet([*units, nn.Sequential(nn.Flatten(), nn.Linear(widths[-1] * pixels**2, classes))])
