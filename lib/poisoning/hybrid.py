"""The hybrid adversary: few genuine clients taken over, a generative model of their data, many fake clients.

The companion's reconstruction from the paper's abstract and reader notes: the generator is trained once on the data of
the clients that were taken over; in every round virtual clients train honestly on synthetic shards, and their updates
are the reference of an attack that is tailored to the server's rule and sent by all malicious clients of the cohort.
"""

from collections.abc import Sequence

import numpy as np
import torch

from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.types import ClientData
from lib.poisoning.attackers import TrainingAttacker
from lib.poisoning.generators import synthesize


def hybrid_attacker(
    taken: Sequence[ClientData],
    *,
    model: Model,
    local: LocalSGD,
    malicious: int,
    side: int,
    classes: int,
    generator: str = "ddpm",
    virtual: int = 20,
    images_each: int = 20,
    own: bool = False,
    kind: str = "unit",
    rng: np.random.Generator,
    **training: object,
) -> TrainingAttacker:
    """Return the attacker that trains `virtual` clients on `images_each` synthetic images each.

    Args:
        taken: data of the clients that were taken over, at least one; inputs are flat pixels in [-1, 1].
        model: network and loss of the federation.
        local: settings of local training.
        malicious: malicious clients in every cohort.
        side: side of the square images.
        classes: number of classes.
        generator: see `lib.poisoning.generators.synthesize`; "bootstrap" and "noise" are controls.
        virtual: virtual clients.
        images_each: images of each.
        own: whether the clients that were taken over train as well, on their own data, for further reference updates.
        kind: direction of the attack.
        rng: seeds everything.
        training: options of the generator.
    """
    if not taken:
        raise ValueError("a hybrid adversary takes over at least one client")
    images, labels = pooled(taken, side)
    made, named = synthesize(generator, images, labels, virtual * images_each, classes=classes, rng=rng, **training)
    shards = tuple(
        shard(x, y) for x, y in zip(made.flatten(1).split(images_each), named.split(images_each), strict=True)
    )
    shards += tuple(shard(one.train_x, one.train_y) for one in taken) if own else ()
    return TrainingAttacker(malicious=malicious, model=model, local=local, shards=shards, kind=kind)


def pooled(taken: Sequence[ClientData], side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the training images ``(n, c, side, side)`` and labels of several clients together."""
    x = torch.cat([client.train_x for client in taken])
    return x.reshape(len(x), -1, side, side), torch.cat([client.train_y for client in taken])


def shard(x: torch.Tensor, y: torch.Tensor) -> ClientData:
    """Return training data without test examples."""
    return ClientData(x, y, x[:0], y[:0])
