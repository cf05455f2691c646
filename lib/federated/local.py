"""The settings of local training, and which examples form which minibatch."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class LocalSGD:
    """Stochastic gradient descent on one client, with the conventions of ``torch.optim.SGD``.

    Attributes:
        lr: learning rate, constant.
        momentum: heavy-ball momentum; it starts from zero in every round.
        weight_decay: factor of the parameters that is added to their gradients.
        batch_size: examples a minibatch, the last of an epoch may be smaller; None takes all examples in one batch.
        epochs: passes over the client's examples, or None when `steps` is given; a part of a pass takes that part of
            its minibatches, rounded up.
        steps: minibatches in all, or None; the examples are shuffled again whenever they run out.
    """

    lr: float = 0.01
    momentum: float = 0.0
    weight_decay: float = 0.0
    batch_size: int | None = 32
    epochs: float | None = 1
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps, and None for the other")
        if self.lr < 0 or not 0 <= self.momentum < 1 or self.weight_decay < 0:
            raise ValueError("lr and weight_decay must not be negative and momentum must lie in [0, 1); correct them")
        size = 1 if self.batch_size is None else self.batch_size
        if size < 1 or (self.epochs or 0) < 0 or (self.steps or 0) < 0:
            raise ValueError("batch_size must be at least 1, epochs and steps must not be negative; correct them")


def minibatches(examples: int, sgd: LocalSGD, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the indices of every minibatch of one round, in order.

    Every epoch visits each of the `examples` once, in an order drawn from `rng`; a full batch draws nothing. A client
    without examples has no minibatch.
    """
    if examples == 0:
        return []
    per_epoch = 1 if sgd.batch_size is None else -(-examples // sgd.batch_size)
    count = math.ceil(sgd.epochs * per_epoch) if sgd.steps is None else sgd.steps
    if sgd.batch_size is None:
        return [np.arange(examples)] * count
    found = []
    while len(found) < count:
        order = rng.permutation(examples)
        found += [order[start : start + sgd.batch_size] for start in range(0, examples, sgd.batch_size)]
    return found[:count]
