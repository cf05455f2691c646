"""What students cost where they run: random students measured, and the surrogate that is fitted to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import torch

from lib.compression.edge import static_costs
from lib.compression.layers import Architecture, free, student
from lib.compression.networks import Network, build
from lib.compression.predictors import predictors
from lib.compression.surrogate import LatencyFit, Surrogate, fit_latency, random_decisions
from lib.profiling.interleaved import block_ratios, interleaved
from lib.profiling.onnx_file import export_onnx, onnx_session

RUNTIMES = ("eager", "onnx")
COLUMNS = ("kept", "parameters", "flops", "activation_bytes")
Progress = Callable[[Iterable[Any], str], Iterable[Any]]


def student_costs(
    teacher: Architecture,
    *,
    students: int = 40,
    runtime: str = "onnx",
    batch: int = 1,
    blocks: int = 9,
    repeats: int = 10,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Measure random untrained students beside the teacher, in turns, on one thread; latency needs no training.

    Args:
        teacher: The architecture that students are drawn from; each has its own chance of keeping a layer.
        students: How many.
        runtime: "eager" (torch) or "onnx" (exported, graph optimized, ONNX Runtime).
        batch: Images a call.
        blocks: Turns of the measurement.
        repeats: Timed calls of each student a turn.
        seed: Of students, weights and order.
        progress: Wraps the building of students.

    Returns:
        One row a student: student, runtime, batch, kept (share of free layers), parameters, flops and activation_bytes
        of one image, time_ratio (to the teacher); and the decisions ``(students, places)``.
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"runtime is {runtime!r}: choose one of {', '.join(RUNTIMES)}")
    rng = np.random.default_rng(seed)
    keep = random_decisions(teacher, students, rng)
    shape = (teacher.channels, teacher.pixels, teacher.pixels)
    example = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(seed))
    architectures = [teacher, *(student(teacher, row) for row in keep)]
    nets = [build(one, seed=seed).eval() for one in architectures]
    items = nets if progress is None else progress(nets, "students")
    calls = {str(place): _call(net, example, runtime) for place, net in enumerate(items)}
    seconds = interleaved(calls, blocks=blocks, repeats=repeats, seed=seed)
    ratios = block_ratios(seconds, "0")
    rows = []
    for place, net in enumerate(nets[1:], start=1):
        costs = static_costs(net, example[:1])
        facts = {"student": place - 1, "runtime": runtime, "batch": batch}
        facts |= {"kept": float(keep[place - 1][free(teacher)].mean())}
        facts |= {name: costs[name] for name in COLUMNS[1:]}
        rows.append(facts | {"time_ratio": float(np.median(ratios[str(place)]))})
    return pd.DataFrame(rows), keep


def costs_of_students(
    teacher: Architecture, *, eager: int = 40, exported: int = 14, seed: int = 0, progress: Progress | None = None
) -> pd.DataFrame:
    """Return `student_costs` of `eager` students in torch (64 images) and of `exported` ones in ONNX Runtime (one)."""
    settings = (("eager", 64, eager), ("onnx", 1, exported))
    parts = [
        student_costs(teacher, students=students, runtime=runtime, batch=batch, seed=seed, progress=progress)[0]
        for runtime, batch, students in settings
    ]
    return pd.concat(parts, ignore_index=True)


def latency_predictors(table: pd.DataFrame, *, draws: int = 2000) -> pd.DataFrame:
    """Return `lib.compression.predictors.predictors` for each runtime and batch size in tables of `student_costs`.

    The rival of every predictor is the number of parameters.
    """
    parts = []
    for (runtime, batch), rows in table.groupby(["runtime", "batch"], sort=False):
        found = predictors(rows, columns=COLUMNS, draws=draws, rival="parameters")
        parts.append(found.assign(runtime=runtime, batch=batch))
    return pd.concat(parts, ignore_index=True)


def measured_surrogate(
    teacher: Architecture, *, students: int = 70, batch: int = 64, seed: int = 0, **options: float
) -> tuple[Surrogate, LatencyFit]:
    """Return a surrogate whose latency is fitted to `students` measured ones (torch, one thread), and the fit.

    `options` are the surrogate's assumed accuracies: top, low, power, noise.
    """
    table, keep = student_costs(teacher, students=students, runtime="eager", batch=batch, repeats=3, seed=seed)
    fit = fit_latency(teacher, keep, table["time_ratio"].to_numpy())
    return Surrogate(teacher, fit.seconds, fit.base, **options), fit


def _call(net: Network, example: torch.Tensor, runtime: str) -> Callable[[], Any]:
    if runtime == "onnx":
        session = onnx_session(export_onnx(net, example))
        feed = {session.get_inputs()[0].name: example.numpy()}
        return lambda: session.run(None, feed)

    def call() -> torch.Tensor:
        with torch.no_grad():
            return net(example)

    return call
