"""The networks of the authors' code, as chains of the units that are routed. Source: arXiv 2211.15281, code."""

import functools

from torch import nn

from lib.federated.model import Model
from lib.flow.routing import UnitRouting
from lib.nets import UnitNet
from lib.nets.resnet import ResidualBlock
from lib.nets.units import classifier, norm_layer, scaled

EMNIST_WIDTHS = (350, 150, 50)
CIFAR_WIDTHS = (1000, 750, 350, 150, 50)
RESNET18_STAGES = ((64, 2), (128, 2), (256, 2), (512, 2))


def emnist_cnn(*, classes: int = 62) -> UnitNet:
    """Return the EMNIST network of four units: two convolutions, two linear layers; inputs ``(n, 1, 28, 28)``."""
    return UnitNet(
        [
            nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU()),
            nn.Sequential(nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
            nn.Sequential(nn.Linear(64 * 12 * 12, 128), nn.ReLU()),
            nn.Sequential(nn.Linear(128, classes)),
        ]
    )


def resnet18(*, classes: int = 10, width: float = 1.0) -> UnitNet:
    """Return ResNet-18 with six units: the 7 x 7 stem, four stages and the classifier; inputs ``(n, 3, h, w)``.

    Group normalization. In the stem it has no parameters and acts on the mix of the two branches, as the code's does.
    """
    channels = scaled(64, width)
    stem = [nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False), _plain_norm(channels), nn.ReLU()]
    units: list[nn.Module] = [nn.Sequential(*stem, nn.MaxPool2d(3, stride=2, padding=1))]
    for stage, (wide, blocks) in enumerate(RESNET18_STAGES):
        wide = scaled(wide, width)
        layers = []
        for place in range(blocks):
            layers.append(ResidualBlock(channels, wide, stride=2 if stage and not place else 1, norm="group"))
            channels = wide
        units.append(nn.Sequential(*layers))
    return UnitNet([*units, classifier(channels, classes)])


def _plain_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(norm_layer("group", channels).num_groups, channels, affine=False)


def emnist_routing(*, classes: int = 62) -> UnitRouting:
    """Return the routed EMNIST network with the policy of the code."""
    return UnitRouting(Model(functools.partial(emnist_cnn, classes=classes)), EMNIST_WIDTHS, 28 * 28)


def cifar_routing(*, classes: int = 10, width: float = 1.0, widths: tuple[int, ...] = CIFAR_WIDTHS) -> UnitRouting:
    """Return the routed ResNet-18 with the policy of the code, or with other `widths` of its hidden layers."""
    return UnitRouting(Model(functools.partial(resnet18, classes=classes, width=width)), widths, 3 * 32 * 32)
