"""The first pass of a process against warm ones: what timing the teacher first does to a speed-up."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch

from lib.compression.layers import Architecture
from lib.compression.networks import Network, build
from lib.profiling import fixed_threads, processor_seconds


def process_passes(architectures: tuple[Architecture, ...], *, batch: int, warm: int = 30) -> list[dict[str, float]]:
    """Return first_s and warm_s (median of `warm` later passes, in turns) of each network, in this order.

    CPU seconds on one thread for `batch` random images; weights are fresh, since times do not depend on them. The first
    network makes the first pass of the process if nothing ran in it before.
    """
    first = architectures[0]
    x = torch.zeros(batch, first.channels, first.pixels, first.pixels)
    with fixed_threads(1), torch.no_grad():
        nets = [build(one).eval() for one in architectures]
        firsts = [_seconds(net, x) for net in nets]
        turns = np.array([[_seconds(net, x) for net in nets] for _ in range(warm)])
    return [{"first_s": one, "warm_s": float(np.median(later))} for one, later in zip(firsts, turns.T, strict=True)]


def fresh_process_passes(
    architectures: tuple[Architecture, ...], *, batch: int, warm: int = 30
) -> list[dict[str, float]]:
    """Return `process_passes` of a process that is started for it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(process_passes, architectures, batch=batch, warm=warm).result()


def _seconds(net: Network, x: torch.Tensor) -> float:
    return processor_seconds(lambda: net(x))[0]
