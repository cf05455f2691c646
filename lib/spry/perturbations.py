"""Perturbations that server and client draw alike from a key, so that only the key has to travel.

Source: per-iteration communication of Spry (arXiv 2405.15551), where the server regenerates what the client drew. The
released code has no such generator; this one is the companion's.
"""

import functools
import hashlib
import threading
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
        others = self.round, self.iteration, self.client, self.unit
        if not 0 <= self.seed < 2**64 or min(others) < 0 or max(others) >= LIMIT:
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
    counter = (0, key.round * LIMIT + key.iteration, key.client * LIMIT + key.unit, _digest(name))
    return torch.from_numpy(_STREAMS.at(key.seed, counter).standard_normal(shape, dtype=np.float32))


@functools.lru_cache(maxsize=4096)
def _digest(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


class _Streams(threading.local):
    """One generator a thread, placed at the beginning of a stream: a third of the time of making one for each."""

    def __init__(self) -> None:
        self.philox = np.random.Philox(0)
        self.generator, self.start = np.random.Generator(self.philox), self.philox.state

    def at(self, seed: int, counter: tuple[int, ...]) -> np.random.Generator:
        """Return the generator of ``Philox(key=[seed, 0], counter=counter)``."""
        self.start["state"]["key"][:] = (seed, 0)
        self.start["state"]["counter"][:] = counter
        self.philox.state = self.start  # with an empty buffer, as at the beginning
        return self.generator


_STREAMS = _Streams()
