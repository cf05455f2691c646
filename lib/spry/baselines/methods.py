"""All methods of the comparison by the names that the paper's tables use, matched or as the authors' code has them."""

import math
from typing import Any

from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.server_optimizers import fedavg
from lib.federated.types import Algorithm
from lib.spry.baselines.backpropagation import Backpropagation
from lib.spry.baselines.zero_order import Baffle, FedMeZO, FwdLLM
from lib.spry.costs import PER_ITERATION
from lib.spry.per_iteration import PerIteration
from lib.spry.spry import Spry

# What each name is beyond the matched settings: the class and its options. Only the FedAvg ones average plainly.
METHODS: dict[str, tuple[type[Spry], dict[str, Any]]] = {
    "Spry": (Spry, {}),
    "FedFGD": (Spry, {"split": False}),
    "FedFGD shared": (Spry, {"split": False, "v_sharing": "shared_iteration"}),
    "FedAvg": (Backpropagation, {"server": fedavg}),
    "FedYogi": (Backpropagation, {}),
    "FedAvgSplit": (Backpropagation, {"split": True, "server": fedavg}),
    "FedYogiSplit": (Backpropagation, {"split": True}),
    "FedMeZO": (FedMeZO, {"optimizer": "sgd"}),
    "Baffle+": (Baffle, {}),
    "FwdLLM+": (FwdLLM, {}),
    "FwdLLM": (FwdLLM, {"optimizer": "sgd"}),
}

# The authors' code: unmatched servers, dropout noise inside differences, and its defects.
AS_RELEASED: dict[str, dict[str, Any]] = {
    "Spry": {"personal_epochs": 5, "aggregation": "as_released", "assignment": "as_released"},
    "FedMeZO": {"server": fedavg, "dropout_mode": "eval"},
    "Baffle+": {"server": fedavg, "dropout_mode": "as_released", "scale_as_released": True},
    "FwdLLM+": {"dropout_mode": "as_released", "repeat_as_released": True, "gate": math.inf},
    "FwdLLM": {"dropout_mode": "as_released", "repeat_as_released": True, "gate": math.inf},
}


def method(name: str, model: Model, local: LocalSGD, *, as_released: bool = False, **options: Any) -> Algorithm:
    """Return the method called `name`: one of `METHODS`, "FedSGD", or "<method> per iteration".

    Args:
        name: see above. Plain "Baffle" is "Baffle+" on a model with nothing frozen and weight decay zero.
        model: network and loss; what requires a gradient is trained.
        local: settings of local training; per iteration, its learning rate scales the averaged gradient.
        as_released: take the options that the authors' code has for this method.
        options: further options of the method, such as ``server``; they come last.

    The default is matched: same head, dropout masks, client optimizer and server for all, apart from what the name
    itself says (averaging for FedAvg, gradient descent for FedMeZO and plain FwdLLM). Raises ValueError for an unknown
    name.
    """
    if name == "FedSGD":
        inner = Backpropagation(model=model, local=local, **{"server": fedavg} | options)
        return PerIteration(method=inner, upload="gradient", as_released=as_released)
    base = name.removesuffix(PER_ITERATION)
    if base not in METHODS:
        raise ValueError(f"unknown method {name!r}: choose FedSGD, one of {', '.join(METHODS)}, or one per iteration")
    kind, settings = METHODS[base]
    settings = settings | (AS_RELEASED.get(base, {}) if as_released else {}) | options
    inner = kind(model=model, local=local, **settings)
    if base == name:
        return inner
    return PerIteration(method=inner, upload="gradient" if kind is Backpropagation else "scalars")
