"""A small federation of digits, and algorithms that fail on purpose; importable in the processes of Ray too."""

import functools
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.datasets import load_digits

from lib.federated.algorithms.fedavg import FedAvg
from lib.federated.algorithms.partially_shared import PartiallyShared
from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.types import ClientData, Federation, Update
from lib.nets import mlp, small_cnn

MODEL = Model(functools.partial(mlp, (64, 16, 10)))
HEAD = MODEL.parameter_names[-2:]
SGD = LocalSGD(lr=0.1, batch_size=16, epochs=1)


def digits(clients, *, examples=40):
    """Return a federation of `examples` training and 20 test digits a client, the labels mixed."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(5).permutation(len(x))[: clients * (examples + 20)].reshape(clients, -1)
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    parts = [(p[:examples], p[examples:]) for p in order]
    return Federation("digits", tuple(ClientData(x[a], y[a], x[b], y[b]) for a, b in parts), 10)


def fedavg(**options):
    return FedAvg(model=MODEL, local=SGD, **options)


def personal_heads():
    return PartiallyShared(model=MODEL, local=SGD, personal=HEAD)


def as_images(federation):
    """Return the digits as pictures of 8 x 8 pixels."""
    parts = ({n: getattr(data, n).reshape(-1, 1, 8, 8) for n in ("train_x", "test_x")} for data in federation.clients)
    clients = tuple(replace(data, **part) for data, part in zip(federation.clients, parts, strict=True))
    return replace(federation, clients=clients)


def convolutional():
    """Personal classifiers on a shared convolutional base, for digits of 8 x 8 pixels."""
    model = Model(functools.partial(small_cnn, (8, 16), image_channels=1))
    return PartiallyShared(model=model, local=SGD, personal=model.parameter_names[-2:])


# Ways of `spoilt`, and what the server says to them.
MALFORMED = {
    "no update": "the client sent a dict",
    "no dict": "tensors is no dict by name",
    "missing tensor": "is missing",
    "extra tensor": "tensor 'more' was not expected",
    "no tensors": "is missing",
    "shape": "has shape",
    "type": "has type torch.float64; torch.float32 was expected",
    "no tensor": "is a list; a tensor was expected",
    "list": "scalar 'losses' is a list",
    "nothing": "scalar 'loss' is a NoneType",
    "tensor": "scalar 'loss' is a Tensor",
    "too large": "scalar 'steps' does not fit in 64 bits",
    "examples": "positive number of examples",
    "text": "positive number of examples",
    "no examples": "positive number of examples",
}


def spoilt(update, how):
    """Return `update` made malformed in one of the ways of `MALFORMED`."""
    name = next(iter(update.tensors))
    value, rest = update.tensors[name], {key: v for key, v in update.tensors.items() if key != name}
    if how == "no update":
        return {"examples": 3}
    tensors = {
        "no dict": list(update.tensors.values()),
        "missing tensor": rest,
        "extra tensor": update.tensors | {"more": torch.zeros(2)},
        "no tensors": {},
        "shape": update.tensors | {name: value[:, :2]},
        "type": update.tensors | {name: value.double()},
        "no tensor": update.tensors | {name: value.tolist()},
    }
    scalars = {
        "list": {"losses": [0.1, 0.2]},
        "nothing": {"loss": None},
        "tensor": {"loss": torch.tensor(0.1)},
        "too large": {"steps": 2**63},
        "examples": {"examples": 0},
        "text": {"examples": "3"},
    }
    kept = {} if how == "no examples" else update.scalars | scalars.get(how, {})
    return Update(tensors.get(how, update.tensors), kept)


@dataclass(frozen=True, kw_only=True)
class Unreliable(PartiallyShared):
    """Clients that know who they are by their number of examples, and fail in the rounds `when`."""

    raises: int = 0
    nan: int = 0
    hangs: int = 0
    malformed: int = 0
    how: str = ""
    seconds: float = 0.0
    when: tuple[int, ...] = (2,)

    def configure(self, state, round, cohort, rng):
        sent = super().configure(state, round, cohort, rng)
        for instruction in sent.values():
            instruction.scalars["round"] = round
        return sent

    def train_cohort(self, instructions, datas, memories, rngs):
        return [self.train(*one) for one in zip(instructions, datas, memories, rngs, strict=True)]

    def train(self, instruction, data, memory, rng):
        update, memory = super().train(instruction, data, memory, rng)
        if instruction.scalars["round"] not in self.when:
            return update, memory
        if data.examples == self.raises:
            raise OSError("disk full")
        if data.examples == self.nan:
            return Update({k: v * float("nan") for k, v in update.tensors.items()}, update.scalars), memory
        if data.examples == self.malformed:
            return spoilt(update, self.how), memory
        if data.examples == self.hangs:
            time.sleep(self.seconds)
            return None
        return update, memory


def numbered(clients):
    """Return `digits` in which client c has 40 + c training examples, so that an algorithm can tell them apart."""
    federation = digits(clients, examples=40 + clients)
    parts = [
        ClientData(c.train_x[: 40 + i], c.train_y[: 40 + i], c.test_x, c.test_y)
        for i, c in enumerate(federation.clients)
    ]
    return Federation("numbered digits", tuple(parts), 10)


def assert_same_weights(one, other, tolerance=1e-6):
    """Check that two histories end at the same server state and the same memories."""
    assert one.state.round == other.state.round
    for a, b in [
        (one.state.tensors, other.state.tensors),
        (one.state.optimizer, other.state.optimizer),
        *((one.memories[c], other.memories[c]) for c in one.memories),
    ]:
        assert list(a) == list(b)
        for name in a:
            torch.testing.assert_close(a[name], b[name], rtol=0, atol=tolerance)
    assert set(one.memories) == set(other.memories)
