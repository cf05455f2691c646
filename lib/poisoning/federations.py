"""Images dealt out to honest clients and to those an attacker may take over."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from lib.federated.partition import quantity_skewed
from lib.federated.types import ClientData, Federation
from lib.nets import mlp

NET = functools.partial(mlp, (64, 64, 10))
SIDE, CLASSES = 8, 10


@dataclass(frozen=True, eq=False)
class Population:
    """Honest clients, and the genuine clients that an attacker may take over; the first honest one holds all tests.

    Attributes:
        honest: the clients that are never taken over.
        within_reach: those that may be.
        net: builds the network that they train.
        side: pixels of a side of the square images; inputs are flat, in [-1, 1].
    """

    honest: Federation
    within_reach: tuple[ClientData, ...]
    net: Callable[[], nn.Module]
    side: int

    @property
    def genuine(self) -> int:
        """Number of genuine clients."""
        return len(self.honest) + len(self.within_reach)


@functools.cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's digits: images ``(1797, 64)`` float32 in [-1, 1] and labels."""
    from lib import data

    found = data.load("digits")
    return (2 * found.features - 1).astype(np.float32), found.labels


def digits_population(
    *, clients: int = 100, reach: int = 20, beta: float = 0.1, test_share: float = 0.25, seed: int = 0
) -> Population:
    """Return `clients` genuine clients of the digits, the last `reach` of them within the attacker's reach.

    Each class is cut over the clients in Dirichlet(`beta`) proportions, so that clients differ in classes and in size.
    The global test set is a stratified share of all images. Raises ValueError for a reach that leaves nobody honest.
    """
    x, y = digits()
    rng = np.random.default_rng([seed, 5])
    held = np.concatenate([_share(np.flatnonzero(y == label), test_share, rng) for label in range(CLASSES)])
    train = np.setdiff1d(np.arange(len(y)), held)
    tests = np.sort(held)
    parts = x[train], y[train], x[tests], y[tests]
    return _deal(*parts, net=NET, clients=clients, reach=reach, beta=beta, rng=rng, name="digits")


def image_population(
    name: str, *, clients: int = 100, reach: int = 20, beta: float = 0.1, tests: int = 2000, seed: int = 0
) -> Population:
    """Return `clients` genuine clients of a data set of square images, such as "mnist", as `digits_population` does.

    The first `tests` images of the data set's own test part are the global test set; the network has one hidden layer
    of 64.
    """
    from lib import data

    found, rng = data.load(name), np.random.default_rng([seed, 5])
    side = found.train_x.shape[-1]
    flat, held = (
        part.reshape(len(part), -1).astype(np.float32) / 127.5 - 1 for part in (found.train_x, found.test_x[:tests])
    )
    net = functools.partial(mlp, (flat.shape[1], 64, CLASSES))
    parts = flat, found.train_y, held, found.test_y[:tests]
    return _deal(*parts, net=net, side=side, clients=clients, reach=reach, beta=beta, rng=rng, name=name)


def population(name: str, *, beta: float, seed: int = 0) -> Population:
    """Return a hundred clients of the data set called `name`, twenty of them within reach."""
    return digits_population(beta=beta, seed=seed) if name == "digits" else image_population(name, beta=beta, seed=seed)


def _deal(
    x: np.ndarray,
    y: np.ndarray,
    test_x: np.ndarray,
    test_y: np.ndarray,
    *,
    net: Callable[[], nn.Module],
    side: int = SIDE,
    clients: int,
    reach: int,
    beta: float,
    rng: np.random.Generator,
    name: str,
) -> Population:
    """Deal flat training images out to `clients`; the first one holds all test images."""
    if not 0 <= reach < clients:
        raise ValueError(f"reach = {reach} of {clients} clients must leave at least one honest client")
    images, labels, tests, answers = map(torch.as_tensor, (x, y, test_x, test_y))
    parts = map(torch.from_numpy, quantity_skewed(y, clients, alpha=beta, rng=rng))
    found = tuple(
        ClientData(
            images[part], labels[part].long(), *((tests, answers.long()) if i == 0 else (tests[:0], answers[:0]))
        )
        for i, part in enumerate(parts)
    )
    return Population(
        Federation(f"{name} beta={beta:g}", found[: clients - reach], CLASSES), found[clients - reach :], net, side
    )


def _share(rows: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(rows)[: round(share * len(rows))]
