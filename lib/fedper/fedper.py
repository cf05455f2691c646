"""FedPer: a shared base, personalization layers that never leave the client. Source: arXiv 1912.00818.

Each round, for every client: receive the base, run local SGD on base and personalization layers jointly, keep the
personalization layers, send the base; the server averages the bases by number of examples. The paper's clients all take
part in every round and draw their personalization layers independently.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torch import nn

from lib.federated.algorithms import PartiallyShared
from lib.federated.algorithms.base import Rngs
from lib.federated.evaluation import stacked_metrics
from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.stack import stack
from lib.federated.training import local_sgd
from lib.federated.types import ClientData, Instruction, Memory, ServerState, Tensors, Update
from lib.fedper.split import BatchNormPolicy, last_units

EvalTiming = Literal["after_agg", "after_local", "both"]


@dataclass(frozen=True, kw_only=True)
class FedPer(PartiallyShared):
    """FedPer and its fine-tuning variant.

    Attributes:
        eval_timing: "after_agg" evaluates with the new base and the kept layers (``personal_accuracy``); "after_local"
            and "both" let each client also report ``local_accuracy``, that of its own model before it sends the base.
        ft_epochs_train: epochs on the personalization layers alone, the received base frozen, before the joint phase.
        ft_epochs_eval: the same before each evaluation; what it learns is thrown away.

    Where the paper places its fine-tuning epoch is not known to us, hence two numbers.
    """

    eval_timing: EvalTiming = "after_agg"
    ft_epochs_train: int = 0
    ft_epochs_eval: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.eval_timing not in ("after_agg", "after_local", "both"):
            raise ValueError(f"eval_timing is {self.eval_timing!r}: choose 'after_agg', 'after_local' or 'both'")
        if min(self.ft_epochs_train, self.ft_epochs_eval) < 0:
            raise ValueError("the numbers of fine-tuning epochs must not be negative")

    def local_work(self, start: Tensors, datas: Sequence[ClientData], rngs: Rngs) -> Tensors:
        """Train all layers jointly, after `ft_epochs_train` epochs of the personalization layers alone."""
        return super().local_work(self._head_epochs(start, datas, rngs, self.ft_epochs_train), datas, rngs)

    def train_stacked(
        self, instructions: Sequence[Instruction], datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[tuple[Update, Memory]]:
        """Do one round of several clients, with their own accuracy in the update where `eval_timing` asks for it."""
        results = super().train_stacked(instructions, datas, memories, rngs)
        if self.eval_timing == "after_agg":
            return results
        models = stack([{**update.tensors, **kept} for update, kept in results])
        found = stacked_metrics(self.model, models, datas, prefix="local")
        return [
            (replace(update, scalars=update.scalars | metrics), kept)
            for (update, kept), metrics in zip(results, found, strict=True)
        ]

    def personal_models(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> Tensors | None:
        """Return the new base joined with the kept layers, fine-tuned for `ft_epochs_eval` epochs."""
        models = super().personal_models(state, datas, memories, rngs)
        return models if models is None else self._head_epochs(models, datas, rngs, self.ft_epochs_eval)

    def _head_epochs(self, values: Tensors, datas: Sequence[ClientData], rngs: Rngs, epochs: int) -> Tensors:
        if epochs == 0 or not self.personal:
            return values
        sgd = replace(self.local, epochs=epochs, steps=None)
        trained = [name for name in self.model.parameter_names if name in set(self.personal)]
        tuned = local_sgd(self.model, values, datas, sgd, rngs, trained=trained)
        return {name: tuned[name] if name in self.personal else values[name] for name in values}


def fedper(
    build: Callable[[], nn.Module],
    *,
    personal_units: int,
    local: LocalSGD,
    head_init: Literal["independent", "common"] = "independent",
    bn_policy: BatchNormPolicy = "none",
    weight_by: Literal["examples", "uniform"] = "examples",
    eval_timing: EvalTiming = "after_agg",
    ft_epochs_train: int = 0,
    ft_epochs_eval: int = 0,
    seed: int = 0,
) -> FedPer:
    """Return FedPer on the network that `build` returns, its last `personal_units` units personal.

    Args:
        build: returns a fresh network with units in ``blocks`` (`lib.nets`).
        personal_units: K_P, counted in units from the classifier backwards; 0 is FedAvg.
        local: settings of local training.
        head_init: "independent" lets each client draw its personalization layers, "common" gives all
            those that the network has at `seed`.
        bn_policy: what becomes of running statistics, see `lib.fedper.split.apply_bn_policy`.
        weight_by: a client's share of the average, by number of "examples" or "uniform".
        eval_timing: when clients are evaluated, see `FedPer`.
        ft_epochs_train: see `FedPer`.
        ft_epochs_eval: see `FedPer`.
        seed: of the common initial layers; give `run` the same one to start as FedAvg does.

    Raises ValueError for an impossible split or an unknown option.
    """
    if head_init not in ("independent", "common"):
        raise ValueError(f"head_init is {head_init!r}: choose 'independent' or 'common'")
    return FedPer(
        model=Model(build),
        local=local,
        personal=last_units(build(), personal_units, bn_policy=bn_policy).personal,
        personal_init=seed if head_init == "common" else None,
        weight_by=weight_by,
        eval_timing=eval_timing,
        ft_epochs_train=ft_epochs_train,
        ft_epochs_eval=ft_epochs_eval,
    )
