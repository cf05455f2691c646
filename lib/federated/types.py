"""What the server and the clients exchange and keep: the types that every algorithm and every engine share."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch

Tensors = dict[str, torch.Tensor]  # insertion order is the order on the wire
Scalars = dict[str, int | float | bool | str]
Memory = Tensors  # what one client keeps between rounds; {} before its first; never crosses the network


@dataclass(frozen=True, eq=False)
class Instruction:
    """What the server sends to one client in one round, and nothing else."""

    tensors: Tensors
    scalars: Scalars = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Update:
    """What one client sends back; ``scalars["examples"]``, its number of training examples, is mandatory."""

    tensors: Tensors
    scalars: Scalars


@dataclass(frozen=True, eq=False)
class ServerState:
    """What the server keeps: rounds done, the shared tensors, and the moments of its optimizer ({} if it has none)."""

    round: int
    tensors: Tensors
    optimizer: Tensors = field(default_factory=dict)

    def to(self, device: str | torch.device) -> "ServerState":
        """Return the state on `device`."""
        return replace(self, tensors=to_device(self.tensors, device), optimizer=to_device(self.optimizer, device))


@dataclass(frozen=True, eq=False)
class ClientData:
    """The examples of one client: inputs of shape ``(n, ...)``, targets of shape ``(n,)`` or ``(n, ...)``."""

    train_x: torch.Tensor
    train_y: torch.Tensor
    test_x: torch.Tensor
    test_y: torch.Tensor

    def __post_init__(self) -> None:
        for part, x, y in (("train", self.train_x, self.train_y), ("test", self.test_x, self.test_y)):
            if len(x) != len(y):
                raise ValueError(f"{part}: {len(x)} inputs but {len(y)} targets; give one target an input")
        if len(self.train_x) == 0:
            raise ValueError("a client has no training example; partition with a minimum of at least one a client")

    @property
    def examples(self) -> int:
        """Number of training examples."""
        return len(self.train_x)

    def to(self, device: str | torch.device) -> "ClientData":
        """Return the data on `device`."""
        return ClientData(*(value.to(device) for value in (self.train_x, self.train_y, self.test_x, self.test_y)))


@dataclass(frozen=True, eq=False)
class Federation:
    """The clients and their data; client ``c`` is ``clients[c]``."""

    name: str
    clients: tuple[ClientData, ...]
    classes: int

    def __post_init__(self) -> None:
        if not self.clients:
            raise ValueError(f"federation {self.name!r} has no client; give at least one ClientData")

    def __len__(self) -> int:
        return len(self.clients)

    def to(self, device: str | torch.device) -> "Federation":
        """Return the federation with all data on `device`."""
        return replace(self, clients=tuple(client.to(device) for client in self.clients))


class Algorithm(Protocol):
    """A federated algorithm: five pure functions of their arguments, known to no engine.

    An algorithm may also offer ``train_cohort(instructions, datas, memories, rngs) -> list[tuple[Update, Memory]]`` and
    ``evaluate_cohort(state, datas, memories, rngs) -> list[dict[str, float]]``, which do the work of several clients
    at once and agree with the one-by-one functions. Where it offers ``expected_update(instruction) -> Tensors``, an
    update whose tensors differ from those in a name, a shape or a type counts as malformed.
    """

    def init(self, seed: int) -> ServerState:
        """Return the server's state before the first round."""

    def configure(
        self, state: ServerState, round: int, cohort: Sequence[int], rng: np.random.Generator
    ) -> dict[int, Instruction]:
        """Return what each client of the cohort is sent in round `round` (from 1)."""

    def train(
        self, instruction: Instruction, data: ClientData, memory: Memory, rng: np.random.Generator
    ) -> tuple[Update, Memory]:
        """Do the work of one client, and return what it sends and what it keeps."""

    def aggregate(self, state: ServerState, updates: dict[int, Update]) -> ServerState:
        """Return the server's state after it received `updates`, keyed by client."""

    def evaluate(
        self, state: ServerState, data: ClientData, memory: Memory, rng: np.random.Generator
    ) -> dict[str, float]:
        """Return the metrics of one client on its test examples, such as ``personal_accuracy``."""


def to_device(tensors: Tensors, device: str | torch.device) -> Tensors:
    """Return the named tensors on `device`."""
    return {name: value.to(device) for name, value in tensors.items()}
