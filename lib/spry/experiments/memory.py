"""Peak memory by depth: what grows with the number of layers, and what does not."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pandas as pd

from lib.spry.memory_model import METHODS, PAPER_SHAPES, STOCK, Shape, predicted

Progress = Callable[[Iterable, str], Iterable]
BERT = Shape(family="bert", layers=2, hidden=128, heads=4, inner=512, positions=128)


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

    At the ends also `STOCK`, forward mode on PyTorch's own layers, for which there is no prediction.

    Returns:
        The rows of `lib.spry.memory.measure`: method, layers, category, measured, predicted (bytes at the peak). The
        tracker counts allocations, so the numbers are the same in every run.
    """
    from lib.spry.memory import measure

    cells = [(depth, method) for depth in layers for method in methods]
    cells += [(depth, STOCK) for depth in dict.fromkeys((min(layers), max(layers)))]
    cells = progress(cells, "memory") if progress else cells
    tables = [measure(replace(shape, layers=n), m, batch=batch, length=length, seed=seed) for n, m in cells]
    return pd.concat(tables, ignore_index=True)


KEPT = "backprop, weights kept"
WEIGHTS = {"4bit": "4 bits", "4bit kept": "4 bits, kept", "full": "bfloat16"}  # as they are read
NOT_RUN = "not begun in time"  # status of a case for which the time lent did not suffice


def cards(table: pd.DataFrame, *, shapes: bool = True) -> str:
    """Return which card measured what in a table of `python -m lib.spry.memory`: its names, with the `shapes` or not.

    Cases without a measurement count nowhere. A name is cut down to the maker and the model.
    """
    run = table[table["status"] == "ok"]
    names = {device: " ".join(str(device).split()[:2]) for device in run["device"].unique()}
    done = {name: list(dict.fromkeys(run[run["device"] == device]["shape"])) for device, name in names.items()}
    said = [f"{name} ({', '.join(models)})" if shapes and len(done) > 1 else name for name, models in done.items()]
    return " and ".join(said)


def paper_predictions(
    *, batch: int = 8, length: int = 256, rank: int = 1, bits_per_weight: float | None = 4.25
) -> pd.DataFrame:
    """Return the model's predictions at the paper's shapes in bfloat16, with quantized frozen weights (None: without).

    Batch and length behind the paper's bars are not known. Quantized, backpropagation appears twice: `KEPT` keeps all
    dequantized weights until its backward pass, as libraries without a backward rule of their own do.

    Returns:
        One row a shape, method and category: shape, method, category, predicted (bytes), batch, length.
    """
    plan = {"batch": batch, "length": length, "rank": rank, "bytes_per_number": 2, "bits_per_weight": bits_per_weight}
    arms = [(method, method, False) for method in METHODS]
    arms = arms if bits_per_weight is None else [(KEPT, "backprop", True), *arms]
    rows = [
        [name, label, category, count]
        for name, shape in PAPER_SHAPES.items()
        for label, method, kept in arms
        for category, count in predicted(shape, method, **plan, kept=kept).items()
    ]
    table = pd.DataFrame(rows, columns=["shape", "method", "category", "predicted"])
    return table.assign(batch=batch, length=length)
