"""What the algorithms have in common, so that each file holds only what makes its algorithm different."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from lib.federated.aggregation import Rule, client_weights, combine, weighted_mean
from lib.federated.evaluation import shared_metrics, stacked_metrics
from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.server_optimizers import ServerOptimizer, fedavg
from lib.federated.types import ClientData, Instruction, Memory, ServerState, Tensors, Update

Rngs = Sequence[np.random.Generator]


@dataclass(frozen=True, kw_only=True)
class CohortAlgorithm:
    """An algorithm written for a stack of clients; training one client is a stack of one.

    A subclass gives `train_stacked` and `personal_models`, and overrides what else it does differently.

    Attributes:
        model: network and loss.
        local: settings of local training.
        server: server optimizer, one of `lib.federated.server_optimizers` or a ``functools.partial`` of it.
        weight_by: a client's share of the average, by its number of "examples" or "uniform".
        rule: how the clients' tensors become one, ``(values (C, d), weights (C,)) -> (d,)``.
    """

    model: Model
    local: LocalSGD = field(default_factory=LocalSGD)
    server: ServerOptimizer = fedavg
    weight_by: Literal["examples", "uniform"] = "examples"
    rule: Rule = weighted_mean

    def init(self, seed: int) -> ServerState:
        """Return the initial state: the model's shared part, initialized from `seed`."""
        return ServerState(round=0, tensors=self.shared_part(self.model.init(seed)))

    def shared_part(self, values: Tensors) -> Tensors:
        """Return those of the model's `values` that the server holds: all of them."""
        return values

    def configure(
        self, state: ServerState, round: int, cohort: Sequence[int], rng: np.random.Generator
    ) -> dict[int, Instruction]:
        """Send every client of the cohort the server's tensors."""
        return {client: Instruction(state.tensors) for client in cohort}

    def expected_update(self, instruction: Instruction) -> Tensors:
        """Return tensors of the names, shapes and types that a client must send back: those that it received.

        An algorithm whose clients send a part, and which aggregates by parts, returns each client's part.
        """
        return instruction.tensors

    def train_stacked(
        self, instructions: Sequence[Instruction], datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[tuple[Update, Memory]]:
        """Do the work of C clients at once, and return what each sends and keeps."""
        raise NotImplementedError(f"{type(self).__name__} has no train_stacked")

    def personal_models(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> Tensors | None:
        """Return the models ``(C, ...)`` that C clients would use now; None when that is the server's model."""
        return None

    def train_cohort(
        self, instructions: Sequence[Instruction], datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[tuple[Update, Memory]]:
        """Do the work of several clients at once, or one after the other where that must be or is faster."""
        if any(self.model.trains_one_by_one(data, self.local.batch_size) for data in datas):
            return [self.train(*one) for one in zip(instructions, datas, memories, rngs, strict=True)]
        return self.train_stacked(instructions, datas, memories, rngs)

    def train(
        self, instruction: Instruction, data: ClientData, memory: Memory, rng: np.random.Generator
    ) -> tuple[Update, Memory]:
        """Do the work of one client."""
        return self.train_stacked([instruction], [data], [memory], [rng])[0]

    def aggregate(self, state: ServerState, updates: dict[int, Update]) -> ServerState:
        """Average the updates and let the server optimizer step towards the average."""
        step = state.round + 1
        average = combine(updates, client_weights(updates, self.weight_by), self.rule)
        tensors, moments = self.server(state.tensors, average, state.optimizer, step=step)
        return ServerState(step, tensors, moments)

    def evaluate_cohort(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[dict[str, float]]:
        """Return the metrics of several clients on their test examples.

        ``personal_*`` is the model that the client would use, ``global_*`` the server's, if it holds a whole one.
        """
        if self.model.buffer_names:
            return [self.evaluate(state, *one) for one in zip(datas, memories, rngs, strict=True)]
        return self._metrics(state, datas, memories, rngs)

    def evaluate(
        self, state: ServerState, data: ClientData, memory: Memory, rng: np.random.Generator
    ) -> dict[str, float]:
        """Return the metrics of one client, see `evaluate_cohort`."""
        return self._metrics(state, [data], [memory], [rng])[0]

    def _metrics(self, state, datas, memories, rngs) -> list[dict[str, float]]:
        rows = [{} for _ in datas]
        if set(self.model.names) <= set(state.tensors):
            rows = shared_metrics(self.model, state.tensors, datas, prefix="global")
        personal = self.personal_models(state, datas, memories, rngs)
        if personal is None:
            return [row | {name.replace("global", "personal"): row[name] for name in row} for row in rows]
        own = stacked_metrics(self.model, personal, datas, prefix="personal")
        return [row | more for row, more in zip(rows, own, strict=True)]
