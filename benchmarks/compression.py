"""Compression: trainings that the cache saves, students trained side by side, the surrogate, repeatable latency."""

import json
import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.agreement import require
from benchmarks.lines import peer, target
from lib.compression import layers, networks
from lib.compression.dynamics import policy_dynamics
from lib.compression.edge import edge_profile, repeatability
from lib.compression.experiments.methods import STUDENT, cache_savings, digits_teacher, searches
from lib.compression.reward import ddc
from lib.compression.stacked import train_students
from lib.compression.students import Teacher
from lib.compression.surrogate import Surrogate, random_decisions
from lib.profiling import fixed_threads

SEEDS = 8


def measure(*, widths=(4, 8, 16), iterations=24, rollouts=5, repeats=3, seeds=SEEDS, blocks=101) -> dict:
    """Return what the rows need, on one thread; times are processor time, latencies wall time.

    Keys: ``savings`` (students drawn for one training), ``batched_ratio`` (one by one over side by side, best of
    `repeats`, evaluation left out) with ``difference`` (of the weights), ``surrogate_seconds`` of `seeds` searches of
    100 iterations at once, ``latency_first``, ``latency_second`` and ``latency_change`` (of the ratio smallest network
    to teacher, ONNX Runtime, batch 1).
    """
    with fixed_threads(1):
        teacher = digits_teacher(widths=widths)
        found = searches([teacher], methods=("DDC",), iterations=iterations, rollouts=rollouts)
        savings = cache_savings(found.history)
        return {
            "drawn": int(savings["drawn"].iloc[0]),
            "trained": int(savings["trained"].iloc[0]),
            "savings": float(savings["savings"].iloc[0]),
            "rollouts": rollouts,
            **_side_by_side(teacher, rollouts, repeats),
            "seeds": seeds,
            "surrogate_seconds": _surrogate_seconds(teacher.architecture, seeds, repeats),
            **_latency(teacher, blocks),
        }


def rows(found: dict) -> list[dict]:
    """Rows on searching, training and timing students."""
    return [
        target(
            f"Search on digits, {found['drawn']} students drawn, with the cache of architectures",
            "cache",
            f"{found['savings']:.2f} times fewer trainings ({found['trained']})",
            "1.3 times",
            found["savings"] >= 1.3,
        ),
        peer(
            f"{found['rollouts']} students of one iteration, three epochs of distillation on digits",
            "trained side by side",
            "the same students one by one",
            f"weights within {found['difference']:.0e}",
            f"{found['batched_ratio']:.1f} times faster",
            "1.5 times",
            found["batched_ratio"] >= 1.5,
        ),
        target(
            f"Search on the surrogate, 100 iterations, {found['seeds']} seeds at once",
            "stacked policies",
            f"{found['surrogate_seconds'] / found['seeds']:.2f} s a seed, {found['surrogate_seconds']:.1f} s in all",
            "1 s a seed",
            found["surrogate_seconds"] / found["seeds"] <= 1,
        ),
        target(
            "Latency of the smallest network over the teacher's, ONNX Runtime, batch 1, two runs of the table",
            "files timed in turns",
            f"{found['latency_first']:.3f} and {found['latency_second']:.3f}, {found['latency_change']:.1%} apart",
            "at most 10 %",
            found["latency_change"] <= 0.1,
        ),
    ]


def _side_by_side(teacher: Teacher, rollouts: int, repeats: int) -> dict:
    keeps = random_decisions(teacher.architecture, rollouts, np.random.default_rng(0))
    seeds, nets, seconds = list(range(rollouts)), {}, {}

    def train(batched: bool) -> None:
        nets[batched] = train_students(
            teacher.architecture, keeps, teacher.images, STUDENT, seeds=seeds, batched=batched
        )

    for batched in (True, False):
        seconds[batched] = _best(lambda batched=batched: train(batched), repeats)
    far = max(
        float((one - other).detach().abs().max())
        for left, right in zip(nets[True], nets[False], strict=True)
        for one, other in zip(left.parameters(), right.parameters(), strict=True)
    )
    require("weights of students trained side by side and one by one", far, high=0.05)
    return {"difference": far, "batched_ratio": seconds[False] / seconds[True]}


def _surrogate_seconds(teacher: layers.Architecture, seeds: int, repeats: int) -> float:
    deciding = layers.free(teacher)
    surrogate = Surrogate(teacher, np.where(deciding, 0.75 / deciding.sum(), 0.0), 0.25)
    return _best(lambda: policy_dynamics(surrogate, ddc, iterations=100, seeds=seeds), repeats)


def _latency(teacher: Teacher, blocks: int) -> dict:
    smallest = networks.build(layers.minimal(teacher.architecture))
    models, example = {"teacher": teacher.net, "smallest": smallest}, teacher.images.test_x[:1]
    tables = [edge_profile(models, example, reference="teacher", blocks=blocks, seed=seed) for seed in (0, 1)]
    compared = repeatability(*tables).set_index(["model", "precision"]).loc[("smallest", "float32")]
    return {f"latency_{name}": float(compared[name]) for name in ("first", "second", "change")}


def _best(call: Callable[[], object], repeats: int) -> float:
    """Return the least seconds of processor time of `repeats` calls, after one that does not count."""
    call()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(measure(), indent=2))
