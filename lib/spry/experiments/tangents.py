"""K directional derivatives at once or one by one: time and memory, beside one step of backpropagation."""

from collections.abc import Callable, Sequence

import pandas as pd

from lib.profiling import processor_seconds
from lib.spry.memory_model import Shape

WAYS = ("one by one", "at once", "backprop")
BERT = Shape(family="bert", layers=4, hidden=128, heads=4, inner=512, positions=64)


def tangents(
    *,
    perturbations: Sequence[int] = (1, 4, 8),
    shape: Shape = BERT,
    batch: int = 8,
    length: int = 64,
    repeats: int = 3,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure one gradient of a small transformer with LoRA (float32, one thread, no dropout, no optimizer step).

    Every time is the median of `repeats` (`median_times`), all ways in turn, so that a change of the machine's load
    meets all alike.

    Returns:
        One row a way and K: way ("one by one" and "at once" for forward gradients, "backprop" with K = 1 and PyTorch's
        own layers), perturbations, seconds, forwards (over the time of a forward pass of PyTorch's layers), peak_mib
        (of tensors beyond weights and inputs).
    """
    import torch
    from torch.func import functional_call

    from lib.profiling import fixed_threads, peak_memory
    from lib.spry.forward_gradient import forward_gradient
    from lib.spry.shaped_model import build
    from lib.spry.text_model import trainable

    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, shape.vocabulary, (batch, length), generator=generator)
    x, y = torch.stack([ids, torch.ones_like(ids)], dim=1), torch.zeros(batch, dtype=torch.long)
    net, stock = build(shape, skip_frozen=True, seed=seed), build(shape, seed=seed)
    values = trainable(net)

    def loss(params):
        return torch.nn.functional.cross_entropy(functional_call(net, params, (x,)), y)

    def forward(k: int, at_once: bool) -> Callable[[], object]:
        drawn = {name: torch.randn(k, *value.shape, generator=generator) for name, value in values.items()}
        return lambda: forward_gradient(loss, values, drawn, at_once=at_once)

    def backprop():
        trained = [p for p in stock.parameters() if p.requires_grad]
        return torch.autograd.grad(torch.nn.functional.cross_entropy(stock(x), y), trained)

    steps = {("one by one", k): forward(k, False) for k in perturbations}
    steps |= {("at once", k): forward(k, True) for k in perturbations} | {("backprop", 1): backprop}
    with fixed_threads(1):
        seconds = median_times([lambda: _forward(stock, x), *steps.values()], repeats)
        peaks = []
        for step in steps.values():
            with peak_memory("cpu", modules=(net, stock), inputs=(x, y)) as found:
                step()
            peaks.append(found.result.extra_bytes / 2**20)
    rows = [
        [way, k, time, time / seconds[0], peak] for (way, k), time, peak in zip(steps, seconds[1:], peaks, strict=True)
    ]
    return pd.DataFrame(rows, columns=["way", "perturbations", "seconds", "forwards", "peak_mib"])


def _forward(net, x) -> None:
    import torch

    with torch.no_grad():
        net(x)


def median_times(steps: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Return the median seconds of each of `steps`, run in turn; one more turn, the first, does not count.

    It is processor time: on one thread that is the time that a step takes without what else the machine does meanwhile.
    """
    import statistics

    taken: list[list[float]] = [[] for _ in steps]
    for turn in range(repeats + 1):
        for step, times in zip(steps, taken, strict=True):
            seconds, _ = processor_seconds(step)
            if turn:
                times.append(seconds)
    return [statistics.median(times) for times in taken]
