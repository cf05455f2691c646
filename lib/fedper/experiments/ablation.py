"""What the shared base is worth: a deep one against a single linear layer."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd
from torch import nn

from lib.federated.tuning import best_settings, tuning_seeds
from lib.federated.types import Federation
from lib.fedper.aesthetics import aesthetics_federation, picture_pool
from lib.fedper.baselines import method
from lib.fedper.experiments.arms import DIGITS_NET, Plan, Progress, arm, track
from lib.fedper.experiments.concept import AESTHETICS_NET
from lib.fedper.experiments.images import CNN, PIXELS, pooled
from lib.fedper.experiments.rates import arm_or_zero
from lib.fedper.federations import class_federation, digits
from lib.fedper.fedper import fedper
from lib.nets import UnitNet

CIFAR10_ARMS = (("deep", "FedPer 1"), ("linear", "FedPer 1"), ("deep", "local only"))  # base, method


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
    parts = []
    for s in track(range(seed, seed + seeds), "base ablation", progress):
        for task, federation, lr, deep, shape in _tasks(s):
            plan = Plan(rounds=rounds, steps=steps, lr=lr)
            for base, build in (("deep", deep), ("linear", functools.partial(linear_base, *shape))):
                algorithm = fedper(build, personal_units=1, local=plan.local)
                parts.append(arm("FedPer 1", algorithm, federation, plan, seed=s, task=task, base=base)[0])
    return pd.concat(parts, ignore_index=True)


def _tasks(seed: int) -> list[tuple[str, Federation, float, functools.partial, tuple[int, int, int]]]:
    """Return the tasks: name, federation, learning rate, deep network, and sizes of the network with a linear base."""
    images = class_federation(*digits(), classes_per_client=4, seed=seed)
    ratings = aesthetics_federation(picture_pool(seed=seed), a=1.0, seed=seed)
    return [
        ("digits", images, 0.05, DIGITS_NET, (64, 32, 10)),
        ("aesthetics", ratings, 0.03, AESTHETICS_NET, (32, 32, 5)),
    ]


def base_on_cifar10(
    *,
    plan: Plan,
    rates: Sequence[float] = (0.001, 0.003, 0.01, 0.03, 0.1),
    tuning: int = 1,
    arms: Sequence[tuple[str, str]] = CIFAR10_ARMS,
    classes_per_client: int = 4,
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the final accuracy of FedPer 1 on CIFAR-10 with a convolutional base and a linear one of 64 features.

    The convolutional network alone on each client stands beside them: a base that does not beat it is worth nothing.
    Each arm has the rate of `plan` replaced by the best of `rates` on `tuning` other partitions.
    `arms` names the arms (base, method) to run.

    Returns:
        One row a run: use ("tuning" or "judging"), lr, task, base ("deep" or "linear"), method, seed, and the columns
        of `arms.by_round`.
    """
    x, y = pooled("cifar10")
    nets = {"deep": CNN, "linear": linear_images}

    def runs(use: str, s: int, settings: list[tuple[tuple[str, str], float]]) -> list[pd.DataFrame]:
        federation = class_federation(x, y, classes_per_client=classes_per_client, seed=s, name="CIFAR-10")
        return [_tuned_arm(nets[kind[0]], kind, federation, replace(plan, lr=lr), s, use) for kind, lr in settings]

    grid = [(kind, lr) for kind in arms for lr in rates]
    parts = []
    for s in track(tuning_seeds(tuning, seed), "base ablation, CIFAR-10: tuning", progress):
        parts += runs("tuning", s, grid)
    chosen = best_settings(pd.concat(parts), ["base", "method"]).set_index(["base", "method"])["lr"]
    for s in track(range(seed, seed + seeds), "base ablation, CIFAR-10", progress):
        parts += runs("judging", s, [(kind, chosen[kind]) for kind in arms])
    return pd.concat(parts, ignore_index=True)


def _tuned_arm(
    build: Callable[[], UnitNet], kind: tuple[str, str], federation: Federation, plan: Plan, seed: int, use: str
) -> pd.DataFrame:
    base, name = kind
    labels = {"use": use, "lr": plan.lr, "task": "CIFAR-10", "base": base}
    return arm_or_zero(name, method(name, build, plan.local), federation, plan, seed=seed, **labels)


def linear_images() -> UnitNet:
    """Return a network on 32-pixel colour images whose base is one linear layer of 64 features."""
    net = linear_base(3 * PIXELS**2, 64, 10)
    net.blocks[0].insert(0, nn.Flatten())
    return net
