"""What the shared base is worth: a deep one against a single linear layer."""

import functools
from collections.abc import Sequence

import pandas as pd
from torch import nn

from lib.federated.types import Federation
from lib.fedper.aesthetics import aesthetics_federation, picture_pool
from lib.fedper.experiments.arms import DIGITS_NET, Cell, Plan, Progress, arms, track
from lib.fedper.experiments.concept import AESTHETICS_NET
from lib.fedper.experiments.images import PIXELS
from lib.fedper.experiments.rates import judging
from lib.fedper.federations import class_federation, digits
from lib.fedper.fedper import fedper
from lib.nets import UnitNet
from lib.report.intervals import last_round


def linear_base(inputs: int, features: int, classes: int) -> UnitNet:
    """Return a network whose base is one linear layer without nonlinearity, and its classifier."""
    return UnitNet([nn.Sequential(nn.Linear(inputs, features)), nn.Sequential(nn.Linear(features, classes))])


def base_ablation(
    *, seeds: int = 3, seed: int = 0, rounds: int = 20, steps: int = 20, progress: Progress | None = None
) -> pd.DataFrame:
    """Return the accuracy of FedPer 1 with a deep and with a linear base, on digits (k = 4) and aesthetics (a = 1).

    Returns:
        One row a run: task, base ("deep" or "linear"), method, seed, and the columns of `arms.by_round`.
    """
    parts, every = [], range(seed, seed + seeds)
    for task, federations, lr, deep, shape in track(_tasks(every), "base ablation", progress):
        plan = Plan(rounds=rounds, steps=steps, lr=lr)
        for base, build in (("deep", deep), ("linear", functools.partial(linear_base, *shape))):
            cells = [Cell(*pair, {"task": task, "base": base}) for pair in zip(federations, every, strict=True)]
            parts += arms("FedPer 1", fedper(build, personal_units=1, local=plan.local), cells, plan)
    return pd.concat([rows for rows, _ in parts], ignore_index=True)


def _tasks(
    seeds: Sequence[int],
) -> list[tuple[str, list[Federation], float, functools.partial, tuple[int, int, int]]]:
    """Return the tasks: name, federations, learning rate, deep network, sizes of the network with a linear base."""
    images = [class_federation(*digits(), classes_per_client=4, seed=s) for s in seeds]
    ratings = [aesthetics_federation(picture_pool(seed=s), a=1.0, seed=s) for s in seeds]
    return [
        ("digits", images, 0.05, DIGITS_NET, (64, 32, 10)),
        ("aesthetics", ratings, 0.03, AESTHETICS_NET, (32, 32, 5)),
    ]


def bases_on_cifar10(deep: pd.DataFrame, linear: pd.DataFrame) -> pd.DataFrame:
    """Return the judged last rows of the deep and the linear base, and of the deep network trained alone.

    Args:
        deep: rows of `images.accuracy_on_cifar10` for the convolutional network.
        linear: its rows for `linear_images`; their number of classes a client is the one that is taken of `deep`.

    Returns:
        One row a run: the columns of both, task, and base ("deep" or "linear").
    """
    deep = deep[deep["classes_per_client"].isin(linear["classes_per_client"])]
    deep = deep[deep["method"].isin(["FedPer 1", "local only"])].assign(base="deep")
    linear = linear[linear["method"] == "FedPer 1"].assign(base="linear")
    both = pd.concat([last_round(judging(rows)) for rows in (deep, linear)], ignore_index=True)
    return both.assign(task="CIFAR-10")


def linear_images() -> UnitNet:
    """Return a network on 32-pixel colour images whose base is one linear layer of 64 features."""
    net = linear_base(3 * PIXELS**2, 64, 10)
    net.blocks[0].insert(0, nn.Flatten())
    return net
