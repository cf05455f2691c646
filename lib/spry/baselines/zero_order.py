"""The zero-order baselines on Spry's federated shell: only the estimate of the slope along a perturbation differs.

All clients train all units here by default, as in their papers; `split` is there for matched comparisons.
"""

from dataclasses import dataclass, replace

import torch

from lib.federated.types import Instruction, Scalars, ServerState, Tensors
from lib.spry.forward_gradient import ForwardGradient, Loss
from lib.spry.spry import Spry
from lib.spry.zero_order import baffle, central_difference, cosines, mezo

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
        return mezo(loss, params, directions, step=self.step)

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
        return baffle(loss, params, directions, step=self.step, as_released=self.scale_as_released)


@dataclass(frozen=True, kw_only=True)
class FwdLLM(FedMeZO):
    """Central differences along those candidates that resemble the last global update. Source: arXiv 2308.13894.

    The server sends its last update along, which doubles what it sends; the gate by gradient variance is left open, as
    in Spry's port.

    Attributes:
        candidates: candidates drawn for each perturbation that is used.
        repeat_as_released: use the one best candidate for all K perturbations.
    """

    perturbations: int = 20
    step: float = 1e-2
    candidates: int = 10
    repeat_as_released: bool = False

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
        drawn = super(FwdLLM, replace(self, perturbations=many)).directions(sent, iteration)
        order = torch.argsort(cosines(drawn, previous), descending=True, stable=True)
        chosen = order[:1].repeat(keep) if self.repeat_as_released else order[:keep]
        return {name: value[chosen] for name, value in drawn.items()}

    def estimate(self, loss: Loss, params: Tensors, directions: Tensors) -> ForwardGradient:
        """Return the central difference along the chosen candidates."""
        return central_difference(loss, params, directions, step=self.step)

    def stepped(self, state: ServerState, average: Tensors) -> ServerState:
        """Step, and keep the update for the next round."""
        kept = {name: v for name, v in state.optimizer.items() if not name.startswith(PREVIOUS)}
        after = super().stepped(replace(state, optimizer=kept), average)
        update = {PREVIOUS + name: value - state.tensors[name] for name, value in after.tensors.items()}
        return replace(after, optimizer=after.optimizer | update)
