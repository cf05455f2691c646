"""Wall time of several calls measured in turns, so that a slow minute of the machine hits all of them alike."""

import gc
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lib.profiling.latency import fixed_threads


def interleaved(
    calls: Mapping[str, Callable[[], Any]],
    *,
    blocks: int = 15,
    repeats: int = 20,
    warmup: int = 3,
    threads: int = 1,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Time every call of `calls` in `blocks` blocks, in a new random order in each; seconds of shape (blocks, repeats).

    Within a block a call runs `warmup` times untimed (its data return to the caches) and `repeats` times timed.
    Ratios of two calls are best formed within blocks: what slows the machine for seconds cancels. The collector of
    Python's garbage is off meanwhile.

    Raises ``ValueError`` for no calls, fewer than one block or repeat, or a negative warm-up.
    """
    if not calls:
        raise ValueError("nothing to time: give at least one call")
    if blocks < 1 or repeats < 1 or warmup < 0:
        raise ValueError(f"blocks {blocks}, repeats {repeats}, warmup {warmup}: give at least 1, 1 and 0")
    order, names = np.random.default_rng(seed), list(calls)
    seconds = {name: np.empty((blocks, repeats)) for name in names}
    collecting = gc.isenabled()
    gc.disable()
    try:
        with fixed_threads(threads):
            for block in range(blocks):
                for place in order.permutation(len(names)):
                    seconds[names[place]][block] = _burst(calls[names[place]], warmup, repeats)
    finally:
        if collecting:
            gc.enable()
    return seconds


def block_ratios(seconds: Mapping[str, np.ndarray], reference: str) -> dict[str, np.ndarray]:
    """Return for each call of `interleaved` its median over that of `reference` within each block, shape ``(blocks,)``.

    Raises ``ValueError`` when `reference` was not measured.
    """
    if reference not in seconds:
        raise ValueError(f"{reference!r} was not measured: choose the reference from {', '.join(seconds)}")
    base = np.median(seconds[reference], axis=1)
    return {name: np.median(values, axis=1) / base for name, values in seconds.items()}


def _burst(call: Callable[[], Any], warmup: int, repeats: int) -> np.ndarray:
    for _ in range(warmup):
        call()
    found = np.empty(repeats)
    for i in range(repeats):
        start = time.perf_counter()
        call()
        found[i] = time.perf_counter() - start
    return found
