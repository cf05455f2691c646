"""The backpropagation baselines on Spry's federated shell: same units, client optimizers, dropout and servers.

FedAvg (arXiv 1602.05629) and FedYogi (arXiv 2003.00295) differ in the server only; with ``split`` each client trains
its share alone, which tells the effect of splitting from that of forward gradients (FedAvgSplit, FedYogiSplit).
"""

from dataclasses import dataclass

import torch

from lib.federated.types import Instruction, Tensors
from lib.spry.forward_gradient import ForwardGradient, Loss
from lib.spry.spry import Spry


@dataclass(frozen=True, kw_only=True)
class Backpropagation(Spry):
    """Clients step along the gradient; `perturbations` and `v_sharing` mean nothing here.

    Without `split`, with "sgd" and plain averaging it is `lib.federated`'s FedAvg.
    """

    split: bool = False

    def directions(self, sent: Instruction, iteration: int) -> Tensors:
        """Return no direction."""
        return {}

    def estimate(self, loss: Loss, params: Tensors, directions: Tensors) -> ForwardGradient:
        """Return the gradient by backpropagation; there are no derivatives along directions."""
        gradient, value = torch.func.grad_and_value(loss)({name: v.detach() for name, v in params.items()})
        return ForwardGradient(value, value.new_zeros(0), gradient, 1)

    def passes(self) -> tuple[int, int]:
        """Return one forward and one backward pass."""
        return 1, 1
