"""Personal models tied to the shared one. Source: Li et al., "Ditto", arXiv 2012.04221, algorithm 1."""

from collections.abc import Sequence
from dataclasses import dataclass

from lib.federated.algorithms.base import CohortAlgorithm, Rngs
from lib.federated.local import LocalSGD
from lib.federated.stack import owned, stack, unstack
from lib.federated.training import local_sgd
from lib.federated.types import ClientData, Instruction, Memory, ServerState, Tensors, Update


@dataclass(frozen=True, kw_only=True)
class Ditto(CohortAlgorithm):
    """FedAvg for the shared model ``w``; beside it each client fits ``v`` to its loss plus ``lam / 2 |v - w|^2``.

    ``w`` is what the server sent, not its local update; ``v`` starts at the first ``w`` received and never leaves
    the client. `lam` zero leaves ``v`` to local training alone, a large one pulls it to ``w``.

    Attributes:
        lam: strength of the tie.
        solver: settings of the personal fit; None takes `local`.
    """

    lam: float = 1.0
    solver: LocalSGD | None = None

    def train_stacked(
        self, instructions: Sequence[Instruction], datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[tuple[Update, Memory]]:
        """Train the shared model, then the personal one."""
        received = [instruction.tensors for instruction in instructions]
        w, v = stack(received), stack([kept or sent for kept, sent in zip(memories, received, strict=True)])
        shared = unstack(local_sgd(self.model, w, datas, self.local, rngs), len(datas))
        solver = self.solver or self.local
        own = unstack(local_sgd(self.model, v, datas, solver, rngs, proximal=self.lam, anchor=w), len(datas))
        return [
            (Update(values, {"examples": data.examples}), owned(memory))
            for values, memory, data in zip(shared, own, datas, strict=True)
        ]

    def personal_models(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> Tensors:
        """Return each client's ``v``, the server's model for a client that has not trained."""
        return stack([kept or state.tensors for kept in memories])
