"""A body trained under one frozen random head, which clients fit afterwards. Source: Oh et al., arXiv 2106.06042."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lib.federated.algorithms.base import Rngs
from lib.federated.algorithms.partially_shared import PartiallyShared
from lib.federated.local import LocalSGD
from lib.federated.training import local_sgd
from lib.federated.types import ClientData, Memory, ServerState, Tensors


@dataclass(frozen=True, kw_only=True)
class FedBABU(PartiallyShared):
    """Clients train and send the body alone; the personal model is that body and head after some local SGD.

    The head is `personal`: the same random one at every client, drawn at the seed `personal_init`, frozen in training.

    Attributes:
        finetune: settings of the fine-tuning before each evaluation; what it learns is thrown away.
        tuned: names of the parameters to fine-tune; None tunes all.
    """

    personal_init: int | None = 0
    finetune: LocalSGD = field(default_factory=LocalSGD)
    tuned: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.personal or self.personal_init is None:
            raise ValueError("FedBABU freezes one head at all clients: name it in personal, give personal_init a seed")

    def local_work(self, start: Tensors, datas: Sequence[ClientData], rngs: Rngs) -> Tensors:
        """Return the stacked values after local SGD of the body."""
        body = tuple(name for name in self.model.parameter_names if name not in self.personal)
        return local_sgd(self.model, start, datas, self.local, rngs, trained=body)

    def personal_models(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> Tensors:
        """Return each client's fine-tuned copy of the body and the head."""
        models = super().personal_models(state, datas, memories, rngs)
        return local_sgd(self.model, models, datas, self.finetune, rngs, trained=self.tuned)
