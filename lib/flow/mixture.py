"""Data that satisfy the premise of per-instance personalization exactly, with the true route of every instance.

Source of the premise: arXiv 2211.15281, abstract. The generator is the companion's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lib.federated.types import ClientData, Federation


@dataclass(frozen=True, eq=False)
class Mixture:
    """A federation whose instances are of two types.

    Attributes:
        federation: the clients.
        train_local: whether a training instance follows its client's own rule, one array a client.
        test_local: the same of the test instances, shape ``(clients, test)``.
    """

    federation: Federation
    train_local: tuple[np.ndarray, ...]
    test_local: np.ndarray


def mixture(
    *,
    rho: float,
    delta: float = 1.0,
    cue: float = 3.0,
    clients: int = 20,
    train: int | Sequence[int] = 120,
    test: int = 100,
    features: int = 20,
    classes: int = 5,
    seed: int = 0,
) -> Mixture:
    """Return clients that agree on some instances and disagree on others, and a feature that tells which are which.

    An instance is of the local type with probability `rho`; its label is then the largest entry of ``W_m x``, else of
    ``W_0 x``, with ``W_m = sqrt(1 - delta^2) W_0 + delta N`` for client m and all entries standard normal. The first
    feature is ``cue (2 z - 1) + 0.3 N`` with z the type, and has no part in the label.

    Args:
        rho: share of instances of the local type, in [0, 1].
        delta: how far the clients' own rules are from the common one, in [0, 1].
        cue: how clearly the first feature tells the type; 0 hides it.
        clients: number of clients.
        train: training instances a client; one number for all, or one for each client.
        test: test instances a client.
        features: number of features, the cue among them.
        classes: number of classes.
        seed: seed of everything.

    Raises ValueError for shares outside [0, 1] or fewer than two features or classes.
    """
    if not (0 <= rho <= 1 and 0 <= delta <= 1):
        raise ValueError(f"rho = {rho} and delta = {delta} are shares; choose both in [0, 1]")
    sizes = [train] * clients if isinstance(train, int) else list(train)
    if len(sizes) != clients:
        raise ValueError(f"{len(sizes)} numbers of training instances for {clients} clients; give one for each")
    if min(features, classes) < 2 or min(clients, test, *sizes) < 1:
        raise ValueError("give at least two features and classes, one client, and one instance for training and test")
    rng = np.random.default_rng([seed, 211])
    common = rng.standard_normal((classes, features - 1))
    made, types = [], []
    for size in sizes:
        own = np.sqrt(1 - delta**2) * common + delta * rng.standard_normal(common.shape)
        x, y, z = _instances(size + test, rho, cue, common, own, rng)
        made.append(ClientData(x[:size], y[:size], x[size:], y[size:]))
        types.append((z[:size], z[size:]))
    federation = Federation(f"mixture rho={rho:g} delta={delta:g}", tuple(made), classes)
    return Mixture(federation, tuple(z for z, _ in types), np.stack([z for _, z in types]))


def _instances(
    count: int, rho: float, cue: float, common: np.ndarray, own: np.ndarray, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    z = rng.random(count) < rho
    x = rng.standard_normal((count, common.shape[1]))
    labels = np.where(z, (x @ own.T).argmax(axis=1), (x @ common.T).argmax(axis=1))
    told = cue * (2.0 * z - 1) + 0.3 * rng.standard_normal(count)
    return torch.from_numpy(np.column_stack([told, x])).float(), torch.from_numpy(labels), z
