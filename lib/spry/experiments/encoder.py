"""What a step on the whole pretrained encoder costs, with LoRA in every layer."""

import pandas as pd

from lib.spry.experiments.tangents import median_times
from lib.spry.memory_model import METHODS, Shape

MINILM = Shape(family="bert", layers=6, hidden=384, heads=12, inner=1536, vocabulary=30522, positions=512)


def encoder_costs(*, batch: int = 8, length: int = 64, repeats: int = 3, seed: int = 0) -> pd.DataFrame:
    """Measure one finetuning step of MiniLM by each method (float32, one thread, LoRA of rank 1, no dropout).

    Its weights are random, on which neither time nor memory depends.

    Returns:
        One row a method: method, seconds (of `median_times`, the methods in turn), peak_mib (of all tensors),
        transient_mib (activations and transients at the peak).
    """
    import torch

    from lib.profiling import fixed_threads, peak_memory
    from lib.spry.memory import step_function
    from lib.spry.shaped_model import build

    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1000, 30_000, (batch, length), generator=generator)
    x, y = torch.stack([ids, torch.ones_like(ids)], dim=1), torch.zeros(batch, dtype=torch.long)
    steps, rows = [], []
    for method in METHODS:
        net = build(MINILM, skip_frozen=method == "forward mode", seed=seed)
        step, optimizer = step_function(net, method, x, y, seed=seed)
        step()
        with peak_memory("cpu", modules=net, optimizer=optimizer, inputs=(x, y)) as found:
            step()
        result = found.result
        transients = result.by_category["activations_and_transients"]
        steps.append(step)
        rows.append([method, result.peak_bytes / 2**20, transients / 2**20])
    with fixed_threads(1):
        seconds = median_times(steps, repeats)
    table = pd.DataFrame(rows, columns=["method", "peak_mib", "transient_mib"])
    table.insert(1, "seconds", seconds)
    return table
