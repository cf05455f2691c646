"""The same comparison on real data: digits by writer, CIFAR-10 by Dirichlet classes, characters by speaker."""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from lib import data
from lib.federated.federation import make_federation
from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.types import Federation
from lib.flow.baselines.methods import Bench
from lib.flow.experiments.arms import Progress, Run, compared, track, trained
from lib.flow.federations import image_federation, text_federation
from lib.flow.lstm import LSTMRouting
from lib.flow.routing import UnitRouting
from lib.nets import small_cnn

KNOWN = ("digits", "femnist-digits", "cifar10", "tinyshakespeare")
IMAGE_METHODS = (
    "FedAvg", "FedAvg + FT", "ensemble", "ensemble, own weight", "kNN-Per", "Ditto", "local only", "Flow",
)  # fmt: skip
TEXT_METHODS = ("FedAvg", "FedAvg + FT", "ensemble", "ensemble, own weight", "Ditto", "local only", "Flow")


def real_tables(
    data_sets: Sequence[str],
    *,
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    progress: Progress | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables ``femnist``, ``cifar10`` and ``shakespeare`` of the data sets named.

    Raises ValueError for an unknown name, DataError where a data set is absent.
    """
    unknown = sorted(set(data_sets) - set(KNOWN))
    if unknown:
        raise ValueError(f"unknown data set {unknown[0]!r}; choose from {', '.join(KNOWN)}")
    makers = {
        "femnist-digits": ("femnist", femnist),
        "cifar10": ("cifar10", cifar10),
        "tinyshakespeare": ("shakespeare", shakespeare),
    }
    options = {"seeds": seeds, "seed": seed, "rounds": rounds, "progress": progress}
    return {name: make(**options) for key, (name, make) in makers.items() if key in data_sets}


def femnist(
    *,
    methods: Sequence[str] = IMAGE_METHODS,
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the outcome of each method on FEMNIST digits, one client a user of the file, all of them in every round.

    The official test images of a user are pooled with its others and split anew in each seed.

    Returns:
        One row a client of each run: setting, method, seed and the columns of `lib.flow.outcomes.clients_table`.
    """
    found = data.load("femnist-digits")
    users = [np.flatnonzero(found.user == user) for user in range(len(found.users))]

    def federation(s: int) -> Federation:
        rng = np.random.default_rng([s, 64])
        return make_federation(1 - found.x, found.y, users, test_share=1 / 6, rng=rng, name="FEMNIST digits")

    bench = _image_bench(image_channels=1, side=28, channels=(8, 16))
    return _outcomes({"by user": federation}, bench, methods, seeds, seed, rounds, None, "FEMNIST digits", progress)


def cifar10(
    *,
    alphas: Sequence[float] = (0.1, 0.6),
    methods: Sequence[str] = IMAGE_METHODS,
    clients: int = 20,
    each: int = 240,
    cohort_size: int = 10,
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the same on CIFAR-10, the batches at hand, with Dirichlet class shares; columns as in `femnist`."""
    found = data.load("cifar10")
    x = np.concatenate([found.train_x, found.test_x]).astype(np.float32) / 255
    x = (x - x.mean(axis=(0, 2, 3), keepdims=True)) / x.std(axis=(0, 2, 3), keepdims=True)
    y = np.concatenate([found.train_y, found.test_y])

    def maker(alpha: float) -> Callable[[int], Federation]:
        return lambda s: image_federation(
            x, y, alpha=alpha, clients=clients, each=each, seed=s, name=f"CIFAR-10 alpha={alpha:g}"
        )

    bench = _image_bench(image_channels=3, side=32, channels=(8, 16, 32))
    settings = {f"alpha={alpha:g}": maker(alpha) for alpha in alphas}
    return _outcomes(settings, bench, methods, seeds, seed, rounds, cohort_size, "CIFAR-10", progress)


def shakespeare(
    *,
    methods: Sequence[str] = TEXT_METHODS,
    speakers: int = 20,
    windows: int = 80,
    hidden: int = 64,
    cohort_size: int = 10,
    lr: float = 1.5,
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the same for the next character of the speakers with the most text; columns as in `femnist`.

    The text of a speaker is cut once: the first windows are for training, the last for testing; seeds differ in initial
    weights, cohorts and minibatches. Accuracy counts characters.
    """
    texts = data.load("tinyshakespeare").by_speaker()
    longest = sorted(texts, key=lambda name: (-len(texts[name]), name))[:speakers]
    federation, vocabulary = text_federation([texts[name] for name in longest], windows=windows)
    routing = LSTMRouting(len(vocabulary), 8, hidden, sees_cells=True, widths=(32,))
    bench = Bench(routing=routing, local=LocalSGD(lr=lr, momentum=0.9, batch_size=10, epochs=2), task="digits")
    return _outcomes(
        {"by speaker": lambda s: federation}, bench, methods, seeds, seed, rounds, cohort_size, "Shakespeare", progress
    )


def _image_bench(*, image_channels: int, side: int, channels: tuple[int, ...]) -> Bench:
    model = Model(functools.partial(small_cnn, channels, image_channels=image_channels))
    routing = UnitRouting(model, (64,) * len(channels), image_channels * side * side)
    return Bench(routing=routing, local=LocalSGD(lr=0.1, momentum=0.9, batch_size=20, epochs=2), task="digits")


def _outcomes(
    settings: dict[str, Callable[[int], Federation]],
    bench: Bench,
    methods: Sequence[str],
    seeds: int,
    seed: int,
    rounds: int,
    cohort_size: int | None,
    label: str,
    progress: Progress | None,
) -> pd.DataFrame:
    parts = []
    cells = [(name, s) for name in settings for s in range(seed, seed + seeds)]
    for name, s in track(cells, label, progress):
        runs = [Run(settings[name](s), s, {"setting": name})]
        found = trained(list(dict.fromkeys(["FedAvg", *methods])), bench, runs, rounds=rounds, cohort_size=cohort_size)
        parts += [compared(one, found, runs) for one in methods]
    return pd.concat(parts, ignore_index=True)
