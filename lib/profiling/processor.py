"""Processor time of a call: on one thread, the time that it takes without what else the machine does meanwhile."""

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def processor_seconds(function: Callable[[], Result], *, repeats: int = 1) -> tuple[float, Result]:
    """Return the least processor time of `repeats` calls of `function`, and what the last of them returned."""
    if repeats < 1:
        raise ValueError(f"{repeats} repeats: time at least one call")
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        found = function()
        seconds.append(time.process_time() - start)
    return min(seconds), found
