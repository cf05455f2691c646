"""What FedPer is compared with: same network, partition and minibatch size, and the same length of local training.

FedRep trains its representation that long, after half as many steps (rounded up) or passes on the head alone; Ditto
trains two models, so it takes twice as many steps. FedBN is here FedPer without personal units on a network with batch
normalization, under the policy "local" of `lib.fedper.split`.
"""

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from lib.federated.algorithms import Ditto, FedAvg, FedBABU, FedProx, FedRep, FineTuned, LGFedAvg, LocalOnly
from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.types import Algorithm
from lib.fedper.fedper import fedper
from lib.fedper.split import last_units, tensor_names

Build = Callable[[], nn.Module]
FINETUNE_STEPS = 10


def _after(local: LocalSGD) -> LocalSGD:
    return replace(local, steps=FINETUNE_STEPS, epochs=None)


def _finetuned(build: Build, local: LocalSGD, seed: int) -> Algorithm:
    return FineTuned(model=Model(build), local=local, finetune=_after(local))


def _fedbabu(build: Build, local: LocalSGD, seed: int) -> Algorithm:
    head = last_units(build(), 1).personal
    return FedBABU(model=Model(build), local=local, personal=head, personal_init=seed, finetune=_after(local))


def _fedrep(build: Build, local: LocalSGD, seed: int) -> Algorithm:
    half = {"epochs": local.epochs / 2} if local.steps is None else {"steps": -(-local.steps // 2)}
    head = replace(local, **half)
    return FedRep(model=Model(build), local=local, head=head, personal=last_units(build(), 1).personal)


def _lg_fedavg(build: Build, local: LocalSGD, seed: int) -> Algorithm:
    net = build()
    shared = set(last_units(net, 2).personal)
    lower = tuple(name for name in tensor_names(net) if name not in shared)
    return LGFedAvg(model=Model(build), local=local, personal=lower)


METHODS: dict[str, Callable[[Build, LocalSGD, int], Algorithm]] = {
    "FedAvg": lambda build, local, seed: FedAvg(model=Model(build), local=local),
    "FedAvg + FT": _finetuned,
    "FedProx": lambda build, local, seed: FedProx(model=Model(build), local=local, mu=0.1),
    "FedRep": _fedrep,
    "FedBABU": _fedbabu,
    "LG-FedAvg": _lg_fedavg,
    "Ditto": lambda build, local, seed: Ditto(model=Model(build), local=local, lam=0.1),
    "local only": lambda build, local, seed: LocalOnly(model=Model(build), local=local),
}


def method(name: str, build: Build, local: LocalSGD, *, seed: int) -> Algorithm:
    """Return the algorithm called `name`: one of `METHODS`, or ``"FedPer K"`` with K personal units.

    ``"FedPer K + FT"`` fine-tunes the personal units for one epoch before each evaluation. `seed` draws the head that
    FedBABU freezes. Raises ValueError for an unknown name.
    """
    if name in METHODS:
        return METHODS[name](build, local, seed)
    kind, _, rest = name.partition(" ")
    units, _, tuned = rest.partition(" + ")
    if kind != "FedPer" or not units.isdigit() or tuned not in ("", "FT"):
        raise ValueError(f"unknown method {name!r}: choose 'FedPer 1', 'FedPer 2 + FT' or one of {', '.join(METHODS)}")
    return fedper(build, personal_units=int(units), local=local, ft_epochs_eval=int(bool(tuned)))
