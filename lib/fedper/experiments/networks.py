"""The paper's two networks on CIFAR-10."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from lib.fedper.experiments.arms import Plan
from lib.fedper.experiments.images import PIXELS, accuracy_on_cifar10, at_size
from lib.nets import UnitNet, mobilenet_v1, resnet34

NETWORKS = ("ResNet-34", "MobileNet-v1")
NETWORK_CELLS = ((4, "FedAvg"), (4, "FedPer 2"), (4, "local only"), (10, "FedAvg"), (10, "FedPer 2"))
NETWORK_RATES = (0.003, 0.01, 0.03, 0.1)


def network(name: str, pixels: int) -> Callable[[], UnitNet]:
    """Return a function that builds the network called `name` for images of 32 pixels, scaled to `pixels` in front.

    ``"ResNet-34 / 8"`` has an eighth of the channels. At 32 pixels the first convolution has stride one and nothing is
    pooled after it, as is usual for small images: the published ones would leave maps of one pixel. Raises ValueError
    for an unknown network.
    """
    kind, _, share = name.partition(" / ")
    if kind not in NETWORKS or not (share or "1").isdigit() or int(share or 1) == 0:
        raise ValueError(f"unknown network {name!r}: choose {' or '.join(NETWORKS)}, or a part such as 'ResNet-34 / 8'")
    width, small = 1 / int(share or 1), pixels == PIXELS
    if kind == "ResNet-34":
        build = functools.partial(resnet34, width=width, stem="cifar" if small else "imagenet")
    else:
        build = functools.partial(mobilenet_v1, width=width, stem_stride=1 if small else 2)
    return at_size(build, pixels)


def networks_on_cifar10(
    *, plan: Plan, networks: Sequence[str], image_size: int = PIXELS, **options: Any
) -> pd.DataFrame:
    """Return accuracy over rounds on CIFAR-10 of the paper's networks, by name as in `network`.

    `options` are those of `images.accuracy_on_cifar10`, whose rows are returned with the column network.
    """
    builds = {name: network(name, image_size) for name in networks}
    parts = [accuracy_on_cifar10(plan=plan, build=build, **options).assign(network=n) for n, build in builds.items()]
    return pd.concat(parts, ignore_index=True)
