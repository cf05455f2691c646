"""The digits dealt out to honest clients and to those an attacker may take over."""

import functools
from dataclasses import dataclass

import numpy as np
import torch

from lib.federated.partition import quantity_skewed
from lib.federated.types import ClientData, Federation
from lib.nets import mlp

NET = functools.partial(mlp, (64, 64, 10))
SIDE, CLASSES = 8, 10


@dataclass(frozen=True, eq=False)
class Population:
    """Honest clients, and the genuine clients that an attacker may take over; the first honest one holds all tests."""

    honest: Federation
    within_reach: tuple[ClientData, ...]
    test_x: torch.Tensor

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
    if not 0 <= reach < clients:
        raise ValueError(f"reach = {reach} of {clients} clients must leave at least one honest client")
    x, y = digits()
    rng = np.random.default_rng([seed, 5])
    held = np.concatenate([_share(np.flatnonzero(y == label), test_share, rng) for label in range(CLASSES)])
    train = np.setdiff1d(np.arange(len(y)), held)
    parts = [train[part] for part in quantity_skewed(y[train], clients, alpha=beta, rng=rng)]
    images, labels = torch.from_numpy(x), torch.from_numpy(y).long()
    tests, none = torch.from_numpy(np.sort(held)), torch.empty(0, dtype=torch.long)
    holders = [tests] + [none] * (clients - 1)
    found = tuple(
        ClientData(images[part], labels[part], images[test], labels[test])
        for part, test in zip(map(torch.from_numpy, parts), holders, strict=True)
    )
    honest = Federation(f"digits beta={beta:g}", found[: clients - reach], CLASSES)
    return Population(honest, found[clients - reach :], images[tests])


def _share(rows: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(rows)[: round(share * len(rows))]
