"""Each client chooses, unit by unit, between the shared weights and its own. Source: Sun et al., "PartialFed", 2021.

The adaptive variant as described in secondary sources; the authors of arXiv 2211.15281 configure it, without a trainer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lib.federated.algorithms.base import CohortAlgorithm, Rngs
from lib.federated.batches import Batch, cohort_batches
from lib.federated.local import LocalSGD
from lib.federated.stack import owned, per_client, stack, unstack
from lib.federated.training import descend, local_sgd
from lib.federated.types import ClientData, Instruction, Memory, ServerState, Tensors, Update
from lib.flow.policy import part
from lib.flow.routing import UnitRouting

LOGITS = "choice.logits"


@dataclass(frozen=True, kw_only=True)
class PartialFed(CohortAlgorithm):
    """Learn for each unit whether to load the shared weights or keep the own ones, then train what was chosen.

    A round: an epoch of steps on a pair of logits a unit, on the outputs of the shared and of the kept units mixed by a
    Gumbel softmax; load each unit from the likelier side; local SGD; send the whole model, and keep it with the logits.
    A client without memory loads everything. The choice before a test is that of the kept logits.

    Attributes:
        routing: which units there are; ``by`` must be "client".
        choice_lr: learning rate of the logits.
        temperature: of the Gumbel softmax.
    """

    routing: UnitRouting
    choice_lr: float = 0.1
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.routing.by != "client" or self.routing.model != self.model:
            raise ValueError("PartialFed chooses by client; give a routing of the same model with by='client'")

    def train_stacked(
        self, instructions: Sequence[Instruction], datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[tuple[Update, Memory]]:
        """Choose, load and train."""
        shared, own, logits = self._sides([sent.tensors for sent in instructions], memories)
        logits = self._fitted(shared, own, logits, datas, rngs)
        trained = local_sgd(self.model, self._loaded(shared, own, logits), datas, self.local, rngs)
        kept = unstack(trained | {LOGITS: logits}, len(datas))
        return [
            (Update(values, {"examples": data.examples}), owned(memory))
            for values, memory, data in zip(unstack(trained, len(datas)), kept, datas, strict=True)
        ]

    def personal_models(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> Tensors:
        """Return the shared model with each client's own units where it prefers them."""
        return self._loaded(*self._sides([state.tensors] * len(datas), memories))

    def _sides(self, sent: Sequence[Tensors], memories: Sequence[Memory]) -> tuple[Tensors, Tensors, torch.Tensor]:
        places = len(self.routing.places)
        first = {LOGITS: next(iter(sent[0].values())).new_zeros(places, 2)}
        joined = stack([memory or received | first for memory, received in zip(memories, sent, strict=True)])
        return stack(sent), {name: joined[name] for name in self.model.names}, joined[LOGITS].clone()

    def _fitted(
        self, shared: Tensors, own: Tensors, logits: torch.Tensor, datas: Sequence[ClientData], rngs: Rngs
    ) -> torch.Tensor:
        noise = [np.random.default_rng(rng.integers(2**63)) for rng in rngs]
        epoch = LocalSGD(batch_size=self.local.batch_size, epochs=1)
        for batch in cohort_batches(datas, epoch, rngs):
            drawn = torch.from_numpy(np.stack([rng.gumbel(size=logits.shape[1:]) for rng in noise])).to(logits)
            descend({LOGITS: logits}, {LOGITS: self._slope(shared, own, logits, drawn, batch)}, self.choice_lr, batch)
        return logits

    def _slope(
        self, shared: Tensors, own: Tensors, logits: torch.Tensor, noise: torch.Tensor, batch: Batch
    ) -> torch.Tensor:
        leaf = logits.detach().requires_grad_()
        with torch.enable_grad():
            share = torch.softmax((leaf + noise) / self.temperature, dim=2)[..., 1]
            shares = share.unsqueeze(1).expand(-1, batch.x.shape[1], -1)
            outputs, _ = self.routing.forward(shared, own, {}, batch.x, "soft", shares=shares)
            losses = self.model.loss(outputs.flatten(0, 1), batch.y.flatten(0, 1))
            total = (losses * batch.weights.flatten()).sum()
        return torch.autograd.grad(total, leaf)[0]

    def _loaded(self, shared: Tensors, own: Tensors, logits: torch.Tensor) -> Tensors:
        keep = (logits[..., 1] > logits[..., 0]).to(logits)  # a tie loads the shared unit
        loaded = dict(shared)
        for column, place in enumerate(self.routing.places):
            for name in part(shared, f"blocks.{place}."):
                full = f"blocks.{place}.{name}"
                loaded[full] = torch.lerp(shared[full], own[full], per_client(keep[:, column], shared[full]))
        return loaded
