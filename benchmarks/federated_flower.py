"""The in-process engine against Flower's simulation on the same FedAvg run, start-up excluded."""

import functools
import json
import time

import numpy as np

from benchmarks.lines import peer
from lib.federated.algorithms import FedAvg
from lib.federated.federation import make_federation
from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.partition import iid
from lib.federated.run import run
from lib.federated.types import Federation
from lib.nets.perceptron import mlp
from lib.profiling import fixed_threads


def measure(*, clients=100, cohort_size=10, local_rounds=50, flower_rounds=10, seed=0) -> dict:
    """Return the median seconds a round on both engines, their ratio, and how far their weights are apart.

    The first measurement trains and aggregates alone; the second also evaluates all clients in every round, which is
    the default of `run` and of Flower's strategies. Flower's start of Ray and the first round, in which its processes
    load the package, do not count; `start_seconds` is what they took.
    """
    algorithm = FedAvg(model=Model(functools.partial(mlp, (64, 32, 10))), local=LocalSGD(lr=0.1))
    federation, found = _digits(clients, seed), {"clients": clients, "cohort_size": cohort_size}
    for name, every in (("training", 0), ("training_and_evaluation", 1)):
        options = {"cohort_size": cohort_size, "evaluate_every": every, "seed": seed}
        with fixed_threads(1):
            flower, start, remote = _seconds_a_round(algorithm, federation, flower_rounds, engine="flower", **options)
            local, _, _ = _seconds_a_round(algorithm, federation, local_rounds, **options)
            same = run(algorithm, federation, rounds=flower_rounds, **options).state.tensors
        found[name] = {
            "local_round_seconds": local,
            "flower_round_seconds": flower,
            "ratio": flower / local,
            "start_seconds": start,
            "largest_difference": max(float((same[k] - v).abs().max()) for k, v in remote.state.tensors.items()),
        }
    return found


def rows(found: dict) -> list[dict]:
    """Rows on the in-process engine against Flower's simulation with the same algorithm object, start excluded."""
    names = {"training": "training only", "training_and_evaluation": "with evaluation of all clients"}
    return [
        peer(
            f"FedAvg, 100 clients, 10 a round, {said}",
            "in-process engine",
            "Flower's simulation on Ray",
            f"weights within {found[key]['largest_difference']:.0e}",
            f"{found[key]['ratio']:.0f} times faster a round",
            "100 times",
            found[key]["ratio"] >= 100,
        )
        for key, said in names.items()
    ]


def _seconds_a_round(algorithm, federation: Federation, rounds: int, **options) -> tuple:
    """Return the median seconds of a round after the first, the seconds until the second, and the history."""
    ticks = [time.perf_counter()]

    def progress(iterable, label):
        for item in iterable:
            yield item
            ticks.append(time.perf_counter())  # the loop asks for its next round when one is over

    history = run(algorithm, federation, rounds=rounds, progress=progress, **options)
    return float(np.median(np.diff(ticks[1:]))), ticks[1] - ticks[0], history


def _digits(clients: int, seed: int) -> Federation:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    return make_federation((x / 16).astype(np.float32), y, iid(len(y), clients, rng=rng), rng=rng, name="digits")


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
