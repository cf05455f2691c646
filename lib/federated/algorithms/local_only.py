"""Every client trains alone: the baseline that shares nothing."""

from dataclasses import dataclass

from lib.federated.algorithms.partially_shared import PartiallyShared


@dataclass(frozen=True, kw_only=True)
class LocalOnly(PartiallyShared):
    """Local SGD on each client's own model, round after round; messages hold no tensor."""

    def __post_init__(self) -> None:
        if self.personal not in ((), self.model.names):
            raise ValueError("LocalOnly keeps every tensor personal; for a choice of tensors use PartiallyShared")
        object.__setattr__(self, "personal", self.model.names)
