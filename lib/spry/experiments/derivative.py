"""What a directional derivative and a step of finetuning with it take, beside PyTorch's layers and backpropagation."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from lib.spry.experiments.memory import BERT
from lib.spry.experiments.tangents import median_times

# Ratio of the times of two pieces of work: what it is of, over what, and the aim where there is one.
RATIOS = (
    ("jvp", "forward", "a derivative, layers that skip absent tangents", "a forward pass", 2.6),
    ("stock jvp", "forward", "a derivative, PyTorch's own layers", "a forward pass", None),
    ("forward step", "backprop step", "a step of forward-gradient finetuning", "one of backpropagation", 1.5),
)


def derivative_costs(*, layers: int = 16, batch: int = 8, length: int = 64, repeats: int = 5) -> pd.DataFrame:
    """Compare the times of a transformer with LoRA (float32, one thread, K = 1, AdamW) in one run, all in turn.

    Returns:
        One row a comparison: what, over (what else), seconds and other_seconds (medians of `repeats`), ratio, aim (the
        largest ratio aimed at, NaN for none), difference (relative, of our layers' derivative from PyTorch's).
    """
    times, difference = derivative_times(layers=layers, batch=batch, length=length, k=0, repeats=repeats)
    rows = [
        [what, over, times[one], times[other], times[one] / times[other], float("nan") if aim is None else aim]
        for one, other, what, over, aim in RATIOS
    ]
    columns = ["what", "over", "seconds", "other_seconds", "ratio", "aim"]
    return pd.DataFrame(rows, columns=columns).assign(difference=difference, layers=layers)


def derivative_times(*, layers: int, batch: int, length: int, k: int, repeats: int) -> tuple[dict[str, float], float]:
    """Return median seconds by piece of work, and how far our layers' derivative is from PyTorch's, relatively.

    The pieces are "forward", "jvp", "stock jvp", "forward step", "backprop step" and, where `k` is positive, "one by
    one" and "at once": so many derivatives.
    """
    import torch

    from lib.profiling import fixed_threads
    from lib.spry.forward_gradient import forward_gradient
    from lib.spry.memory import step_function
    from lib.spry.shaped_model import build
    from lib.spry.text_model import trainable

    shape, generator = replace(BERT, layers=layers), torch.Generator().manual_seed(0)
    ids = torch.randint(1, shape.vocabulary, (batch, length), generator=generator)
    x, y = torch.stack([ids, torch.ones_like(ids)], dim=1), torch.zeros(batch, dtype=torch.long)
    ours, stock = build(shape, skip_frozen=True), build(shape)
    values = trainable(ours)

    def drawn(count: int) -> dict[str, torch.Tensor]:
        return {name: torch.randn(count, *value.shape, generator=generator) for name, value in values.items()}

    def loss(net: Any) -> Callable:
        return lambda p: torch.nn.functional.cross_entropy(torch.func.functional_call(net, p, (x,)), y)

    def forward() -> None:
        with torch.no_grad():
            loss(stock)({})

    one, many = drawn(1), drawn(k) if k else {}
    steps = {
        "forward": forward,
        "jvp": lambda: forward_gradient(loss(ours), values, one),
        "stock jvp": lambda: forward_gradient(loss(stock), values, one),
        "forward step": step_function(build(shape, skip_frozen=True), "forward mode", x, y)[0],
        "backprop step": step_function(build(shape), "backprop", x, y)[0],
    }
    if k:
        steps["one by one"] = lambda: forward_gradient(loss(ours), values, many)
        steps["at once"] = lambda: forward_gradient(loss(ours), values, many, at_once=True)
    with fixed_threads(1):
        first, second = (forward_gradient(loss(net), values, one).jvps for net in (ours, stock))
        taken = median_times(list(steps.values()), repeats)
    return dict(zip(steps, taken, strict=True)), float((first - second).abs() / second.abs())
