"""The federations of the paper's experiments: how images are dealt out to clients."""

import functools
from dataclasses import replace

import numpy as np
import torch

from lib.federated.federation import make_federation
from lib.federated.partition import by_classes, dirichlet
from lib.federated.types import ClientData, Federation

# The share of a client's images that is set apart for testing: 10,000 of 60,000, as in CIFAR.
TEST_SHARE = 1 / 6


def class_federation(
    x: np.ndarray,
    y: np.ndarray,
    *,
    clients: int = 10,
    classes_per_client: int,
    seed: int = 0,
    name: str = "images",
) -> Federation:
    """Return clients that hold at most `classes_per_client` classes each, in training and test alike.

    The images of a class are spread evenly over the clients that hold it, so clients differ in size; the test images of
    a client have its own classes, as personalization is to be judged. Raises ValueError where no such deal exists.
    """
    rng = np.random.default_rng([seed, classes_per_client])
    parts = by_classes(y, clients, classes_per_client=classes_per_client, rng=rng)
    return make_federation(x, y, parts, test_share=TEST_SHARE, rng=rng, name=f"{name} k={classes_per_client}")


def dirichlet_federation(
    x: np.ndarray, y: np.ndarray, *, clients: int = 10, alpha: float, seed: int = 0, name: str = "images"
) -> Federation:
    """Return clients of equal size whose class shares are Dirichlet draws; a large `alpha` is near IID."""
    rng = np.random.default_rng([seed, 1])
    parts = dirichlet(y, clients, alpha=alpha, rng=rng, minimum=12)
    return make_federation(x, y, parts, test_share=TEST_SHARE, rng=rng, name=f"{name} alpha={alpha:g}")


def permuted(federation: Federation, permutations: np.ndarray) -> Federation:
    """Return the federation in which client `j` calls class `c` by the name ``permutations[j, c]``.

    The inputs of all clients stay alike and only the labels disagree: a pure concept shift.
    """
    if permutations.shape != (len(federation), federation.classes):
        raise ValueError(f"permutations have shape {permutations.shape}: give one row a client, one column a class")
    renamed = []
    for data, names in zip(federation.clients, torch.tensor(permutations), strict=True):
        renamed.append(ClientData(data.train_x, names[data.train_y], data.test_x, names[data.test_y]))
    return replace(federation, name=f"{federation.name}, labels renamed", clients=tuple(renamed))


@functools.cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's digits: images ``(1797, 64)`` float32 in [0, 1] and labels."""
    from lib import data

    found = data.load("digits")
    return found.features.astype(np.float32), found.labels
