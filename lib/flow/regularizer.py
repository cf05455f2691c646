"""What keeps the policy from settling on one route. Source: the authors' code of arXiv 2211.15281."""

from dataclasses import dataclass
from typing import Literal

import torch

Target = Literal["local", "global", "both", "second unit"]


@dataclass(frozen=True)
class Regularizer:
    """``strength`` times the mean of ``-log(q^2 + eps)`` over instances and over the probabilities q that are chosen.

    The code takes other probabilities on each data set, and the paper's intention is not known to us.

    Attributes:
        strength: factor lambda; 0 switches the term off.
        target: "local" takes the local route of every unit (CIFAR-10 in the code: a push to it), "global" the
            other, "both" both routes (a pull to one half), "second unit" both routes of the second routed unit alone
            (EMNIST in the code, where an index that seems meant for the route meets the axis of the units).
        eps: keeps the logarithm finite.
    """

    strength: float = 0.0
    target: Target = "local"
    eps: float = 1e-6

    def __post_init__(self) -> None:
        if self.strength < 0 or self.eps <= 0:
            raise ValueError("strength must not be negative and eps must be positive; correct them")
        if self.target not in ("local", "global", "both", "second unit"):
            raise ValueError(f"target = {self.target!r}: choose 'local', 'global', 'both' or 'second unit'")

    def per_example(self, shares: torch.Tensor) -> torch.Tensor:
        """Return the term of each instance, shape ``(C, n)``, for shares of the local route ``(C, n, units, ...)``."""
        if self.target == "local":
            chosen = [shares]
        elif self.target == "global":
            chosen = [1 - shares]
        else:
            place = slice(None) if self.target == "both" else slice(min(1, shares.shape[2] - 1), None)
            place = place if self.target == "both" else slice(place.start, place.start + 1)
            chosen = [shares[:, :, place], 1 - shares[:, :, place]]
        terms = [-(q.square() + self.eps).log().flatten(2).mean(dim=2) for q in chosen]
        return self.strength * sum(terms) / len(terms)
