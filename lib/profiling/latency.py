"""Wall time of a call, with the number of threads fixed."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Latency:
    """Wall seconds of one call over `repeats` calls: median, 90th percentile (interpolated), minimum."""

    median_s: float
    p90_s: float
    min_s: float
    repeats: int
    threads: int

    def row(self) -> dict[str, Any]:
        """Return the fields as one table row."""
        return asdict(self)


@contextmanager
def fixed_threads(threads: int) -> Iterator[None]:
    """Limit BLAS, OpenMP and, if it is loaded, torch to `threads` threads inside the block; restore them after it.

    Raises ``ValueError`` when `threads` is below 1.
    """
    if threads < 1:
        raise ValueError(f"threads is {threads}: at least one thread has to work")
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    before = None if torch is None else torch.get_num_threads()
    try:
        with threadpool_limits(limits=threads):
            if torch is not None:
                torch.set_num_threads(threads)
            yield
    finally:
        if torch is not None:
            torch.set_num_threads(before)


def latency(
    fn: Callable[[], Any], *, warmup: int = 3, repeats: int = 20, threads: int = 1, device: str = "cpu"
) -> Latency:
    """Time ``fn()``: `warmup` calls that do not count, then `repeats` calls one by one.

    `threads` is fixed for the duration and restored. With ``device="cuda"`` every call waits until the device has
    finished. The minimum is the least disturbed value on a shared machine, the median the usual one.

    Raises ``ValueError`` when `warmup` is negative, or `repeats` or `threads` below 1.
    """
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup is {warmup} and repeats {repeats}: warmup must be 0 or more, repeats 1 or more")
    wait = _waiter(device)
    with fixed_threads(threads):
        for _ in range(warmup):
            fn()
        wait()
        seconds = np.empty(repeats)
        for i in range(repeats):
            start = time.perf_counter()
            fn()
            wait()
            seconds[i] = time.perf_counter() - start
    median, p90 = np.quantile(seconds, [0.5, 0.9])
    return Latency(float(median), float(p90), float(seconds.min()), repeats, threads)


def _waiter(device: str) -> Callable[[], None]:
    if not str(device).startswith("cuda"):
        return lambda: None
    import torch

    return lambda: torch.cuda.synchronize(device)
