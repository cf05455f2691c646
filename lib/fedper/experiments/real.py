"""The same comparisons on real images: CIFAR-10, a subset of CIFAR-100, handwritten digits by writer."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib import data
from lib.federated.federation import make_federation
from lib.federated.types import Federation
from lib.fedper.experiments.ablation import linear_images
from lib.fedper.experiments.arms import Plan, Progress
from lib.fedper.experiments.flickr import accuracy_on_flickr
from lib.fedper.experiments.images import PIXELS, accuracy_on_cifar10, accuracy_on_cifar100
from lib.fedper.experiments.many_classes import MANY_METHODS, accuracy_on_many_classes
from lib.fedper.experiments.networks import NETWORK_CELLS, NETWORK_RATES, network, networks_on_cifar10
from lib.fedper.experiments.normalization import FEDBN, POLICIES, normalizations_on_cifar10
from lib.fedper.experiments.own_rates import RATES, Arm, each_at_own_rate
from lib.fedper.experiments.rates import learning_rates
from lib.fedper.experiments.skew import CIFAR10_ALPHAS, cifar10_by_skew
from lib.fedper.experiments.skew import CIFAR10_METHODS as SKEW_METHODS
from lib.fedper.federations import TEST_SHARE
from lib.nets import small_cnn
from lib.report.tasks import Task, run_tasks

METHODS = ("FedAvg", "FedPer 1", "local only")
CIFAR10_METHODS = ("FedAvg", "FedPer 1", "FedPer 2", "local only")
CIFAR10_RIVALS = ("FedRep", "FedBABU")
KNOWN = ("digits", "cifar10", "cifar100", "femnist-digits", "flickr-aes")


def real_tasks(
    data_sets: Sequence[str],
    *,
    plan: Plan,
    rates: Sequence[float] = (),
    many_classes: Sequence[int] = (),
    cifar10_plan: Plan | None = None,
    networks: Sequence[str] = (),
    image_size: int = PIXELS,
    seeds: int = 3,
    seed: int = 0,
) -> list[Task]:
    """Return the pieces of the tables of the longer experiments on the data sets named.

    "cifar10" gives cifar10, cifar10_networks (for `networks`, if any), cifar10_base, cifar10_units (three personal
    units), cifar10_skew and cifar10_norm, trained as `cifar10_plan` says (None: as `plan`); "cifar100",
    "femnist-digits" and "flickr-aes" give the tables cifar100, femnist and flickr; "digits" gives nothing here. All but
    flickr have tuned learning rates. `rates` adds the table rates (on the digits), `many_classes` that
    called many_classes (classes a client, of a hundred clusters). `image_size` is what images are scaled to for
    `networks`. Raises ValueError for an unknown name of a data set or a network.
    """
    unknown = sorted(set(data_sets) - set(KNOWN))
    if unknown:
        raise ValueError(f"unknown data set {unknown[0]!r}; choose from {', '.join(KNOWN)}")
    tasks = []

    if rates:
        options = [{"rates": rates, "seeds": 1, "seed": s} for s in range(seed, seed + seeds)]
        tasks += [Task("rates", learning_rates, one | {"classes_per_client": (k,)}) for one in options for k in (4, 10)]
    whole = {"seeds": seeds, "seed": seed}  # a rate is chosen once, for all its seeds
    cells = [{"classes_per_client": (k,), "methods": (name,)} for k in many_classes for name in MANY_METHODS]
    tasks += [Task("many_classes", accuracy_on_many_classes, whole | cell) for cell in cells]
    if "cifar10" in data_sets:
        tasks += _cifar10_tasks(networks, image_size, whole | {"plan": cifar10_plan or plan})
    whole = {"plan": plan, "seeds": seeds, "seed": seed}
    if "cifar100" in data_sets:
        cells = [{"classes_per_client": (k,), "methods": (name,)} for k in (10, 100) for name in METHODS]
        tasks += [Task("cifar100", accuracy_on_cifar100, whole | cell) for cell in cells]
    if "femnist-digits" in data_sets:
        tasks += [Task("femnist", accuracy_on_femnist, whole | {"methods": (name,)}) for name in METHODS]
    if "flickr-aes" in data_sets:
        ranges = [{"plan": plan, "seeds": 1, "seed": s} for s in range(seed, seed + seeds)]
        tasks += [Task("flickr", accuracy_on_flickr, one) for one in ranges]
    return tasks


def _cifar10_tasks(networks: Sequence[str], image_size: int, whole: Mapping[str, Any]) -> list[Task]:
    """Return the pieces on CIFAR-10; `whole` are the options that all have."""

    def cells(ks: Sequence[int], names: Sequence[str]) -> list[dict[str, Any]]:
        return [{"classes_per_client": (k,), "methods": (name,)} for k in ks for name in names]

    one = {"image_size": image_size, "rates": NETWORK_RATES} | whole
    tasks = []
    for name in networks:
        network(name, image_size)  # refuses a name before anything is computed
        found = [{"networks": (name,), "classes_per_client": (k,), "methods": (arm,)} for k, arm in NETWORK_CELLS]
        tasks += [Task("cifar10_networks", networks_on_cifar10, one | cell) for cell in found]
    small = cells((4, 8, 10), CIFAR10_METHODS) + cells((4,), CIFAR10_RIVALS)
    tasks += [Task("cifar10", accuracy_on_cifar10, whole | cell) for cell in small]
    (base,) = cells((4,), ("FedPer 1",))
    tasks.append(Task("cifar10_base", accuracy_on_cifar10, whole | base | {"build": linear_images}))
    tasks += [Task("cifar10_units", accuracy_on_cifar10, whole | cell) for cell in cells((4, 8, 10), ("FedPer 3",))]
    skewed = [{"alphas": (alpha,), "methods": (name,)} for alpha in CIFAR10_ALPHAS for name in SKEW_METHODS]
    tasks += [Task("cifar10_skew", cifar10_by_skew, whole | cell) for cell in skewed]
    batch = cells((4, 10), (*POLICIES, FEDBN))
    return tasks + [Task("cifar10_norm", normalizations_on_cifar10, whole | cell) for cell in batch]


def tasks_of(parameters: Mapping[str, Any]) -> list[Task]:
    """Return the `real_tasks` that the notebook's parameters ask for."""
    names = ("rates", "many_classes", "networks", "image_size", "seeds")
    plans = {"plan": Plan(**parameters["real_plan"]), "cifar10_plan": Plan(**parameters["cifar10_plan"])}
    return real_tasks(parameters["data_sets"], **plans, **{name: parameters[name] for name in names})


def real_tables(
    data_sets: Sequence[str], *, workers: int = 1, progress: Progress | None = None, **options: Any
) -> dict[str, pd.DataFrame]:
    """Return the tables of `real_tasks`, which takes the `options`, with `workers` processes at work.

    Raises ValueError for an unknown name, DataError where a data set is absent.
    """
    return run_tasks(real_tasks(data_sets, **options), workers=workers, progress=progress)


def accuracy_on_femnist(
    *,
    plan: Plan,
    methods: Sequence[str] = METHODS,
    rates: Sequence[float] = RATES,
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy over rounds on FEMNIST digits, one client a user of the files: a natural partition.

    The official test images of a user are pooled with its others and split anew in each seed. Every method has its own
    learning rate and fine-tuning, chosen on another split.

    Returns:
        The rows of `own_rates.at_own_rate`.
    """
    build = functools.partial(small_cnn, (16, 32), image_channels=1, pixels=28)
    arms = [(Arm(name=name, build=build, federation=users_federation, plan=plan), {}) for name in methods]
    return each_at_own_rate(arms, rates=rates, seeds=seeds, seed=seed, progress=progress)


def users_federation(*, seed: int) -> Federation:
    """Return the users of FEMNIST digits, their images split by `seed` into training and test."""
    found = data.load("femnist-digits")
    users = [np.flatnonzero(found.user == user) for user in range(len(found.users))]
    rng = np.random.default_rng([seed, 3])
    return make_federation(1 - found.x, found.y, users, test_share=TEST_SHARE, rng=rng, name="FEMNIST digits")
