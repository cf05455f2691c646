"""Inference time of networks, side by side with the teacher's, so that a busy machine slows both alike."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from lib.profiling import fixed_threads


def seconds_of(
    nets: Sequence[nn.Module], x: torch.Tensor, *, warmup: int = 3, repeats: int = 11, half: bool = False
) -> np.ndarray:
    """Return the median seconds of one pass of `x` through each of `nets`, timed in turns after `warmup` passes.

    On the CPU one thread and its CPU time (wall time on a shared machine is far off at times), on a CUDA device wall
    time with synchronization. The first pass of a process, several times slower, never counts.
    """
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup {warmup}, repeats {repeats}: at least 0 and 1")
    cuda = x.device.type == "cuda"
    clock = time.perf_counter if cuda else time.process_time
    times = np.empty((warmup + repeats, len(nets)))
    with fixed_threads(1), torch.no_grad(), torch.autocast(x.device.type, torch.bfloat16, enabled=half):
        for net in nets:
            net.eval()
        for turn in times:
            for place, net in enumerate(nets):
                start = clock()
                net(x)
                if cuda:
                    torch.cuda.synchronize(x.device)
                turn[place] = clock() - start
    return np.median(times[warmup:], axis=0)


def first_pass_seconds(net: nn.Module, x: torch.Tensor, *, half: bool = False) -> float:
    """Return the wall seconds of one pass without any warm-up, as the released code times the teacher.

    `half` as in `seconds_of`, so that a first pass is compared with warm ones of the same precision.
    """
    net.eval()
    start = time.perf_counter()
    with torch.no_grad(), torch.autocast(x.device.type, torch.bfloat16, enabled=half):
        net(x)
        if x.device.type == "cuda":
            torch.cuda.synchronize(x.device)
    return time.perf_counter() - start
