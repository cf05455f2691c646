"""Personal representation, shared head. Source: Liang et al., arXiv 2001.01523."""

from dataclasses import dataclass

from lib.federated.algorithms.partially_shared import PartiallyShared


@dataclass(frozen=True, kw_only=True)
class LGFedAvg(PartiallyShared):
    """The mirror image of a personal head: `personal` names the lower layers, the head is averaged.

    Both parts train jointly. There must be a personal and a shared part.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.personal or set(self.personal) == set(self.model.names):
            raise ValueError("LG-FedAvg needs personal and shared tensors; name the lower layers in `personal`")
