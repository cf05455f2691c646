"""Communication after every minibatch: K scalars go up, and the server makes the perturbations again.

Source: per-iteration communication of Spry, arXiv 2405.15551; the authors' code does not contain it. One round of the
engine is one iteration: the server sends the weights, each client takes one random minibatch, the server steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from lib.federated.algorithms.base import Rngs
from lib.federated.batches import cohort_batches
from lib.federated.stack import select, stack, unstack
from lib.federated.types import ClientData, Instruction, Memory, ServerState, Tensors, Update
from lib.spry.forward_gradient import combine
from lib.spry.local_training import estimates, trained_by
from lib.spry.released import aliased_sum
from lib.spry.spry import SEED, Spry
from lib.spry.units import aggregate_units

JVPS = "jvps"


@dataclass(frozen=True, kw_only=True)
class PerIteration:
    """A method of `lib.spry` with one communication an iteration.

    An update holds the K derivatives, or the gradient itself. Beside them go numbers that do not grow with K or the
    model: examples and passes, which are for the books, and the client's slot, which a server with a memory would know.

    Attributes:
        method: how gradients are estimated and shared out; its learning rate scales the averaged gradient, from which
            its server optimizer steps; its client optimizer is not used.
        upload: "scalars", or "gradient" (FedSGD).
        as_released: add up gradients as the released FedSGD does, see `lib.spry.released.aliased_sum`.
    """

    method: Spry
    upload: Literal["scalars", "gradient"] = "scalars"
    as_released: bool = False

    def __post_init__(self) -> None:
        if self.upload not in ("scalars", "gradient"):
            raise ValueError(f"no upload {self.upload!r}: choose 'scalars' or 'gradient'")
        if self.upload == "scalars" and self.method.passes()[1]:
            raise ValueError("backpropagation has a gradient and no scalars to send; set upload='gradient'")
        if self.as_released and self.upload == "scalars":
            raise ValueError("the released defect is one of gradients; set upload='gradient'")

    def init(self, seed: int) -> ServerState:
        """Return the method's initial state."""
        return self.method.init(seed)

    def configure(
        self, state: ServerState, round: int, cohort: Sequence[int], rng: np.random.Generator
    ) -> dict[int, Instruction]:
        """Send what the method sends."""
        return self.method.configure(state, round, cohort, rng)

    def train(
        self, instruction: Instruction, data: ClientData, memory: Memory, rng: np.random.Generator
    ) -> tuple[Update, Memory]:
        """Estimate on one minibatch of one client."""
        return self._estimated([instruction], [data], [rng])[0]

    def train_cohort(
        self, instructions: Sequence[Instruction], datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[tuple[Update, Memory]]:
        """Estimate on one minibatch of each client, in a stack where the method can."""
        if self.method.one_by_one:
            return [self.train(*one) for one in zip(instructions, datas, memories, rngs, strict=True)]
        return self._estimated(instructions, datas, rngs)

    def aggregate(self, state: ServerState, updates: dict[int, Update]) -> ServerState:
        """Average the gradients a unit, and let the server optimizer step along the average."""
        gradients = {client: self.gradient(state, client, update) for client, update in updates.items()}
        if self.as_released:
            total = aliased_sum([gradients[client] for client in sorted(gradients)])
            average = {name: value / len(gradients) for name, value in total.items()}
        else:
            parts = {c: (gradient, updates[c].scalars["examples"]) for c, gradient in gradients.items()}
            zero = {name: torch.zeros_like(value) for name, value in state.tensors.items()}
            average = aggregate_units(zero, parts, self.method.weight_by)
        lr, names = self.method.local.lr, self.method.model.parameter_names
        return self.method.stepped(state, {name: state.tensors[name] - lr * average[name] for name in names})

    def gradient(self, state: ServerState, client: int, update: Update) -> Tensors:
        """Return the client's gradient from its update and the state that it was sent."""
        if self.upload == "gradient":
            return update.tensors
        scalars = {"seed": int(state.optimizer[SEED]), "round": state.round + 1, "client": client}
        sent = self.method.instruction(state, scalars | {name: update.scalars[name] for name in ("slot", "slots")})
        return combine(update.tensors[JVPS], self.method.directions(sent, 0))

    def evaluate(
        self, state: ServerState, data: ClientData, memory: Memory, rng: np.random.Generator
    ) -> dict[str, float]:
        """Return the method's metrics of one client."""
        return self.method.evaluate(state, data, memory, rng)

    def evaluate_cohort(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[dict[str, float]]:
        """Return the method's metrics of several clients."""
        return self.method.evaluate_cohort(state, datas, memories, rngs)

    def _estimated(self, sent: Sequence[Instruction], datas: Sequence[ClientData], rngs: Rngs) -> list:
        method = self.method
        owned = [method.owned(instruction) for instruction in sent]
        batch = next(iter(cohort_batches(datas, replace(method.local, epochs=None, steps=1), rngs)))
        values = stack([select(instruction.tensors, method.model.names) for instruction in sent])
        found = estimates(method, sent, values, trained_by(method.model, owned), batch, 0)
        if self.upload == "scalars":
            tensors = [{JVPS: row.clone()} for row in found.jvps]
        else:
            rows = unstack(found.gradient, len(sent))
            tensors = [{n: row[n].clone() for n in names} for row, names in zip(rows, owned, strict=True)]
        forward, backward = method.passes()
        counts = {"forward_passes": forward, "backward_passes": backward}
        return [
            (Update(t, {"examples": d.examples, **counts, **select(s.scalars, ("slot", "slots"))}), {})
            for t, d, s in zip(tensors, datas, sent, strict=True)
        ]
