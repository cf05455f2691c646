"""Peak memory of one finetuning step: backprop, checkpointed backprop, forward mode, zero-order.

``python -m lib.spry.memory`` writes a table; with ``--device cuda`` at the paper's shapes, with random weights, since
memory does not depend on their values. Needs torch, transformers and peft; four-bit weights are `lib.spry.four_bit`'s.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from torch import nn
from torch.func import functional_call

from lib.profiling import peak_memory
from lib.spry.forward_gradient import forward_gradient
from lib.spry.memory_model import METHODS, PAPER_SHAPES, STOCK, Shape, predicted
from lib.spry.shaped_model import Weights, build
from lib.spry.text_model import TextModel, trainable

SMALL = Shape(family="bert", layers=4, hidden=128, heads=4, inner=512)


def step_function(
    net: TextModel, method: str, x: torch.Tensor, y: torch.Tensor, *, seed: int = 0
) -> tuple[Callable[[], None], torch.optim.Optimizer | None]:
    """Return one finetuning step of `net` by `method`, and its optimizer (AdamW; none for the zero-order method)."""
    values = trainable(net)
    params = [p for p in net.parameters() if p.requires_grad]
    if method == "zero-order":
        return lambda: _zero_order_step(net, params, x, y, seed), None
    optimizer = torch.optim.AdamW(params, lr=1e-4)

    def backward() -> None:
        nn.functional.cross_entropy(net(x).float(), y).backward()
        optimizer.step()
        optimizer.zero_grad()

    def forward() -> None:
        generator = torch.Generator(x.device).manual_seed(seed)
        options = {"generator": generator, "device": x.device}
        v = {name: torch.randn(1, *value.shape, dtype=value.dtype, **options) for name, value in values.items()}
        found = forward_gradient(
            lambda p: nn.functional.cross_entropy(functional_call(net, p, (x,)).float(), y), values, v, backend="dual"
        )
        for parameter, gradient in zip(params, found.gradient.values(), strict=True):
            parameter.grad = gradient
        optimizer.step()
        optimizer.zero_grad()

    if method == "checkpointed backprop":
        # The name changed in transformers 5.
        enable = getattr(net.net, "activation_checkpointing_enable", None) or net.net.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    return (forward if method == "forward mode" else backward), optimizer


@torch.no_grad()
def _zero_order_step(
    net: nn.Module, params: list[nn.Parameter], x: torch.Tensor, y: torch.Tensor, seed: int, step: float = 1e-3
) -> None:
    """Take MeZO's step (arXiv 2305.17333): two passes, the direction drawn again from its seed at every use."""

    def move(scale: float) -> None:
        generator = torch.Generator(x.device).manual_seed(seed)
        for p in params:
            p.add_(torch.randn(p.shape, generator=generator, device=p.device, dtype=p.dtype), alpha=scale)

    move(step)
    above = nn.functional.cross_entropy(net(x).float(), y)
    move(-2 * step)
    below = nn.functional.cross_entropy(net(x).float(), y)
    move(step)
    move(-1e-6 * float(above - below) / (2 * step))


def measure(
    shape: Shape,
    method: str,
    *,
    batch: int = 4,
    length: int = 32,
    rank: int = 1,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    weights: Weights = "full",
    seed: int = 0,
    repeats: int = 0,
) -> pd.DataFrame:
    """Measure one step, after one that does not count, and predict its memory.

    Args:
        shape: of the network.
        method: one of `METHODS`, or `STOCK`, for which nothing is predicted.
        batch: sequences in the minibatch.
        length: tokens in a sequence.
        rank: LoRA's r.
        device: where everything is.
        dtype: of the weights and of what flows through the network.
        weights: as for `build`.
        seed: of weights, tokens and directions.
        repeats: how often the step and a plain forward pass are timed; 0 leaves the two columns out.

    Returns:
        One row a category: method, layers, category, measured and predicted (bytes at the peak of the whole); with
        `repeats` also seconds (of a step) and forward_seconds (of a pass of the same network), medians.
    """
    net = build(
        shape, rank=rank, device=device, dtype=dtype, weights=weights, skip_frozen=method == "forward mode", seed=seed
    )
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, shape.vocabulary, (batch, length), generator=generator)
    x = torch.stack([ids, torch.ones_like(ids)], dim=1).to(device)
    y = torch.randint(shape.classes, (batch,), generator=generator).to(device)
    step, optimizer = step_function(net, "forward mode" if method == STOCK else method, x, y, seed=seed)
    step()
    with peak_memory(device, modules=net, optimizer=optimizer, inputs=(x, y)) as found:
        step()
    numbers = (
        {}
        if method == STOCK
        else predicted(
            shape,
            method,
            batch=batch,
            length=length,
            rank=rank,
            bytes_per_number=dtype.itemsize,
            bits_per_weight=None if weights == "full" else 4 + 8 * dtype.itemsize / 64,
            kept=weights == "4bit kept",
        )
    )
    rows = [
        [method, shape.layers, name, count, numbers.get(name, 0.0 if numbers else float("nan"))]
        for name, count in found.result.by_category.items()
    ]
    table = pd.DataFrame(rows, columns=["method", "layers", "category", "measured", "predicted"])
    if repeats:
        with torch.no_grad():
            forward = _median_seconds(lambda: net(x), device, repeats)
        table = table.assign(seconds=_median_seconds(step, device, repeats), forward_seconds=forward)
    return table


def _median_seconds(work: Callable[[], object], device: str, repeats: int) -> float:
    """Return the median time of `work` over `repeats`, with nothing of a GPU's queue left out or left over."""
    times = []
    for _ in range(repeats + 1):  # the first warms up
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def main(arguments: list[str] | None = None) -> None:
    """Measure the methods at some shapes, the smallest first, and write (or print) the table."""
    parser = argparse.ArgumentParser(prog="python -m lib.spry.memory", description=main.__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--shapes", nargs="+", default=None, help=f"small, or {', '.join(PAPER_SHAPES)}")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--weights", nargs="+", default=["full"], choices=["full", "4bit", "4bit kept"])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, nargs="+", default=[64], help="tokens; several are measured in turn")
    parser.add_argument("--rank", type=int, default=1)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default=None, help="bfloat16 on a GPU")
    parser.add_argument("--repeats", type=int, default=5, help="how often a step is timed")
    parser.add_argument("--limit", type=float, default=60, help="seconds a case may take")
    parser.add_argument("--budget", type=float, default=3600, help="seconds after which no further case is begun")
    parser.add_argument("--out", type=Path, default=None, help="a csv file, written again after every case")
    options = parser.parse_args(arguments)
    known = {"small": SMALL} | PAPER_SHAPES
    cuda = options.device.startswith("cuda")
    names = options.shapes or (list(PAPER_SHAPES) if cuda else ["small"])
    if unknown := [name for name in names if name not in known]:
        parser.error(f"unknown shape {unknown[0]!r}: choose from {', '.join(known)}")
    if cuda and not torch.cuda.is_available():
        parser.error("torch sees no CUDA device: use --device cpu")
    from lib.spry.memory_cases import cases, run_cases

    table = run_cases(
        cases({name: known[name] for name in names}, options.weights, options.length, options.methods),
        batch=options.batch,
        rank=options.rank,
        device=options.device,
        dtype=getattr(torch, options.dtype or ("bfloat16" if cuda else "float32")),
        repeats=options.repeats,
        limit=options.limit,
        budget=options.budget,
        out=options.out,
    )
    if options.out is None:
        print(table.to_string())


if __name__ == "__main__":
    main()
