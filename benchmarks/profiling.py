"""`lib.profiling` against torch's own allocator log: agreement in bytes, and what measuring costs in time."""

import json
import time
from collections.abc import Callable

import numpy as np

from benchmarks.agreement import require
from benchmarks.lines import peer, target
from lib.profiling import count_flops, fixed_threads, peak_memory

MODES = ("forward", "backprop", "jvp")


def measure(*, widths=(64, 256, 1024), depth=4, batch=64, repeats=5) -> dict:
    """Return one row a mode and width: peak bytes relative to the allocator's, times relative to the bare step.

    `time_ratio` is the step under `peak_memory` over the bare step, `profiler_time_ratio` the same for torch's
    profiler with ``profile_memory=True``, the peer; `flops_ratio` is the counted operations over the closed form.
    Raises AssertionError, before anything is timed, if the bytes differ by more than 1 %.
    """
    with fixed_threads(1):
        rows = [_row(mode, width, depth, batch, repeats) for width in widths for mode in MODES]
    return {
        "rows": rows,
        "worst_bytes_ratio": max((row["bytes_ratio"] for row in rows), key=lambda ratio: abs(ratio - 1)),
        "largest_model_time_ratio": max(row["time_ratio"] for row in rows if row["width"] == max(widths)),
        "largest_model_profiler_ratio": max(row["profiler_time_ratio"] for row in rows if row["width"] == max(widths)),
    }


def rows(found: dict) -> list[dict]:
    """Rows on measuring memory and operations."""
    exact, slow, log = (
        found[f"{name}_ratio"] for name in ("worst_bytes", "largest_model_time", "largest_model_profiler")
    )
    flops = max((row["flops_ratio"] for row in found["rows"]), key=lambda ratio: abs(ratio - 1))
    setting = "forward, backprop and forward mode"
    return [
        peer(
            f"Peak memory, cost of measuring, {setting}, largest width, worst case",
            "tracked storages",
            "torch's profiler, log of every block",
            f"{exact:.3f} of its bytes, three widths, worst case (0.99 to 1.01)",
            f"{slow:.2f} times the bare step, the profiler {log:.2f} times",
            "at most 2 times the bare step",
            slow <= 2,
        ),
        target(
            f"Operations counted over the closed form, {setting}, three widths, worst case",
            "count_flops",
            f"{flops:.3f}",
            "1.000",
            abs(flops - 1) < 5e-4,
        ),
    ]


def _row(mode: str, width: int, depth: int, batch: int, repeats: int) -> dict:
    net, x, step = _step(mode, width, depth, batch)
    step()

    def tracked():
        with peak_memory(modules=net, inputs=x) as m:
            step()
        return m.extra_bytes

    ours = tracked()
    exact = require(
        f"peak bytes over the allocator's, {mode}, {width}", ours / _allocator_peak(step), low=0.99, high=1.01
    )
    bare = _best(step, repeats)
    # Forward: one product a layer. Backprop: two more, less the first layer's with respect to the input.
    # Forward mode: value, and two partial tangents (torch multiplies the input's zero tangent as well).
    products = {"forward": depth, "backprop": 3 * depth - 1, "jvp": 3 * depth}[mode]
    return {
        "mode": mode,
        "width": width,
        "extra_bytes": ours,
        "bytes_ratio": exact,
        "time_ratio": _best(tracked, repeats) / bare,
        "profiler_time_ratio": _best(lambda: _allocator_peak(step), repeats) / bare,
        "flops_ratio": count_flops(step).total / (products * 2 * batch * width**2),
        "seconds": bare,
    }


def _step(mode: str, width: int, depth: int, batch: int) -> tuple:
    import torch

    layers = [module for _ in range(depth) for module in (torch.nn.Linear(width, width), torch.nn.Tanh())]
    net, x = torch.nn.Sequential(*layers), torch.ones(batch, width)
    frozen = {name: value.detach() for name, value in net.named_parameters()}
    tangents = {name: torch.ones_like(value) for name, value in frozen.items()}

    def call(parameters):
        return torch.func.functional_call(net, parameters, (x,)).square().sum()

    def step():
        if mode == "backprop":
            return torch.autograd.grad(net(x).square().sum(), list(net.parameters()))
        with torch.no_grad():
            return call(frozen) if mode == "forward" else torch.func.jvp(call, (frozen,), (tangents,))

    return net, x, step


def _allocator_peak(step: Callable) -> int:
    """Return the peak of the allocator's running balance during `step`, from the profiler's log of every block."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as log:
        step()
    blocks = [event for event in log.profiler.kineto_results.events() if event.name() == "[memory]"]
    sizes = [block.nbytes() for block in sorted(blocks, key=lambda block: block.start_ns())]
    return int(np.cumsum(sizes).max())


def _best(function: Callable, repeats: int) -> float:
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
