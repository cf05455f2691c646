"""Federated averaging. Source: McMahan et al., arXiv 1602.05629, algorithm 1."""

from dataclasses import dataclass

from lib.federated.algorithms.partially_shared import PartiallyShared


@dataclass(frozen=True, kw_only=True)
class FedAvg(PartiallyShared):
    """Every client trains the whole model from the server's weights; the server averages by number of examples.

    Round: send ``w``; client ``c`` runs local SGD from ``w`` to ``w_c``; ``w <- sum_c n_c w_c / sum_c n_c``. With
    another `server` optimizer this is FedAdagrad, FedAdam or FedYogi. Clients keep nothing.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.personal:
            raise ValueError("FedAvg shares every tensor; for personal ones use PartiallyShared")
