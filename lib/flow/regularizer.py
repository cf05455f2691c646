"""What keeps the policy from settling on one route. Source: the authors' code of arXiv 2211.15281."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch

Target = Literal["local", "global", "both", "second unit", "second step", "opposite"]


@dataclass(frozen=True)
class Regularizer:
    """``strength`` times the mean of ``-log(q^2 + eps)`` over instances and over the probabilities q that are chosen.

    The code takes other probabilities on each data set, and the paper's intention is not known to us. On three of them
    an index that seems meant for the route meets another axis, or the two routes in another order.

    Attributes:
        strength: factor lambda; 0 switches the term off.
        target: "local" takes the local route of every unit (CIFAR-10 and CIFAR-100 in the code: a push to it),
            "global" the other, "both" both routes (a pull to one half); "second unit" both routes of the second routed
            unit alone (EMNIST in the code), "second step" both routes of every unit at the second time step alone
            (Shakespeare); "opposite" the local route of the output layers, two of a routed LSTM and one of other
            networks, and the global route of all before (Stack Overflow).
        eps: keeps the logarithm finite.
    """

    strength: float = 0.0
    target: Target = "local"
    eps: float = 1e-6

    def __post_init__(self) -> None:
        if self.strength < 0 or self.eps <= 0:
            raise ValueError("strength must not be negative and eps must be positive; correct them")
        if self.target not in get_args(Target):
            raise ValueError(f"target = {self.target!r}: choose from {', '.join(get_args(Target))}")

    def per_example(self, shares: torch.Tensor) -> torch.Tensor:
        """Return the term of each instance, shape ``(C, n)``, for shares of the local route ``(C, n, units[, T])``."""
        return -self.strength * (self.chosen(shares).square() + self.eps).log().mean(dim=2)

    def chosen(self, shares: torch.Tensor) -> torch.Tensor:
        """Return the probabilities that the term of an instance is a mean over, shape ``(C, n, count)``."""
        timed, rest = shares.dim() > 3, 1 - shares
        if self.target == "second step" and not timed:
            raise ValueError("these routes have no time steps; choose another target than 'second step'")
        one, outputs = slice(1, 2) if shares.shape[2] > 1 else slice(0, 1), 2 if timed else 1
        found = {
            "local": (shares,),
            "global": (rest,),
            "both": (shares, rest),
            "second unit": (shares[:, :, one], rest[:, :, one]),
            "second step": (shares[..., 1:2], rest[..., 1:2]),
            "opposite": (rest[:, :, :-outputs], shares[:, :, -outputs:]),
        }[self.target]
        return torch.cat([part.flatten(2) for part in found], dim=2)
