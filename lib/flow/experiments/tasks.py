"""What each task trains: its network and local training, and the federations on which settings are chosen."""

import functools

from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.types import Federation
from lib.flow.baselines.methods import Bench
from lib.flow.experiments.arms import perceptron_bench
from lib.flow.experiments.datasets import REAL, real_federation
from lib.flow.federations import dirichlet_digits, styled_digits
from lib.flow.lstm import LSTMRouting
from lib.flow.mixture import mixture
from lib.flow.routing import UnitRouting
from lib.nets import small_cnn

EMBEDDED = ("instance preferences", "digits")
BY_UNIT = ("kNN-Per", "PartialFed", "FedRep", "LG-FedAvg", "Flow by client")  # need units, or one route for a client


def bench_of(task: str, settings: dict[str, dict] | None = None) -> Bench:
    """Return network and local training of a task of `EMBEDDED` or `lib.flow.experiments.datasets.REAL`."""
    if task == "instance preferences":
        return perceptron_bench((20, 64, 5), settings=settings)
    if task == "digits":
        return perceptron_bench((64, 64, 10), lr=0.1, epochs=3, settings=settings)
    if task not in REAL:
        raise ValueError(f"unknown task {task!r}; choose from {', '.join((*EMBEDDED, *REAL))}")
    kind = REAL[task].table
    if kind == "shakespeare":
        routing, local = text_routing(), LocalSGD(lr=3.0, momentum=0.9, batch_size=10, epochs=2)
    else:
        routing = image_routing(1, 28, (8, 16)) if kind == "femnist" else image_routing(3, 32, (8, 16, 32))
        local = LocalSGD(lr=0.03, momentum=0.9, batch_size=20, epochs=2)
    return Bench(routing=routing, local=local, settings=settings or {})


def fits(method: str, task: str) -> bool:
    """Return whether a method can do a task: those of `BY_UNIT` cannot do the network of the texts."""
    return not (method in BY_UNIT and task in REAL and REAL[task].table == "shakespeare")


def image_routing(image_channels: int, side: int, channels: tuple[int, ...]) -> UnitRouting:
    """Return a routed small convolutional network with a policy of 64 units a layer.

    The classifier sees every feature: on channel means FedAvg hardly learns anything in the rounds at hand.
    """
    model = Model(functools.partial(small_cnn, channels, image_channels=image_channels, pixels=side))
    return UnitRouting(model, (64,) * len(channels), image_channels * side * side)


def text_routing() -> LSTMRouting:
    """Return the routed language model for Tiny Shakespeare's 65 characters: one layer of 64."""
    return LSTMRouting(65, 8, 64, sees_cells=True, widths=(32,))


def cohort_of(task: str) -> int | None:
    """Return how many clients train in a round of a task; None for all."""
    return REAL[task].cohort if task in REAL else None


def tuning_federations(task: str, seed: int) -> dict[str, Federation]:
    """Return the federations with that seed on which settings of `task` are chosen, by kind."""
    if task == "instance preferences":
        return {f"rho={rho:g}": mixture(rho=rho, seed=seed).federation for rho in (0.25, 0.5)}
    if task == "digits":
        return {"alpha=0.6": dirichlet_digits(alpha=0.6, seed=seed), "style=1": styled_digits(strength=1.0, seed=seed)}
    return {REAL[task].setting: real_federation(task, seed, tuning=True)}
