"""Peak memory by depth: what grows with the number of layers, and what does not."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pandas as pd

from lib.spry.memory_model import METHODS, PAPER_SHAPES, Shape, predicted

Progress = Callable[[Iterable, str], Iterable]
BERT = Shape(family="bert", layers=2, hidden=128, heads=4, inner=512, positions=128)
TRANSIENT = "activations_and_transients"


def memory_by_depth(
    *,
    layers: Sequence[int] = (2, 4, 8, 12, 24),
    methods: Sequence[str] = METHODS,
    shape: Shape = BERT,
    batch: int = 4,
    length: int = 32,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Measure and predict one finetuning step of a small transformer on the CPU, float32, LoRA of rank 1.

    Returns:
        The rows of `lib.spry.memory.measure`: method, layers, category, measured, predicted (bytes at the peak). The
        tracker counts allocations, so the numbers are the same in every run.
    """
    from lib.spry.memory import measure

    cells = [(depth, method) for depth in layers for method in methods]
    cells = progress(cells, "memory") if progress else cells
    tables = [measure(replace(shape, layers=n), m, batch=batch, length=length, seed=seed) for n, m in cells]
    return pd.concat(tables, ignore_index=True)


def paper_predictions(*, batch: int = 8, length: int = 64, rank: int = 1, weights: str = "full") -> pd.DataFrame:
    """Return the model's predictions at the paper's shapes, bfloat16, with full or ``"4bit"`` frozen weights.

    Batch and length behind the paper's bars are not known; these are the released scripts' defaults. Returns one row
    a shape, method and category: shape, method, category, predicted (bytes).
    """
    bits = 4.25 if weights == "4bit" else None
    plan = {"batch": batch, "length": length, "rank": rank, "bytes_per_number": 2, "bits_per_weight": bits}
    rows = [
        [name, method, category, count]
        for name, shape in PAPER_SHAPES.items()
        for method in METHODS
        for category, count in predicted(shape, method, **plan).items()
    ]
    return pd.DataFrame(rows, columns=["shape", "method", "category", "predicted"])
