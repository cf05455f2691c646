"""One model a cluster of clients. Source: Mansour et al., "HypCluster", arXiv 2002.10619, algorithm 2."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lib.federated.algorithms.base import CohortAlgorithm, Rngs
from lib.federated.evaluation import stacked_metrics
from lib.federated.stack import stack, unstack
from lib.federated.training import local_sgd
from lib.federated.types import ClientData, Instruction, Memory, ServerState, Tensors, Update


@dataclass(frozen=True, kw_only=True)
class HypCluster(CohortAlgorithm):
    """The server keeps `clusters` models; a client trains and uses the one with the lowest loss on its training data.

    Round: send all models; a client picks the best, runs local SGD on it and sends it with its place; each model
    becomes the average of what the clients that picked it sent, weighted as usual, and stays as it is where nobody did.
    The first models differ in their seeds. The server optimizer must be one without moments.

    Attributes:
        clusters: number of models.
    """

    clusters: int = 2

    def __post_init__(self) -> None:
        if self.clusters < 1:
            raise ValueError(f"{self.clusters} clusters: give at least one model")

    def init(self, seed: int) -> ServerState:
        """Return the initial models, named ``0.``, ``1.``, ... before the names of the model."""
        seeds = np.random.SeedSequence(seed).generate_state(self.clusters) if self.clusters > 1 else [seed]
        made = [self.model.init(int(s)) for s in seeds]
        return ServerState(0, {f"{k}.{name}": value for k, one in enumerate(made) for name, value in one.items()})

    def expected_update(self, instruction: Instruction) -> Tensors:
        """Return one model: what a client sends back."""
        return self._cluster(instruction.tensors, 0)

    def train_stacked(
        self, instructions: Sequence[Instruction], datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[tuple[Update, Memory]]:
        """Train each client's best model."""
        received = [instruction.tensors for instruction in instructions]
        picks = self._picks(received, datas)
        start = stack([self._cluster(sent, pick) for sent, pick in zip(received, picks, strict=True)])
        results = unstack(local_sgd(self.model, start, datas, self.local, rngs), len(datas))
        return [
            (Update(values, {"examples": data.examples, "cluster": pick}), {})
            for values, data, pick in zip(results, datas, picks, strict=True)
        ]

    def aggregate(self, state: ServerState, updates: dict[int, Update]) -> ServerState:
        """Average the updates of each cluster."""
        tensors = dict(state.tensors)
        for k in range(self.clusters):
            mine = {client: update for client, update in updates.items() if update.scalars["cluster"] == k}
            if mine:
                own = ServerState(state.round, self._cluster(tensors, k), state.optimizer)
                average = super().aggregate(own, mine).tensors
                tensors |= {f"{k}.{name}": value for name, value in average.items()}
        return ServerState(state.round + 1, tensors)

    def personal_models(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> Tensors:
        """Return each client's best model on its training data."""
        picks = self._picks([state.tensors] * len(datas), datas)
        return stack([self._cluster(state.tensors, pick) for pick in picks])

    def _cluster(self, tensors: Tensors, k: int) -> Tensors:
        return {name: tensors[f"{k}.{name}"] for name in self.model.names}

    def _picks(self, received: Sequence[Tensors], datas: Sequence[ClientData]) -> list[int]:
        seen = [ClientData(d.train_x, d.train_y, d.train_x, d.train_y) for d in datas]  # the loss on the training data
        losses = []
        for k in range(self.clusters):
            models = stack([self._cluster(tensors, k) for tensors in received])
            rows = stacked_metrics(self.model, models, seen, prefix="own")
            losses.append([row["own_loss"] for row in rows])
        return torch.tensor(losses).argmin(dim=0).tolist()
