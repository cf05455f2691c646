"""Federated averaging with a proximal term. Source: Li et al., arXiv 1812.06127, algorithm 2."""

from collections.abc import Sequence
from dataclasses import dataclass

from lib.federated.algorithms.base import Rngs
from lib.federated.algorithms.fedavg import FedAvg
from lib.federated.training import local_sgd
from lib.federated.types import ClientData, Tensors


@dataclass(frozen=True, kw_only=True)
class FedProx(FedAvg):
    """Clients minimize their loss plus ``mu / 2 |w - w_server|^2``, inexactly by local SGD; `mu` zero is FedAvg.

    Attributes:
        mu: strength of the pull to the server's weights.
    """

    mu: float = 0.01

    def local_work(self, start: Tensors, datas: Sequence[ClientData], rngs: Rngs) -> Tensors:
        """Return the stacked values after local SGD with the proximal term around `start`."""
        return local_sgd(self.model, start, datas, self.local, rngs, proximal=self.mu)
