"""The methods that are compared: same network, data, minibatches and number of rounds for all."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lib.federated.algorithms import (
    APFL,
    Ditto,
    Ensemble,
    FedAvg,
    FedRep,
    FineTuned,
    HypCluster,
    KNNPer,
    LGFedAvg,
    LocalOnly,
)
from lib.federated.local import LocalSGD
from lib.federated.types import Algorithm
from lib.flow.baselines.partialfed import PartialFed
from lib.flow.flow import flow
from lib.flow.lstm import LSTMRouting
from lib.flow.routing import UnitRouting
from lib.nets import unit_names


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all methods of a comparison share: the routed network (and with it the plain one) and local training.

    Attributes:
        routing: which network, and how it is routed.
        local: local training before anything is tuned.
        settings: {method: {parameter: value}}, as `lib.flow.baselines.candidates` lists them; what is not there keeps
            the defaults of the method.
    """

    routing: UnitRouting | LSTMRouting
    local: LocalSGD
    settings: dict[str, dict] = field(default_factory=dict)


METHODS = (
    "FedAvg", "FedAvg + FT", "local only", "kNN-Per", "PartialFed", "APFL", "Ditto", "FedRep", "LG-FedAvg",
    "HypCluster", "ensemble", "ensemble, own weight", "Flow", "Flow by client",
)  # fmt: skip


UNTUNED = "FedAvg + FT, untuned"  # fine-tuning with the rate and the epochs of training, as in the authors' code


def method(name: str, bench: Bench) -> Algorithm:
    """Return the method called `name`, one of `METHODS`, with its settings.

    The setting ``rate`` of FedAvg multiplies the learning rate of the bench; with that rate all methods train what they
    share, and their own ``rate`` multiplies it in the training that a method does for itself (fine-tuning, head,
    personal model, local branch), as ``times`` multiplies its epochs. Raises ValueError for an unknown name.
    """
    if name not in (*METHODS, UNTUNED):
        raise ValueError(f"unknown method {name!r}; choose from {', '.join((*METHODS, UNTUNED))}")
    common = replace(bench.local, lr=bench.local.lr * bench.settings.get("FedAvg", {}).get("rate", 1.0))
    options = {} if name == "FedAvg" else dict(bench.settings.get(name, {}))
    own = replace(common, lr=common.lr * options.pop("rate", 1.0), epochs=common.epochs * options.pop("times", 1))
    return _MAKE[name](replace(bench, local=common), own, options)


def _units(bench: Bench) -> list[list[str]]:
    return unit_names(bench.routing.model.network())


def _common(bench: Bench) -> dict:
    return {"model": bench.routing.model, "local": bench.local}


def _plain(bench: Bench, own: LocalSGD) -> dict:
    return {"model": bench.routing.model, "local": replace(own, momentum=0.0)}


def _head(bench: Bench) -> tuple[str, ...]:
    return tuple(_units(bench)[-1])


def _body(bench: Bench) -> tuple[str, ...]:
    return tuple(name for unit in _units(bench)[:-1] for name in unit)


def _by_client(bench: Bench) -> UnitRouting:
    return replace(bench.routing, by="client")


_MAKE: dict[str, Callable[[Bench, LocalSGD, dict], Algorithm]] = {
    "FedAvg": lambda b, own, o: FedAvg(**_common(b), **o),
    "FedAvg + FT": lambda b, own, o: FineTuned(**_common(b), finetune=own, **o),
    UNTUNED: lambda b, own, o: FineTuned(**_common(b), finetune=own, **o),
    "local only": lambda b, own, o: LocalOnly(model=b.routing.model, local=own, **o),
    "kNN-Per": lambda b, own, o: KNNPer(**_common(b), **o),
    "PartialFed": lambda b, own, o: PartialFed(model=b.routing.model, local=own, routing=_by_client(b), **o),
    "APFL": lambda b, own, o: APFL(**_plain(b, own), **o),
    "Ditto": lambda b, own, o: Ditto(**_common(b), solver=own, **o),
    "FedRep": lambda b, own, o: FedRep(**_common(b), head=own, personal=_head(b), **o),
    "LG-FedAvg": lambda b, own, o: LGFedAvg(model=b.routing.model, local=own, personal=_body(b), **o),
    "HypCluster": lambda b, own, o: HypCluster(model=b.routing.model, local=own, **o),
    "ensemble": lambda b, own, o: Ensemble(**_common(b), finetune=own, **o),
    "ensemble, own weight": lambda b, own, o: Ensemble(**_common(b), finetune=own, alpha=None, **o),
    "Flow": lambda b, own, o: flow(b.routing, b.local, branch_lr=own.lr, **o),
    "Flow by client": lambda b, own, o: flow(_by_client(b), b.local, branch_lr=own.lr, **o),
}
