"""Flow's whole-cohort training against the same algorithm one client at a time."""

import time

from benchmarks.lines import peer
from lib.federated import run
from lib.flow.experiments.preference import bench
from lib.flow.flow import flow
from lib.flow.mixture import mixture
from lib.profiling import fixed_threads


def measure(*, clients=20, rounds=2, repeats=3) -> dict:
    """Return seconds of processor time a round, stacked and one by one, their ratio, and how far the weights differ.

    The best of `repeats`, on one thread, evaluation left out.
    """
    made, federation = bench(), mixture(rho=0.25, clients=clients).federation
    algorithm = flow(made.routing, made.local, push=0.1)
    with fixed_threads(1):
        seconds, states = {}, {}
        for chunk in (clients, 1):
            times = []
            for _ in range(repeats):
                start = time.process_time()
                found = run(algorithm, federation, rounds=rounds, chunk=chunk, evaluate_every=0, on_failure="raise")
                times.append(time.process_time() - start)
            seconds[chunk], states[chunk] = min(times) / rounds, found.state.tensors
    far = max(float((states[clients][name] - value).abs().max()) for name, value in states[1].items())
    return {
        "clients": clients,
        "stacked_seconds": seconds[clients],
        "single_seconds": seconds[1],
        "time_ratio": seconds[1] / seconds[clients],
        "difference": far,
    }


def rows(found: dict) -> list[dict]:
    """The row on whole-cohort training of Flow."""
    return [
        peer(
            f"Flow, a round of {found['clients']} clients, MLP 20-64-5, three phases of five epochs",
            "clients stacked",
            "the same algorithm one client at a time",
            f"weights within {found['difference']:.0e}",
            f"{found['time_ratio']:.1f} times faster",
            "3 times",
            found["time_ratio"] >= 3,
        )
    ]
