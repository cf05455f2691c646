"""Colour images dealt out by class: what the experiments on CIFAR share."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from lib import data
from lib.fedper.experiments.arms import Plan
from lib.fedper.experiments.own_rates import accuracy_at_own_rates
from lib.fedper.experiments.rates import judging
from lib.nets import UnitNet, small_cnn

PIXELS = 32
CNN = functools.partial(small_cnn, (16, 32, 64), pixels=PIXELS)


def accuracy_on_cifar10(*, plan: Plan, build: Callable[[], nn.Module] = CNN, **options: Any) -> pd.DataFrame:
    """Return accuracy over rounds on CIFAR-10, of a small convolutional network if `build` names no other.

    `options` are those of `own_rates.accuracy_at_own_rates`, whose rows are returned.
    """
    return accuracy_at_own_rates("CIFAR-10", *pooled("cifar10"), build, plan, **options)


def by_units(*tables: pd.DataFrame) -> pd.DataFrame:
    """Return the judged rows of FedAvg, FedPer and training alone in `tables`, with the column personal_units.

    All units of `CNN` are personal in training alone, none in FedAvg.
    """
    units = {"FedAvg": 0, "local only": len(CNN().blocks)}
    units |= {f"FedPer {count}": count for count in range(1, units["local only"])}
    table = pd.concat([judging(rows) for rows in tables], ignore_index=True)
    table = table[table["method"].isin(units)]
    return table.assign(personal_units=table["method"].map(units))


def accuracy_on_cifar100(*, plan: Plan, **options: Any) -> pd.DataFrame:
    """Return accuracy over rounds on CIFAR-100, or on its registered subset where only that is there.

    `options` are those of `own_rates.accuracy_at_own_rates`, whose rows are returned.
    """
    build = functools.partial(CNN, classes=100)
    return accuracy_at_own_rates("CIFAR-100", *pooled("cifar100"), build, plan, **options)


@functools.lru_cache(maxsize=1)
def pooled(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return all images of a data set, centred and scaled channel by channel, and their labels.

    Training and test batches at hand are pooled before they are dealt out, as in the Flower replication.
    """
    found = data.load(name)
    x = np.concatenate([found.train_x, found.test_x]).astype(np.float32) / 255
    x -= x.mean(axis=(0, 2, 3), keepdims=True)
    x /= x.std(axis=(0, 2, 3), keepdims=True)
    return x, np.concatenate([found.train_y, found.test_y])


def at_size(build: Callable[[], UnitNet], pixels: int) -> Callable[[], UnitNet]:
    """Return a function that builds the network with bilinear scaling to `pixels` in front; none for 32.

    The replication scales to 224. Images are scaled batch by batch, so the data set keeps its size in memory.
    """
    return build if pixels == PIXELS else functools.partial(_scaled, build, pixels)


def _scaled(build: Callable[[], UnitNet], pixels: int) -> UnitNet:
    net = build()
    net.blocks[0].insert(0, nn.Upsample(size=(pixels, pixels), mode="bilinear"))
    return net
