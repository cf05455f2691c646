"""Images dealt out to honest clients and to those an attacker may take over."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from lib.federated.partition import quantity_skewed
from lib.federated.types import ClientData, Federation
from lib.nets import UnitNet, mlp, small_cnn

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
    """Return `clients` genuine clients of the data set called `name`, as `digits_population` does.

    "mnist" and "femnist-digits" have a perceptron with one hidden layer of 64, "cifar10" a small convolutional network.
    The first `tests` images of the data set's own test part are the global test set. An infinite `beta` keeps the
    images of a user together where there are users: each one's are cut into eight clients at random, and as many as
    there are then take part in a random order.
    """
    x, y, test_x, test_y, user = _images(name)
    rng, side = np.random.default_rng([seed, 5]), x.shape[-1]
    flat, held = (part.reshape(len(part), -1) for part in (x, test_x[:tests]))
    net = small_convolutional if name == "cifar10" else functools.partial(mlp, (flat.shape[1], 64, CLASSES))
    parts = by_user(user, 8, rng)[:clients] if user is not None and beta == np.inf else None
    options = {"clients": clients if parts is None else len(parts), "reach": reach, "beta": beta, "rng": rng}
    return _deal(flat, y, held, test_y[:tests], net=net, side=side, parts=parts, name=name, **options)


def _images(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Return training and test images, float32 in [-1, 1] with ink bright, their labels, and users if there are."""
    from lib import data

    found = data.load(name)
    if name == "femnist-digits":
        x, train = (1 - 2 * found.x).astype(np.float32), ~found.test
        return x[train], found.y[train], x[found.test], found.y[found.test], found.user[train]
    train_x, test_x = (part.astype(np.float32) / 127.5 - 1 for part in (found.train_x, found.test_x))
    return train_x, found.train_y, test_x, found.test_y, None


def small_convolutional() -> UnitNet:
    """Return a network of three convolutional units and a classifier for flat colour images of 32 pixels."""
    net = small_cnn((16, 32, 64), classes=CLASSES, image_channels=3, pixels=32)
    return UnitNet([nn.Unflatten(1, (3, 32, 32)), *net.blocks])


def by_user(user: np.ndarray, parts: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the rows of each `user` ``(n,)`` cut into `parts` at random, in a random order."""
    own = [rng.permutation(np.flatnonzero(user == one)) for one in np.unique(user)]
    cut = [part for rows in own for part in np.array_split(rows, parts)]
    return [cut[place] for place in rng.permutation(len(cut))]


@functools.lru_cache(maxsize=8)
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
    parts: list[np.ndarray] | None = None,
) -> Population:
    """Deal flat training images out to `clients`, or as `parts` say; the first one holds all test images."""
    if not 0 <= reach < clients:
        raise ValueError(f"reach = {reach} of {clients} clients must leave at least one honest client")
    images, labels, tests, answers = map(torch.as_tensor, (x, y, test_x, test_y))
    parts = map(torch.from_numpy, parts or quantity_skewed(y, clients, alpha=beta, rng=rng))
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
