"""Perturbations that server and client draw alike from a key, so that only the key has to travel.

Source: per-iteration communication of Spry (arXiv 2405.15551), where the server regenerates what the client drew. The
released code has no such generator; this one is the companion's.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from lib.federated.types import Tensors

LIMIT = 2**32  # two indices share a 64-bit word of the counter


@dataclass(frozen=True)
class Key:
    """What names one perturbation: `seed` below 2**64, the others below 2**32, all from zero.

    Clients that share perturbations use the same `client`, iterations that share them the same `iteration`.
    """

    seed: int
    round: int = 0
    iteration: int = 0
    client: int = 0
    unit: int = 0

    def __post_init__(self) -> None:
        seed, *others = self.seed, self.round, self.iteration, self.client, self.unit
        if not 0 <= seed < 2**64 or not all(0 <= index < LIMIT for index in others):
            raise ValueError(f"{self}: give a seed from 0 to 2**64 - 1 and indices from 0 to 2**32 - 1")


def perturbation(key: Key, shapes: Mapping[str, torch.Size], *, count: int = 1) -> Tensors:
    """Return `count` standard normal perturbations of each named tensor, shape ``(count, *shape)``, float32, on CPU.

    The numbers of a tensor depend on the key, its name and its place in the tensor, on nothing else: neither on the
    other tensors, nor on what was drawn before, nor on `count` (a longer draw begins with the shorter one).

    Raises ValueError if `count` is not positive.
    """
    if count < 1:
        raise ValueError(f"count is {count}: draw at least one perturbation")
    return {name: _normal(key, name, (count, *shape)) for name, shape in shapes.items()}


def _normal(key: Key, name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Return standard normal numbers of the stream (key, name).

    Philox is a counter-based generator (Salmon et al. 2011): the seed is its key, and the indices and the name fill
    three of the four words of its counter. The first word counts the draws, so streams of 2**64 blocks do not meet
    (unless two names of one unit collide in 64 bits of SHA-256).
    """
    digest = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    counter = [0, key.round * LIMIT + key.iteration, key.client * LIMIT + key.unit, digest]
    philox = np.random.Philox(key=np.array([key.seed, 0], np.uint64), counter=np.array(counter, np.uint64))
    return torch.from_numpy(np.random.Generator(philox).standard_normal(shape, dtype=np.float32))
