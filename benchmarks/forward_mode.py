"""Forward mode on a 16-layer LoRA transformer: our layers against PyTorch's own, K tangents at once, a step, memory."""

import json

from benchmarks.agreement import require
from benchmarks.lines import peer, target
from lib.spry.experiments.derivative import derivative_times
from lib.spry.experiments.memory import memory_by_depth
from lib.spry.memory_model import TRANSIENT


def measure(*, layers: int = 16, batch: int = 8, length: int = 64, k: int = 8, repeats: int = 7) -> dict:
    """Return ratios of times in one run (medians of turns, one thread) and of bytes.

    `jvp_forwards` and `stock_forwards`: a directional derivative with our layers and with PyTorch's over a forward
    pass; `step_ratio`: a step of forward-gradient finetuning (K = 1, AdamW) over one of backpropagation with
    PyTorch's layers; `at_once_ratio`: `k` derivatives in one pass over one by one; `memory_growth` and `memory_ratio`:
    transients of forward mode at 24 over 2 layers, and those of backpropagation over them at 24. Raises AssertionError
    if a derivative of ours is not PyTorch's within 1e-4.
    """
    found, worst = derivative_times(layers=layers, batch=batch, length=length, k=k, repeats=repeats)
    require("relative difference of a derivative", worst, high=1e-4)
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


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
