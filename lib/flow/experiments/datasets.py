"""The real federations: digits by user, CIFAR-10 by Dirichlet classes, the next character by speaker."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from lib import data
from lib.federated.federation import make_federation
from lib.federated.types import Federation
from lib.flow.federations import image_federation, text_federation

CLIENTS, EACH, WINDOWS = 20, 240, 80


@dataclass(frozen=True)
class Real:
    """A task on real data: its data set, the table and the setting under which its rows are kept, and its cohort."""

    data: str
    table: str
    setting: str
    cohort: int | None = None


REAL: dict[str, Real] = {
    "FEMNIST digits": Real("femnist-digits", "femnist", "by user"),
    "CIFAR-10, alpha=0.1": Real("cifar10", "cifar10", "alpha=0.1", 10),
    "CIFAR-10, alpha=0.6": Real("cifar10", "cifar10", "alpha=0.6", 10),
    "Shakespeare": Real("tinyshakespeare", "shakespeare", "by speaker", 10),
}


def real_federation(task: str, seed: int, *, tuning: bool = False) -> Federation:
    """Return the clients of a task of `REAL` in the run with that seed.

    FEMNIST digits: a client a user of the file, a sixth of its images for testing, split anew in each seed (the
    official test images are pooled with the others). CIFAR-10: 20 clients of 240 images of the batches at hand, drawn
    anew. Shakespeare: the 20 speakers with the most text, always the same windows; for `tuning` the next 20 speakers.
    """
    where = REAL[task]
    if where.table == "femnist":
        return _femnist(seed)
    if where.table == "cifar10":
        return _cifar10(float(where.setting.removeprefix("alpha=")), seed)
    return _shakespeare(slice(CLIENTS, 2 * CLIENTS) if tuning else slice(CLIENTS))


@functools.lru_cache(maxsize=1)
def _loaded(name: str) -> Any:
    return data.load(name)


def _femnist(seed: int) -> Federation:
    found = _loaded("femnist-digits")
    users = [np.flatnonzero(found.user == user) for user in range(len(found.users))]
    rng = np.random.default_rng([seed, 64])
    return make_federation(1 - found.x, found.y, users, test_share=1 / 6, rng=rng, name="FEMNIST digits")


def _cifar10(alpha: float, seed: int) -> Federation:
    x, y = _cifar10_arrays()
    return image_federation(x, y, alpha=alpha, clients=CLIENTS, each=EACH, seed=seed, name=f"CIFAR-10 alpha={alpha:g}")


@functools.lru_cache(maxsize=1)
def _cifar10_arrays() -> tuple[np.ndarray, np.ndarray]:
    found = _loaded("cifar10")
    x = np.concatenate([found.train_x, found.test_x]).astype(np.float32) / 255
    x = (x - x.mean(axis=(0, 2, 3), keepdims=True)) / x.std(axis=(0, 2, 3), keepdims=True)
    return x, np.concatenate([found.train_y, found.test_y])


def _shakespeare(ranks: slice) -> Federation:
    found = _loaded("tinyshakespeare")
    texts, characters = found.by_speaker(), "".join(sorted(set(found.text)))
    longest = sorted(texts, key=lambda name: (-len(texts[name]), name))[ranks]
    return text_federation([texts[name] for name in longest], windows=WINDOWS, vocabulary=characters)[0]
