"""The paper's two networks on CIFAR-10."""

import functools
from collections.abc import Callable, Sequence

import pandas as pd

from lib.fedper.experiments.arms import Plan, Progress
from lib.fedper.experiments.images import PIXELS, at_size, cifar10_at_own_rate
from lib.fedper.experiments.own_rates import RATES
from lib.nets import UnitNet, mobilenet_v1, resnet34

NETWORKS = ("ResNet-34", "MobileNet-v1")
NETWORK_METHODS = ("FedAvg", "FedPer 2")


def network(name: str, pixels: int) -> Callable[[], UnitNet]:
    """Return a function that builds the network called `name` for images of 32 pixels, scaled to `pixels` in front.

    ``"ResNet-34 / 8"`` has an eighth of the channels. At 32 pixels the first convolution has stride one and nothing is
    pooled after it, as is usual for small images: the published ones would leave maps of one pixel. Raises ValueError
    for an unknown network.
    """
    kind, _, share = name.partition(" / ")
    if kind not in NETWORKS or not (share or "1").isdigit():
        raise ValueError(f"unknown network {name!r}: choose {' or '.join(NETWORKS)}, or a part such as 'ResNet-34 / 8'")
    width, small = 1 / int(share or 1), pixels == PIXELS
    if kind == "ResNet-34":
        build = functools.partial(resnet34, width=width, stem="cifar" if small else "imagenet")
    else:
        build = functools.partial(mobilenet_v1, width=width, stem_stride=1 if small else 2)
    return at_size(build, pixels)


def networks_on_cifar10(
    *,
    plan: Plan,
    networks: Sequence[str] = ("ResNet-34 / 8",),
    classes_per_client: Sequence[int] = (4, 10),
    methods: Sequence[str] = NETWORK_METHODS,
    rates: Sequence[float] = RATES,
    image_size: int = PIXELS,
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy over rounds on CIFAR-10 of the paper's networks, by name as in `network`.

    Each method has its own of the `rates` for each network and number of classes a client.

    Returns:
        The rows of `images.cifar10_at_own_rate`, with the column network.
    """
    parts = []
    for name in networks:
        build = network(name, image_size)
        found = cifar10_at_own_rate(
            build,
            plan,
            classes_per_client=classes_per_client,
            methods=methods,
            rates=rates,
            seeds=range(seed, seed + seeds),
            progress=progress,
        )
        parts.append(found.assign(network=name))
    return pd.concat(parts, ignore_index=True)
