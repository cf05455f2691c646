"""Personalization with Moreau envelopes. Source: Dinh et al., "pFedMe", arXiv 2006.08848, algorithm 1."""

from collections.abc import Sequence
from dataclasses import dataclass

from lib.federated.algorithms.base import CohortAlgorithm, Rngs
from lib.federated.batches import cohort_batches
from lib.federated.stack import owned, stack, unstack
from lib.federated.training import descend, gradients
from lib.federated.types import ClientData, Instruction, Memory, ServerState, Tensors, Update


@dataclass(frozen=True, kw_only=True)
class PFedMe(CohortAlgorithm):
    """Clients descend the Moreau envelope of their loss: its gradient at ``w`` is ``lam (w - theta(w))``.

    On each minibatch, ``theta`` is found by `inner_steps` gradient steps of size `inner_lr` on the loss plus
    ``lam / 2 |theta - w|^2``, started at ``w`` (the companion's choice; any start serves a solver that gets close);
    then ``w <- w - lr lam (w - theta)`` with `local`'s lr. The client keeps ``theta`` as its personal model and sends
    ``w``. The server's mixing weight beta of the paper is ``server=functools.partial(fedavg, lr=beta)``, and its plain
    mean is ``weight_by="uniform"``, the default here.

    Attributes:
        lam: strength of the tie between personal and shared model.
        inner_lr: step size of the inner problem; above ``2 / lam`` its steps diverge.
        inner_steps: gradient steps of the inner problem.
    """

    weight_by: str = "uniform"
    lam: float = 15.0
    inner_lr: float = 0.02
    inner_steps: int = 5

    def __post_init__(self) -> None:
        if self.inner_lr * self.lam >= 2:
            raise ValueError(f"inner_lr * lam = {self.inner_lr * self.lam:g} diverges; keep it below 2")
        if self.local.momentum or self.local.weight_decay:
            raise ValueError("pFedMe is defined with plain SGD; set momentum and weight_decay to zero")
        if self.model.buffer_names:
            raise ValueError("pFedMe couples parameters, not running statistics; build the net without them")

    def train_stacked(
        self, instructions: Sequence[Instruction], datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[tuple[Update, Memory]]:
        """Descend the Moreau envelope of each client's minibatch losses."""
        w = {name: value.clone() for name, value in stack([sent.tensors for sent in instructions]).items()}
        theta = {name: value.clone() for name, value in w.items()}
        for batch in cohort_batches(datas, self.local, rngs):
            # A client that is done in this round must keep its theta, so it restarts from w only while active.
            gap = {name: theta[name] - w[name] for name in w}
            descend(theta, gap, 1.0, batch)
            for _ in range(self.inner_steps):
                found = gradients(self.model, theta, batch, theta)
                step = {name: g.add(theta[name] - w[name], alpha=self.lam) for name, g in found.items()}
                descend(theta, step, self.inner_lr, batch)
            descend(w, {name: w[name] - theta[name] for name in w}, self.local.lr * self.lam, batch)
        shared, own = unstack(w, len(datas)), unstack(theta, len(datas))
        return [
            (Update(values, {"examples": data.examples}), owned(memory))
            for values, memory, data in zip(shared, own, datas, strict=True)
        ]

    def personal_models(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> Tensors:
        """Return each client's ``theta``, the server's model for a client that has not trained."""
        return stack([kept or state.tensors for kept in memories])
