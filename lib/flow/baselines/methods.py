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

    `options` changes the settings of `SETTINGS`: {method: {parameter: value}}.
    """

    routing: UnitRouting
    local: LocalSGD
    options: dict[str, dict] = field(default_factory=dict)


# The settings chosen by `lib.flow.experiments.tuning` on seeds on which nothing is judged, six candidates a method.
SETTINGS: dict[str, dict] = {
    "FedAvg": {},
    "FedAvg + FT": {},
    "local only": {},
    "kNN-Per": {"neighbours": 10, "weight": 0.5},
    "PartialFed": {"choice_lr": 0.1},
    "APFL": {"alpha": 0.5},
    "Ditto": {"lam": 0.1},
    "FedRep": {},
    "LG-FedAvg": {},
    "HypCluster": {"clusters": 2},
    "ensemble": {"alpha": 0.5},
    "ensemble, own weight": {"alpha": None},
    "Flow": {"push": 0.1},
    "Flow by client": {"push": 0.1},
}
METHODS = tuple(SETTINGS)


def method(name: str, bench: Bench) -> Algorithm:
    """Return the method called `name`, one of `METHODS`, with its settings.

    The settings ``rate``, a multiple of the common learning rate, and ``epochs`` are those of the local training that
    the method does for itself (fine-tuning, head, personal model). Raises ValueError for an unknown name.
    """
    if name not in SETTINGS:
        raise ValueError(f"unknown method {name!r}; choose from {', '.join(METHODS)}")
    options = SETTINGS[name] | bench.options.get(name, {})
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
    "local only": lambda b, own, o: LocalOnly(model=b.routing.model, local=own, **o),
    "kNN-Per": lambda b, own, o: KNNPer(**_common(b), **o),
    "PartialFed": lambda b, own, o: PartialFed(**_common(b), routing=_by_client(b), **o),
    "APFL": lambda b, own, o: APFL(**_plain(b, own), **o),
    "Ditto": lambda b, own, o: Ditto(**_common(b), solver=own, **o),
    "FedRep": lambda b, own, o: FedRep(**_common(b), head=own, personal=_head(b), **o),
    "LG-FedAvg": lambda b, own, o: LGFedAvg(model=b.routing.model, local=own, personal=_body(b), **o),
    "HypCluster": lambda b, own, o: HypCluster(model=b.routing.model, local=own, **o),
    "ensemble": lambda b, own, o: Ensemble(**_common(b), finetune=own, **o),
    "ensemble, own weight": lambda b, own, o: Ensemble(**_common(b), finetune=own, **o),
    "Flow": lambda b, own, o: flow(b.routing, own, **o),
    "Flow by client": lambda b, own, o: flow(_by_client(b), own, **o),
}
