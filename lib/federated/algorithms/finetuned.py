"""Federated averaging, and every client fine-tunes the server's model before it uses it (FedAvg + FT).

The baseline of the personalization literature, studied under this name by Cheng et al., arXiv 2108.07313.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lib.federated.algorithms.base import Rngs
from lib.federated.algorithms.fedavg import FedAvg
from lib.federated.local import LocalSGD
from lib.federated.training import local_sgd
from lib.federated.types import ClientData, Memory, ServerState, Tensors


@dataclass(frozen=True, kw_only=True)
class FineTuned(FedAvg):
    """Training is FedAvg; the personal model is the server's after some local SGD, which is never sent.

    Attributes:
        finetune: settings of the fine-tuning.
        tuned: names of the parameters to fine-tune; None tunes all.
    """

    finetune: LocalSGD = field(default_factory=LocalSGD)
    tuned: tuple[str, ...] | None = None

    def personal_models(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> Tensors:
        """Return each client's fine-tuned copy of the server's model."""
        start = {name: value.expand(len(datas), *value.shape) for name, value in state.tensors.items()}
        return local_sgd(self.model, start, datas, self.finetune, rngs, trained=self.tuned)
