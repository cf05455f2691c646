"""The same comparisons on real images: CIFAR-10, a subset of CIFAR-100, handwritten digits by writer."""

import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib import data
from lib.federated.federation import make_federation
from lib.federated.types import Federation
from lib.fedper.baselines import method
from lib.fedper.experiments.ablation import base_on_cifar10
from lib.fedper.experiments.arms import Plan, Progress, natural_clients
from lib.fedper.experiments.flickr import accuracy_on_flickr
from lib.fedper.experiments.images import CNN, PIXELS, accuracy_on_images, pooled
from lib.fedper.experiments.networks import networks_on_cifar10
from lib.fedper.experiments.rates import learning_rates
from lib.fedper.federations import TEST_SHARE
from lib.nets import small_cnn

KNOWN = ("digits", "cifar10", "cifar100", "femnist-digits", "flickr-aes")


def real_tables(
    data_sets: Sequence[str],
    *,
    plan: Plan,
    rates: Sequence[float] = (),
    networks: Sequence[str] = ("ResNet-34 / 8",),
    image_size: int = PIXELS,
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables of the longer experiments on the data sets named.

    "cifar10" gives cifar10, cifar10_networks and cifar10_base, "cifar100", "femnist-digits" and "flickr-aes" the tables
    cifar100, femnist and flickr; "digits" gives nothing here, `rates` adds the table rates (on the digits).
    `image_size` is what the images are scaled to for `networks`. Raises ValueError for an unknown name, DataError where
    a data set is absent.
    """
    unknown = sorted(set(data_sets) - set(KNOWN))
    if unknown:
        raise ValueError(f"unknown data set {unknown[0]!r}; choose from {', '.join(KNOWN)}")
    options = {"plan": plan, "seeds": seeds, "seed": seed, "progress": progress}
    tables = {}
    if rates:
        tables["rates"] = learning_rates(rates=rates, seeds=seeds, seed=seed, progress=progress)
    if "cifar10" in data_sets:
        tables["cifar10"] = accuracy_on_cifar10(**options)
        tables["cifar10_networks"] = networks_on_cifar10(**options, networks=networks, image_size=image_size)
        tables["cifar10_base"] = base_on_cifar10(**options)
    if "cifar100" in data_sets:
        tables["cifar100"] = accuracy_on_cifar100(**options)
    if "femnist-digits" in data_sets:
        tables["femnist"] = accuracy_on_femnist(**options)
    if "flickr-aes" in data_sets:
        tables["flickr"] = accuracy_on_flickr(**options)
    return tables


def accuracy_on_cifar10(
    *,
    plan: Plan,
    classes_per_client: Sequence[int] = (4, 8, 10),
    methods: Sequence[str] = ("FedAvg", "FedPer 1", "FedPer 2", "local only"),
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy over rounds of a small convolutional network on CIFAR-10, ten clients with k classes each.

    Returns:
        The rows of `images.accuracy_on_images`.
    """
    return accuracy_on_images(
        "CIFAR-10",
        *pooled("cifar10"),
        CNN,
        plan,
        classes_per_client=classes_per_client,
        methods=methods,
        seeds=range(seed, seed + seeds),
        progress=progress,
    )


def accuracy_on_cifar100(
    *,
    plan: Plan,
    classes_per_client: Sequence[int] = (10, 100),
    methods: Sequence[str] = ("FedAvg", "FedPer 1", "local only"),
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return what `accuracy_on_cifar10` does for CIFAR-100, or for its registered subset where only that is there."""
    return accuracy_on_images(
        "CIFAR-100",
        *pooled("cifar100"),
        functools.partial(CNN, classes=100),
        plan,
        classes_per_client=classes_per_client,
        methods=methods,
        seeds=range(seed, seed + seeds),
        progress=progress,
    )


def accuracy_on_femnist(
    *,
    plan: Plan,
    methods: Sequence[str] = ("FedAvg", "FedPer 1", "local only"),
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy over rounds on FEMNIST digits, one client a user of the files: a natural partition.

    The official test images of a user are pooled with its others and split anew in each seed.

    Returns:
        One row an evaluated round: method, seed, and the columns of `arms.by_round`.
    """
    found = data.load("femnist-digits")
    users = [np.flatnonzero(found.user == user) for user in range(len(found.users))]
    build = functools.partial(small_cnn, (16, 32), image_channels=1, pixels=28)

    def federation(s: int) -> Federation:
        rng = np.random.default_rng([s, 3])
        return make_federation(1 - found.x, found.y, users, test_share=TEST_SHARE, rng=rng, name="FEMNIST digits")

    return natural_clients(
        "FEMNIST digits",
        federation,
        lambda name: method(name, build, plan.local),
        methods,
        plan,
        range(seed, seed + seeds),
        progress,
    )
