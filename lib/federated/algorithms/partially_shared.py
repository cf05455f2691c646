"""The family of algorithms that share some tensors of the model and keep the others on the clients.

Which tensors are personal, and how a client trains, is all that sets FedAvg, FedPer, FedRep, LG-FedAvg and purely
local training apart. The split is written down in this generality by Pillutla et al., "Federated Learning with Partial
Model Personalization", arXiv 2204.03809.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lib.federated.algorithms.base import CohortAlgorithm, Rngs
from lib.federated.stack import owned, select, stack, unstack
from lib.federated.training import local_sgd
from lib.federated.types import ClientData, Instruction, Memory, ServerState, Tensors, Update


@dataclass(frozen=True, kw_only=True)
class PartiallyShared(CohortAlgorithm):
    """Joint local training of shared and personal tensors; only the shared ones are sent and averaged.

    Attributes:
        personal: names of the model's parameters and buffers that never leave the client.
        personal_init: seed of every client's initial personal tensors; None lets each client draw its own.
    """

    personal: tuple[str, ...] = ()
    personal_init: int | None = None

    def __post_init__(self) -> None:
        unknown = set(self.personal) - set(self.model.names)
        if unknown:
            raise ValueError(f"the model has no tensor {sorted(unknown)[0]!r}; its names are in model.names")

    def shared_part(self, values: Tensors) -> Tensors:
        """Return the tensors that are not personal."""
        return {name: value for name, value in values.items() if name not in self.personal}

    def local_work(self, start: Tensors, datas: Sequence[ClientData], rngs: Rngs) -> Tensors:
        """Return the stacked values after one round of local training from `start`: all parts jointly."""
        return local_sgd(self.model, start, datas, self.local, rngs)

    def train_stacked(
        self, instructions: Sequence[Instruction], datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[tuple[Update, Memory]]:
        """Join what was received and what was kept, train, send the shared part and keep the personal one."""
        own = self._personal(datas, memories, rngs)
        start = stack([self._whole(sent.tensors, kept) for sent, kept in zip(instructions, own, strict=True)])
        results = unstack(self.local_work(start, datas, rngs), len(datas))
        return [
            (Update(self.shared_part(values), {"examples": data.examples}), owned(select(values, self.personal)))
            for values, data in zip(results, datas, strict=True)
        ]

    def personal_models(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> Tensors | None:
        """Return the server's shared part joined with each client's personal part."""
        if not self.personal:
            return None
        return stack([self._whole(state.tensors, kept) for kept in self._personal(datas, memories, rngs)])

    def _whole(self, shared: Tensors, kept: Tensors) -> Tensors:
        return select(shared | kept, self.model.names)

    def _personal(self, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs) -> list[Tensors]:
        """Return each client's personal tensors, initialized where the client has none yet."""
        return [
            memory or self._initial(data, rng) if self.personal else {}
            for data, memory, rng in zip(datas, memories, rngs, strict=True)
        ]

    def _initial(self, data: ClientData, rng: np.random.Generator) -> Tensors:
        seed = int(rng.integers(2**31)) if self.personal_init is None else self.personal_init
        values = select(self.model.init(seed), self.personal)
        return {name: value.to(data.train_x.device) for name, value in values.items()}
