"""Which minibatches the three phases of a client use. Source: the authors' code of arXiv 2211.15281."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lib.federated.local import LocalSGD

Split = Literal["none", "half", "three_way", "cross"]


@dataclass(frozen=True, eq=False)
class Schedule:
    """The minibatches, arrays of row numbers, of the local phase, the policy steps and the global steps.

    With `folds`, policy step s uses the local branch that was trained on ``folds[s % 2]``, which its rows are not in.
    """

    local: list[np.ndarray]
    policy: list[np.ndarray]
    shared: list[np.ndarray]
    folds: tuple[list[np.ndarray], list[np.ndarray]] | None = None


def schedule(examples: int, sgd: LocalSGD, split: Split, rng: np.random.Generator) -> Schedule:
    """Return the minibatches of one client in one round.

    Args:
        examples: number of the client's training examples.
        sgd: epochs and size of minibatches.
        split: "none" lets all phases use all examples; "half" cuts the shuffled examples in minibatches, of which the
            even ones train the local branch and the odd ones policy and global branch, as released; "three_way" gives
            every third minibatch to each; "cross" (the companion's) fits the policy on the local branches of two
            halves, each on the half that it has not seen, and all other phases use all examples.
        rng: shuffles the examples, and again in every epoch.

    Policy and global branch share their minibatches with "none" and "half". A phase for which no minibatch is left (a
    client with a single one) takes no step.
    """
    if sgd.epochs is None or sgd.epochs != int(sgd.epochs) or sgd.batch_size is None:
        raise ValueError("the phases of Flow are counted in whole epochs of minibatches; give epochs and batch_size")
    rows = np.arange(examples)
    if split == "none":
        local, both = _epochs(rows, sgd, rng), _epochs(rows, sgd, rng)
        return Schedule(local, both, both)
    if split == "cross":
        halves = np.array_split(rng.permutation(examples), 2)
        folds = tuple(_epochs(half, sgd, rng) for half in halves)
        return Schedule(_epochs(rows, sgd, rng), _alternating(halves, sgd, rng), _epochs(rows, sgd, rng), folds)
    if split not in ("half", "three_way"):
        raise ValueError(f"split = {split!r}: choose 'none', 'half', 'three_way' or 'cross'")
    order, count = rng.permutation(examples), 2 if split == "half" else 3
    cuts = [order[start : start + sgd.batch_size] for start in range(0, examples, sgd.batch_size)]
    local, policy, *rest = (_epochs(np.concatenate([rows[:0], *cuts[k::count]]), sgd, rng) for k in range(count))
    return Schedule(local, policy, rest[0] if rest else policy)


def _epochs(rows: np.ndarray, sgd: LocalSGD, rng: np.random.Generator) -> list[np.ndarray]:
    found = []
    for _ in range(int(sgd.epochs)):
        order = rng.permutation(rows)
        found += [order[start : start + sgd.batch_size] for start in range(0, len(order), sgd.batch_size)]
    return found


def _alternating(halves: list[np.ndarray], sgd: LocalSGD, rng: np.random.Generator) -> list[np.ndarray]:
    """Return minibatches of the second half and of the first one in turns, as many of each."""
    count, found = -(-len(halves[0]) // sgd.batch_size), []
    for _ in range(int(sgd.epochs)):
        first, second = (np.array_split(rng.permutation(half), count) for half in halves)
        found += [batch for pair in zip(second, first, strict=True) for batch in pair]
    return found
