"""Experiments cut into jobs that know nothing of each other, done in turn here or by several processes."""

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from lib.flow.experiments.arms import Progress, track

Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Job:
    """A call of `function`, one that can travel to another process, with the keywords `options`; returns tables."""

    function: Callable[..., Tables]
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self) -> Tables:
        """Return the tables of the job."""
        return self.function(**self.options)


Work = Callable[[Sequence[Job], str], Tables]


def in_turn(progress: Progress | None = None) -> Work:
    """Return the way to do jobs one after the other in this process."""
    return lambda jobs, label: joined(job() for job in track(jobs, label, progress))


def in_parallel(workers: int, progress: Progress | None = None) -> Work:
    """Return the way to do jobs in `workers` processes of one thread each; the tables are the same as `in_turn`."""
    if workers < 1:
        raise ValueError(f"workers = {workers}: give at least one process")

    def work(jobs: Sequence[Job], label: str) -> Tables:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
            promised = [pool.submit(job) for job in reversed(jobs)]  # the longest ones, of Flow, stand last
            try:
                return joined(promise.result() for promise in track(promised[::-1], label, progress))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)  # the jobs that have not begun never do
                raise

    return work


def by_workers(workers: int, progress: Progress | None = None) -> Work:
    """Return `in_turn` for one worker, else `in_parallel`."""
    return in_turn(progress) if workers == 1 else in_parallel(workers, progress)


def joined(parts: Iterable[Tables]) -> Tables:
    """Return the tables of all parts, those of one name below each other in the order of the parts."""
    found: dict[str, list[pd.DataFrame]] = {}
    for part in parts:
        for name, table in part.items():
            found.setdefault(name, []).append(table)
    return {name: pd.concat(tables, ignore_index=True) for name, tables in found.items()}


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
