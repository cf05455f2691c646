"""The same comparisons on real images: CIFAR-10, a subset of CIFAR-100, handwritten digits by writer."""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from torch import nn

from lib import data
from lib.federated.federation import make_federation
from lib.federated.types import Federation
from lib.fedper.baselines import method
from lib.fedper.experiments.ablation import linear_base
from lib.fedper.experiments.arms import Plan, Progress, arm, natural_clients, often, track
from lib.fedper.experiments.finetuning import finetuned
from lib.fedper.experiments.flickr import accuracy_on_flickr
from lib.fedper.experiments.rates import learning_rates
from lib.fedper.federations import TEST_SHARE, class_federation
from lib.nets import UnitNet, mobilenet_v1, resnet34, small_cnn

KNOWN = ("digits", "cifar10", "cifar100", "femnist-digits", "flickr-aes")
CNN = functools.partial(small_cnn, (16, 32, 64))
# The paper's two networks, whole and at an eighth of their channels (for processors without a GPU).
NETWORKS = {
    "ResNet-34": resnet34,
    "MobileNet-v1": mobilenet_v1,
    "ResNet-34 / 8": functools.partial(resnet34, width=0.125),
    "MobileNet-v1 / 8": functools.partial(mobilenet_v1, width=0.125),
}


def real_tables(
    data_sets: Sequence[str],
    *,
    rates: Sequence[float] = (),
    networks: Sequence[str] = ("ResNet-34 / 8", "MobileNet-v1 / 8"),
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables of the longer experiments on the data sets named.

    "cifar10" gives cifar10, cifar10_base and cifar10_networks, "cifar100", "femnist-digits" and "flickr-aes" the tables
    cifar100, femnist and flickr; "digits" gives nothing here, `rates` adds the table rates (on the
    digits). Raises ValueError for an unknown name, DataError where a data set is absent.
    """
    unknown = sorted(set(data_sets) - set(KNOWN))
    if unknown:
        raise ValueError(f"unknown data set {unknown[0]!r}; choose from {', '.join(KNOWN)}")
    options = {"seeds": seeds, "seed": seed, "rounds": rounds, "device": device, "progress": progress}
    tables = {}
    if rates:
        tables["rates"] = learning_rates(rates=rates, seeds=seeds, seed=seed, progress=progress)
    if "cifar10" in data_sets:
        tables["cifar10"] = accuracy_on_cifar10(**options)
        tables["cifar10_base"] = base_on_cifar10(**options)
        tables["cifar10_networks"] = networks_on_cifar10(networks=networks, **options)
    if "cifar100" in data_sets:
        tables["cifar100"] = accuracy_on_cifar100(**options)
    if "femnist-digits" in data_sets:
        tables["femnist"] = accuracy_on_femnist(**options)
    if "flickr-aes" in data_sets:
        tables["flickr"] = accuracy_on_flickr(**options)
    return tables


def accuracy_on_cifar10(
    *,
    classes_per_client: Sequence[int] = (4, 8, 10),
    methods: Sequence[str] = ("FedAvg", "FedPer 1", "FedPer 2", "local only"),
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    device: str = "cpu",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy over rounds of a small convolutional network on CIFAR-10, ten clients with k classes each.

    The batches at hand and the test batch are pooled before they are dealt out, as in the Flower replication.

    Returns:
        One row an evaluated round: classes_per_client, method, seed, and the columns of `arms.by_round`.
    """
    x, y = _pooled("cifar10")
    plan = Plan(rounds=rounds, batch_size=32, device=device)
    return _by_classes("CIFAR-10", x, y, CNN, plan, classes_per_client, methods, range(seed, seed + seeds), progress)


def accuracy_on_cifar100(
    *,
    classes_per_client: Sequence[int] = (10, 50, 100),
    methods: Sequence[str] = ("FedAvg", "FedPer 1", "local only"),
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    device: str = "cpu",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return what `accuracy_on_cifar10` does for CIFAR-100, or for its registered subset where only that is there."""
    x, y = _pooled("cifar100")
    build = functools.partial(small_cnn, (16, 32, 64), classes=100)
    plan = Plan(rounds=rounds, batch_size=16, device=device)
    return _by_classes("CIFAR-100", x, y, build, plan, classes_per_client, methods, range(seed, seed + seeds), progress)


def accuracy_on_femnist(
    *,
    methods: Sequence[str] = ("FedAvg", "FedPer 1", "local only"),
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    device: str = "cpu",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy over rounds on FEMNIST digits, one client a user of the files: a natural partition.

    The official test images of a user are pooled with its others and split anew in each seed.

    Returns:
        One row an evaluated round: method, seed, and the columns of `arms.by_round`.
    """
    found = data.load("femnist-digits")
    users = [np.flatnonzero(found.user == user) for user in range(len(found.users))]
    plan = Plan(rounds=rounds, device=device)
    build = functools.partial(small_cnn, (16, 32), image_channels=1)

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


def networks_on_cifar10(
    *,
    networks: Sequence[str] = ("ResNet-34 / 8", "MobileNet-v1 / 8"),
    classes_per_client: Sequence[int] = (4, 10),
    methods: Sequence[str] = ("FedAvg", "FedPer 2"),
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    device: str = "cpu",
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
    x, y = _pooled("cifar10")
    plan = Plan(rounds=rounds, batch_size=32, device=device)
    parts = []
    for name in networks:
        arms = (x, y, NETWORKS[name], plan, classes_per_client, methods, range(seed, seed + seeds), progress)
        parts.append(_by_classes(name, *arms).assign(network=name))
    return pd.concat(parts, ignore_index=True)


def base_on_cifar10(
    *,
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    classes_per_client: int = 4,
    device: str = "cpu",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the final accuracy of FedPer 1 on CIFAR-10 with a convolutional and a linear base of as many features.

    The linear base trains with a tenth of the learning rate, at which it is stable; neither rate is tuned.

    Returns:
        One row a run: task, base ("deep" or "linear"), method, seed, and the columns of `arms.by_round`.
    """
    x, y = _pooled("cifar10")
    parts = []
    for s in track(range(seed, seed + seeds), "base ablation, CIFAR-10", progress):
        federation = class_federation(x, y, classes_per_client=classes_per_client, seed=s, name="CIFAR-10")
        for base, build, lr in (("deep", CNN, 0.05), ("linear", linear_images, 0.005)):
            plan = Plan(rounds=rounds, batch_size=32, lr=lr, device=device)
            algorithm = method("FedPer 1", build, plan.local)
            parts.append(arm("FedPer 1", algorithm, federation, plan, seed=s, task="CIFAR-10", base=base)[0])
    return pd.concat(parts, ignore_index=True)


def linear_images() -> UnitNet:
    """Return a network on 32-pixel colour images whose base is one linear layer of 64 features."""
    net = linear_base(3 * 32 * 32, 64, 10)
    net.blocks[0].insert(0, nn.Flatten())
    return net


def _by_classes(
    name: str,
    x: np.ndarray,
    y: np.ndarray,
    build: Callable[[], nn.Module],
    plan: Plan,
    ks: Sequence[int],
    methods: Sequence[str],
    seeds: Sequence[int],
    progress: Progress | None,
) -> pd.DataFrame:
    parts = []
    for k, s in track([(k, s) for k in ks for s in seeds], name, progress):
        federation = class_federation(x, y, classes_per_client=k, seed=s, name=name)
        for arm_name in methods:
            algorithm = method(arm_name, build, plan.local)
            rows, history = arm(
                arm_name, algorithm, federation, plan, seed=s, evaluate_every=often(plan.rounds), classes_per_client=k
            )
            parts += [rows, finetuned(rows, algorithm, history, federation, plan, seed=s)]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def _pooled(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return all images of a data set, centred and scaled channel by channel, and their labels."""
    found = data.load(name)
    x = np.concatenate([found.train_x, found.test_x]).astype(np.float32) / 255
    x -= x.mean(axis=(0, 2, 3), keepdims=True)
    x /= x.std(axis=(0, 2, 3), keepdims=True)
    return x, np.concatenate([found.train_y, found.test_y])
