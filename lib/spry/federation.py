"""Federations as in Spry's experiments: label skew at equal sizes, each client's last examples for testing.

Source: the partition in the code that accompanies arXiv 2405.15551.
"""

from collections.abc import Sequence

import numpy as np
import torch

from lib.federated.types import ClientData, Federation


def dirichlet_equal_sizes(
    labels: np.ndarray, clients: int, *, alpha: float, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return disjoint index arrays of ``floor(n / clients)`` examples each, with label proportions from a Dirichlet.

    Every example's label is drawn from the client's proportions, without replacement; labels that have run out get
    weight zero. So the last clients take what is left, and their labels are less skewed than their proportions.

    Args:
        labels: shape ``(n,)``.
        clients: number of clients.
        alpha: concentration, equal for all labels; small is skewed.
        rng: draws proportions and examples.
    """
    if clients < 1 or clients > len(labels) or alpha <= 0:
        raise ValueError(
            f"{clients} clients of {len(labels)} examples at alpha {alpha}: both positive, no more clients"
        )
    classes = np.unique(labels)
    stock = [list(rng.permutation(np.flatnonzero(labels == label))) for label in classes]
    parts = []
    for _ in range(clients):
        proportions, part = rng.dirichlet(np.full(len(classes), alpha)), []
        for _ in range(len(labels) // clients):
            left = np.array([len(rows) > 0 for rows in stock])
            weights = np.where(left, proportions, 0.0)
            # Where all proportions that are left have underflowed to zero, any label that is left will do.
            weights = weights if weights.sum() > 0 else left.astype(float)
            part.append(stock[rng.choice(len(classes), p=weights / weights.sum())].pop())
        parts.append(np.array(part))
    return parts


def tail_test_federation(
    x: torch.Tensor, y: torch.Tensor, parts: Sequence[np.ndarray], *, test_share: float = 0.2, name: str
) -> Federation:
    """Return the federation in which each client tests on the last `test_share` of its own examples.

    Inputs keep their type, so that token ids ``(n, 2, T)`` stay integers; one example at least is left for training.
    """
    clients = []
    for part in parts:
        held = min(round(test_share * len(part)), len(part) - 1)
        train, test = (torch.from_numpy(rows) for rows in np.split(np.asarray(part), [len(part) - held]))
        clients.append(ClientData(x[train], y[train], x[test], y[test]))
    return Federation(name, tuple(clients), int(y.max()) + 1)


def shared_test_federation(
    x: torch.Tensor, y: torch.Tensor, parts: Sequence[np.ndarray], test: np.ndarray, *, name: str
) -> Federation:
    """Return the federation in which client ``c`` trains on ``parts[c]`` and the first client tests on `test`.

    One client suffices where all would have the same test set; the others have no metrics.
    """
    rows, nobody = torch.from_numpy(np.asarray(test)), torch.empty(0, dtype=torch.long)
    clients = []
    for c, part in enumerate(parts):
        train, held = torch.from_numpy(np.asarray(part)), rows if c == 0 else nobody
        clients.append(ClientData(x[train], y[train], x[held], y[held]))
    return Federation(name, tuple(clients), int(y.max()) + 1)
