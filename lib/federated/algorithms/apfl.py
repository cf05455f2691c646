"""Adaptive personalized federated learning. Source: Deng et al., arXiv 2003.13461, algorithm 1."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lib.federated.algorithms.base import CohortAlgorithm, Rngs
from lib.federated.batches import cohort_batches
from lib.federated.stack import owned, per_client, stack, unstack
from lib.federated.training import descend, gradients
from lib.federated.types import ClientData, Instruction, Memory, ServerState, Tensors, Update

ALPHA = "apfl.alpha"


@dataclass(frozen=True, kw_only=True)
class APFL(CohortAlgorithm):
    """Every client mixes a private model ``v`` with the shared one: it uses ``alpha v + (1 - alpha) w``.

    A step with learning rate ``eta`` on a minibatch: ``w <- w - eta grad f(w)``;
    ``v <- v - eta alpha grad f(alpha v + (1 - alpha) w)``. With `adaptive`, the first minibatch of a round also moves
    ``alpha <- alpha - eta <v - w, grad f(alpha v + (1 - alpha) w)>``, kept in [0, 1]. ``v`` starts at the first
    ``w`` received. Plain SGD: momentum and weight decay must be zero.

    Attributes:
        alpha: mixing weight, its first value when adaptive.
        adaptive: whether alpha is learned.
    """

    alpha: float = 0.5
    adaptive: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha = {self.alpha} mixes two models; choose it in [0, 1]")
        if self.local.momentum or self.local.weight_decay:
            raise ValueError("APFL is defined with plain SGD; set momentum and weight_decay to zero")
        if self.model.buffer_names:
            raise ValueError("APFL mixes parameters, running statistics cannot be mixed; build the net without them")

    def train_stacked(
        self, instructions: Sequence[Instruction], datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[tuple[Update, Memory]]:
        """Train shared and private models side by side on the same minibatches."""
        sent = [instruction.tensors for instruction in instructions]
        w = {name: value.clone() for name, value in stack(sent).items()}
        v, alpha = self._private(sent, memories)
        v = {name: value.clone() for name, value in v.items()}
        for step, batch in enumerate(cohort_batches(datas, self.local, rngs)):
            grad_w = gradients(self.model, w, batch, w)
            grad_mix = gradients(self.model, _mixed(v, w, alpha), batch, w)
            gap = {name: v[name] - w[name] for name in w}
            descend(w, grad_w, self.local.lr, batch)
            descend(v, {name: per_client(alpha, g) * g for name, g in grad_mix.items()}, self.local.lr, batch)
            if self.adaptive and step == 0:
                slope = sum((gap[name] * grad_mix[name]).flatten(1).sum(1) for name in w)
                alpha = (alpha - self.local.lr * slope).clamp(0, 1)
        kept = unstack(v | {ALPHA: alpha}, len(datas))
        shared = unstack(w, len(datas))
        return [
            (Update(values, {"examples": data.examples}), owned(memory))
            for values, memory, data in zip(shared, kept, datas, strict=True)
        ]

    def personal_models(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> Tensors:
        """Return the mixtures of private and shared models."""
        sent = [state.tensors] * len(datas)
        v, alpha = self._private(sent, memories)
        return _mixed(v, stack(sent), alpha)

    def _private(self, sent: Sequence[Tensors], memories: Sequence[Memory]) -> tuple[Tensors, torch.Tensor]:
        """Return private models and mixing weights; before its first round a client's are the shared one's."""
        names = list(sent[0])
        first = {ALPHA: sent[0][names[0]].new_tensor(self.alpha)}
        joined = stack([memory or received | first for memory, received in zip(memories, sent, strict=True)])
        return {name: joined[name] for name in names}, joined[ALPHA]


def _mixed(v: Tensors, w: Tensors, alpha: torch.Tensor) -> Tensors:
    return {name: per_client(alpha, w[name]) * v[name] + per_client(1 - alpha, w[name]) * w[name] for name in w}
