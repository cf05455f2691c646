"""The paper's two networks on CIFAR-10."""

import functools
from collections.abc import Sequence

import pandas as pd

from lib.fedper.experiments.arms import Plan, Progress
from lib.fedper.experiments.images import PIXELS, accuracy_on_images, at_size, pooled
from lib.nets import mobilenet_v1, resnet34

# Whole, and at an eighth of their channels for processors without a GPU.
NETWORKS = {
    "ResNet-34": resnet34,
    "MobileNet-v1": mobilenet_v1,
    "ResNet-34 / 8": functools.partial(resnet34, width=0.125),
    "MobileNet-v1 / 8": functools.partial(mobilenet_v1, width=0.125),
}

NETWORK_METHODS = ("FedAvg", "FedPer 2")


def networks_on_cifar10(
    *,
    plan: Plan,
    networks: Sequence[str] = ("ResNet-34 / 8",),
    classes_per_client: Sequence[int] = (4, 10),
    methods: Sequence[str] = NETWORK_METHODS,
    image_size: int = PIXELS,
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy over rounds on CIFAR-10 of the paper's networks, by name in `NETWORKS`, with two personal units.

    Returns:
        One row an evaluated round: network, classes_per_client, method, seed, and the columns of `arms.by_round`.
        Raises ValueError for an unknown network.
    """
    unknown = sorted(set(networks) - set(NETWORKS))
    if unknown:
        raise ValueError(f"unknown network {unknown[0]!r}; choose from {', '.join(NETWORKS)}")
    x, y = pooled("cifar10")
    setting = {"classes_per_client": classes_per_client, "methods": methods, "seeds": range(seed, seed + seeds)}
    parts = []
    for name in networks:
        build = at_size(NETWORKS[name], image_size)
        parts.append(accuracy_on_images(name, x, y, build, plan, **setting, progress=progress).assign(network=name))
    return pd.concat(parts, ignore_index=True)
