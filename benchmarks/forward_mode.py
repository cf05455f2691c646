"""Forward mode on a 16-layer LoRA transformer: our layers against PyTorch's own, K tangents at once, a step, memory."""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from benchmarks.agreement import require
from benchmarks.lines import peer, target
from lib.profiling import fixed_threads
from lib.spry.experiments.memory import BERT, memory_by_depth
from lib.spry.memory_model import TRANSIENT


def measure(*, layers: int = 16, batch: int = 8, length: int = 64, k: int = 8, repeats: int = 7) -> dict:
    """Return ratios of times in one run (medians of turns, one thread) and of bytes.

    `jvp_forwards` and `stock_forwards`: a directional derivative with our layers and with PyTorch's over a forward
    pass; `step_ratio`: a step of forward-gradient finetuning (K = 1, AdamW) over one of backpropagation with
    PyTorch's layers; `at_once_ratio`: `k` derivatives in one pass over one by one; `memory_growth` and `memory_ratio`:
    transients of forward mode at 24 over 2 layers, and those of backpropagation over them at 24. Raises AssertionError,
    before anything is timed, if a derivative of ours is not PyTorch's within 1e-4.
    """
    with fixed_threads(1):
        found, worst = _times(layers, batch, length, k, repeats)
    depth = memory_by_depth(layers=(2, 24), methods=("backprop", "forward mode"))
    bytes_at = depth[depth["category"] == TRANSIENT].set_index(["method", "layers"])["measured"]
    return {
        "layers": layers,
        "k": k,
        "difference": worst,
        "jvp_forwards": found["jvp"] / found["forward"],
        "stock_forwards": found["stock jvp"] / found["forward"],
        "step_ratio": found["forward step"] / found["backprop step"],
        "at_once_ratio": found["at once"] / found["one by one"],
        "memory_growth": bytes_at["forward mode", 24] / bytes_at["forward mode", 2],
        "memory_ratio": bytes_at["backprop", 24] / bytes_at["forward mode", 24],
    }


def rows(found: dict) -> list[dict]:
    """Rows on forward mode with frozen weights."""
    net, same = f"BERT of {found['layers']} layers with LoRA", f"derivatives within {found['difference']:.0e}"
    jvp, stock, step = found["jvp_forwards"], found["stock_forwards"], found["step_ratio"]
    k, together = found["k"], found["at_once_ratio"]
    growth, saving = found["memory_growth"], found["memory_ratio"]
    return [
        peer(
            f"{net}: a directional derivative, in forward passes",
            "layers that skip absent tangents",
            "PyTorch's own layers",
            same,
            f"{jvp:.1f}, PyTorch's {stock:.1f}",
            "at most 2.6",
            jvp <= 2.6,
        ),
        peer(
            f"{net}: a step of forward-gradient finetuning, K=1, AdamW",
            "forward mode",
            "backpropagation with PyTorch's own layers",
            same,
            f"{step:.2f} times its time",
            "at most 1.5 times",
            step <= 1.5,
        ),
        peer(
            f"{net}: {k} directional derivatives",
            "at once (vmap)",
            "one by one",
            "the same function",
            f"{together:.2f} times the time",
            "not slower",
            together <= 1,
        ),
        target(
            "Transient memory of forward mode, 24 over 2 layers, and of backpropagation over it at 24",
            "forward mode",
            f"{growth:.2f} times, {saving:.1f} times",
            "at most 1.10 and at least 7 times",
            growth <= 1.1 and saving >= 7,
        ),
    ]


def _times(layers: int, batch: int, length: int, k: int, repeats: int) -> tuple[dict[str, float], float]:
    import torch

    from lib.spry.forward_gradient import forward_gradient
    from lib.spry.memory import step_function
    from lib.spry.shaped_model import build
    from lib.spry.text_model import trainable

    shape = replace(BERT, layers=layers)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, shape.vocabulary, (batch, length), generator=generator)
    x, y = torch.stack([ids, torch.ones_like(ids)], dim=1), torch.zeros(batch, dtype=torch.long)
    ours, stock = build(shape, skip_frozen=True), build(shape)
    values = trainable(ours)
    one, many = (
        {name: torch.randn(n, *value.shape, generator=generator) for name, value in values.items()} for n in (1, k)
    )

    def loss(net: Any) -> Callable:
        return lambda p: torch.nn.functional.cross_entropy(torch.func.functional_call(net, p, (x,)), y)

    first, second = (forward_gradient(loss(net), values, one).jvps for net in (ours, stock))
    worst = require("relative difference of a derivative", float((first - second).abs() / second.abs()), high=1e-4)

    def forward() -> None:
        with torch.no_grad():
            loss(stock)({})

    steps = {
        "forward": forward,
        "jvp": lambda: forward_gradient(loss(ours), values, one),
        "stock jvp": lambda: forward_gradient(loss(stock), values, one),
        "one by one": lambda: forward_gradient(loss(ours), values, many),
        "at once": lambda: forward_gradient(loss(ours), values, many, at_once=True),
        "forward step": step_function(build(shape, skip_frozen=True), "forward mode", x, y)[0],
        "backprop step": step_function(build(shape), "backprop", x, y)[0],
    }
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(repeats + 1):  # in turn, so that a change of load meets all alike; the first does not count
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if turn:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}, worst


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
