"""The zero-order baselines on Spry's federated shell: only the estimate of the slope along a perturbation differs.

All clients train all units here by default, as in their papers; `split` is there for matched comparisons.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from lib.federated.algorithms.base import Rngs
from lib.federated.types import ClientData, Instruction, Memory, Scalars, ServerState, Tensors, Update
from lib.spry.forward_gradient import ForwardGradient, Loss
from lib.spry.spry import Spry
from lib.spry.zero_order import baffle, central_difference, cosines, gradient_variance, mezo

PREVIOUS = "previous."  # names of the last global update, where the server keeps and sends it


@dataclass(frozen=True, kw_only=True)
class FedMeZO(Spry):
    """Two forward passes a perturbation, along normal directions. Source: arXiv 2402.05926, MeZO: arXiv 2305.17333.

    Attributes:
        step: distance of the two evaluations from the weights.
    """

    split: bool = False
    step: float = 1e-3

    def estimate(self, loss: Loss, params: Tensors, directions: Tensors) -> ForwardGradient:
        """Return MeZO's central difference."""
        return mezo(loss, params, directions, step=self.step, at_once=self.at_once)

    def passes(self) -> tuple[int, int]:
        """Return two passes a perturbation."""
        return 2 * self.perturbations, 0


@dataclass(frozen=True, kw_only=True)
class Baffle(FedMeZO):
    """Stein's identity with central differences. Source: arXiv 2301.12195; settings of Spry's port.

    Attributes:
        scale_as_released: repeat the port's scaling defect, see `lib.spry.zero_order.baffle`.
    """

    perturbations: int = 10
    step: float = 1e-4
    scale_as_released: bool = False

    def estimate(self, loss: Loss, params: Tensors, directions: Tensors) -> ForwardGradient:
        """Return Baffle's estimate."""
        options = {"as_released": self.scale_as_released, "at_once": self.at_once}
        return baffle(loss, params, directions, step=self.step, **options)


@dataclass(frozen=True, kw_only=True)
class FwdLLM(FedMeZO):
    """Central differences along those candidates that resemble the last global update. Source: arXiv 2308.13894.

    The server sends its last update along, which doubles what it sends. It leaves out clients whose gradients of single
    minibatches disagree more than `gate` allows; the gate is open by default, as in Spry's port.

    Attributes:
        candidates: candidates drawn for each perturbation that is used.
        repeat_as_released: use the one best candidate for all K perturbations.
        gate: largest `lib.spry.zero_order.gradient_variance` of a client that is averaged; a client needs two
            minibatches for it. Where all are left out only the server's momentum moves the weights.
    """

    perturbations: int = 20
    step: float = 1e-2
    candidates: int = 10
    repeat_as_released: bool = False
    gate: float = math.inf

    def train_stacked(
        self, instructions: Sequence[Instruction], datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[tuple[Update, Memory]]:
        """Train C clients, each of which also sends its variance if there is a gate."""
        if self.gate == math.inf:
            return super().train_stacked(instructions, datas, memories, rngs)
        seen: list[list[Tensors]] = [[] for _ in datas]
        found = super().train_stacked(
            instructions, datas, memories, rngs, watch=lambda client, gradient: seen[client].append(gradient)
        )
        return [
            (replace(update, scalars=update.scalars | {"variance": gradient_variance(gradients)}), memory)
            for (update, memory), gradients in zip(found, seen, strict=True)
        ]

    def aggregate(self, state: ServerState, updates: dict[int, Update]) -> ServerState:
        """Average the clients that pass the gate."""
        kept = {c: update for c, update in updates.items() if update.scalars.get("variance", 0.0) <= self.gate}
        return super().aggregate(state, kept)

    def instruction(self, state: ServerState, scalars: Scalars) -> Instruction:
        """Send the last global update with the weights, once there is one."""
        previous = {name: v for name, v in state.optimizer.items() if name.startswith(PREVIOUS)}
        return Instruction(state.tensors | previous, scalars)

    def directions(self, sent: Instruction, iteration: int) -> Tensors:
        """Return the K candidates with the largest cosine to the last global update."""
        keep, many = self.perturbations, self.perturbations * self.candidates
        previous = {n.removeprefix(PREVIOUS): v for n, v in sent.tensors.items() if n.startswith(PREVIOUS)}
        if not previous:
            return super().directions(sent, iteration)
        drawn = self.drawn(sent, iteration, many)
        order = torch.argsort(cosines(drawn, previous), descending=True, stable=True)
        chosen = order[:1].repeat(keep) if self.repeat_as_released else order[:keep]
        return {name: value.index_select(0, chosen) for name, value in drawn.items()}

    def estimate(self, loss: Loss, params: Tensors, directions: Tensors) -> ForwardGradient:
        """Return the central difference along the chosen candidates."""
        return central_difference(loss, params, directions, step=self.step, at_once=self.at_once)

    def stepped(self, state: ServerState, average: Tensors) -> ServerState:
        """Step, and keep the update for the next round."""
        kept = {name: v for name, v in state.optimizer.items() if not name.startswith(PREVIOUS)}
        after = super().stepped(replace(state, optimizer=kept), average)
        update = {PREVIOUS + name: value - state.tensors[name] for name, value in after.tensors.items()}
        return replace(after, optimizer=after.optimizer | update)
