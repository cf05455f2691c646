"""Colour images dealt out by class: what the experiments on CIFAR share."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from lib import data
from lib.fedper.baselines import method
from lib.fedper.experiments.arms import Plan, Progress, arm, often, track
from lib.fedper.experiments.finetuning import finetuned
from lib.fedper.experiments.own_rates import accuracy_at_own_rates
from lib.fedper.federations import class_federation
from lib.nets import UnitNet, small_cnn

PIXELS = 32
CNN = functools.partial(small_cnn, (16, 32, 64), pixels=PIXELS)


def accuracy_on_images(
    name: str,
    x: np.ndarray,
    y: np.ndarray,
    build: Callable[[], nn.Module],
    plan: Plan,
    *,
    classes_per_client: Sequence[int],
    methods: Sequence[str],
    seeds: Sequence[int],
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy over rounds of ten clients with k classes each; FedAvg and FedPer 1 also fine-tuned at the end.

    Returns:
        One row an evaluated round: classes_per_client, method, seed, and the columns of `arms.by_round`.
    """
    parts = []
    for k, s in track([(k, s) for k in classes_per_client for s in seeds], name, progress):
        federation = class_federation(x, y, classes_per_client=k, seed=s, name=name)
        for arm_name in methods:
            algorithm = method(arm_name, build, plan.local, seed=s)
            rows, history = arm(
                arm_name, algorithm, federation, plan, seed=s, evaluate_every=often(plan.rounds), classes_per_client=k
            )
            parts += [rows, finetuned(rows, algorithm, history, federation, plan, seed=s)]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def accuracy_on_cifar10(*, plan: Plan, build: Callable[[], nn.Module] = CNN, **options: Any) -> pd.DataFrame:
    """Return accuracy over rounds on CIFAR-10, of a small convolutional network if `build` names no other.

    `options` are those of `own_rates.accuracy_at_own_rates`, whose rows are returned.
    """
    return accuracy_at_own_rates("CIFAR-10", *pooled("cifar10"), build, plan, **options)


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
