"""Shared representation, personal head, trained one after the other. Source: Collins et al., arXiv 2102.07078."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lib.federated.algorithms.base import Rngs
from lib.federated.algorithms.partially_shared import PartiallyShared
from lib.federated.local import LocalSGD
from lib.federated.training import local_sgd
from lib.federated.types import ClientData, Tensors


@dataclass(frozen=True, kw_only=True)
class FedRep(PartiallyShared):
    """Each round trains the personal head on the frozen representation, then the representation on the frozen head.

    The head is `personal`, the representation is what is shared; `local` trains the representation.

    Attributes:
        head: settings of the head's training; its learning rate and steps are its own.
    """

    head: LocalSGD = field(default_factory=LocalSGD)

    def local_work(self, start: Tensors, datas: Sequence[ClientData], rngs: Rngs) -> Tensors:
        """Return the stacked values after head steps, then representation steps."""
        heads = tuple(name for name in self.model.parameter_names if name in self.personal)
        body = tuple(name for name in self.model.parameter_names if name not in self.personal)
        fitted = local_sgd(self.model, start, datas, self.head, rngs, trained=heads)
        return local_sgd(self.model, fitted, datas, self.local, rngs, trained=body)
