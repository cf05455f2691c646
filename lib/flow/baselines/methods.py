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
from lib.flow.routing import UnitRouting
from lib.nets import unit_names


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all methods of a comparison share: the routed network (and with it the plain one) and local training.

    Attributes:
        routing: which network, and how it is routed.
        local: settings of local training.
        task: whose settings of `SETTINGS` are used.
        options: {method: {parameter: value}}, in place of those.
    """

    routing: UnitRouting
    local: LocalSGD
    task: str = "instance preferences"
    options: dict[str, dict] = field(default_factory=dict)


# What `lib.flow.experiments.tuning` chose, six candidates a method, on federations on which nothing is judged.
SETTINGS: dict[str, dict[str, dict]] = {
    "instance preferences": {
        "FedAvg": {"rate": 0.5},
        "FedAvg + FT": {"rate": 0.25, "epochs": 5},
        "local only": {"rate": 2.5},
        "kNN-Per": {"neighbours": 5, "weight": 0.4},
        "PartialFed": {"choice_lr": 0.03, "temperature": 0.5},
        "APFL": {"rate": 20.0, "alpha": 0.25},
        "Ditto": {"lam": 0.1},
        "FedRep": {"rate": 0.5, "epochs": 5},
        "LG-FedAvg": {"rate": 0.5},
        "HypCluster": {"rate": 1.0, "clusters": 2},
        "ensemble": {"rate": 1.0, "alpha": 0.5},
        "ensemble, own weight": {"rate": 1.0, "epochs": 5},
        "Flow": {"push": 0.1},
        "Flow by client": {"push": 0.0},
    },
    "digits": {
        "FedAvg": {"rate": 2.5},
        "FedAvg + FT": {"rate": 0.25, "epochs": 5},
        "local only": {"rate": 0.5},
        "kNN-Per": {"neighbours": 5, "weight": 0.6},
        "PartialFed": {"choice_lr": 0.03, "temperature": 0.5},
        "APFL": {"rate": 5.0, "alpha": 0.25},
        "Ditto": {"lam": 0.03},
        "FedRep": {"rate": 0.5, "epochs": 5},
        "LG-FedAvg": {"rate": 1.0},
        "HypCluster": {"rate": 1.0, "clusters": 4},
        "ensemble": {"rate": 1.0, "alpha": 0.5},
        "ensemble, own weight": {"rate": 0.25, "epochs": 5},
        "Flow": {"push": 0.03},
        "Flow by client": {"push": 0.03},
    },
}
METHODS = (
    "FedAvg", "FedAvg + FT", "local only", "kNN-Per", "PartialFed", "APFL", "Ditto", "FedRep", "LG-FedAvg",
    "HypCluster", "ensemble", "ensemble, own weight", "Flow", "Flow by client",
)  # fmt: skip


UNTUNED = "FedAvg + FT, untuned"  # fine-tuning with the rate and the epochs of training, as in the authors' code


def method(name: str, bench: Bench) -> Algorithm:
    """Return the method called `name`, one of `METHODS`, with its settings.

    The settings ``rate``, a multiple of the common learning rate, and ``epochs`` are those of the local training that
    the method does for itself (fine-tuning, head, personal model). Raises ValueError for an unknown name.
    """
    if name not in (*METHODS, UNTUNED):
        raise ValueError(f"unknown method {name!r}; choose from {', '.join((*METHODS, UNTUNED))}")
    options = dict(bench.options.get(name) or SETTINGS[bench.task].get(name, {}))
    own = replace(
        bench.local,
        lr=bench.local.lr * options.pop("rate", 1.0),
        epochs=options.pop("epochs", bench.local.epochs),
    )
    return _MAKE[name](bench, own, options)


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
    "FedAvg": lambda b, own, o: FedAvg(model=b.routing.model, local=own, **o),
    "FedAvg + FT": lambda b, own, o: FineTuned(**_common(b), finetune=own, **o),
    UNTUNED: lambda b, own, o: FineTuned(**_common(b), finetune=own, **o),
    "local only": lambda b, own, o: LocalOnly(model=b.routing.model, local=own, **o),
    "kNN-Per": lambda b, own, o: KNNPer(**_common(b), **o),
    "PartialFed": lambda b, own, o: PartialFed(**_common(b), routing=_by_client(b), **o),
    "APFL": lambda b, own, o: APFL(**_plain(b, own), **o),
    "Ditto": lambda b, own, o: Ditto(**_common(b), solver=own, **o),
    "FedRep": lambda b, own, o: FedRep(**_common(b), head=own, personal=_head(b), **o),
    "LG-FedAvg": lambda b, own, o: LGFedAvg(model=b.routing.model, local=own, personal=_body(b), **o),
    "HypCluster": lambda b, own, o: HypCluster(model=b.routing.model, local=own, **o),
    "ensemble": lambda b, own, o: Ensemble(**_common(b), finetune=own, **o),
    "ensemble, own weight": lambda b, own, o: Ensemble(**_common(b), finetune=own, alpha=None, **o),
    "Flow": lambda b, own, o: flow(b.routing, own, **o),
    "Flow by client": lambda b, own, o: flow(_by_client(b), own, **o),
}
