"""Run many jobs on this machine: several processes at once, retries, a time limit; all state is on disk."""

import math
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from lib.batch import RunFailed, ensure
from lib.jobs import Job, read_result
from lib.report.paths import RESULTS

UNKNOWN_MIB = 2048.0  # what a run without history is taken to need
WAITING, RUNNING, DONE, UP_TO_DATE, FAILED = "waiting", "running", "done", "up to date", "failed"


@dataclass(frozen=True)
class Outcome:
    """How a job stands: one of the states above, how often it was started, and what it is at or what went wrong."""

    job: Job
    state: str
    attempts: int = 0
    seconds: float = 0.0
    message: str = ""


def run_all(
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    retries: int = 1,
    limit: float | None = None,
    on_change: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Bring all jobs up to date, `workers` at a time, and return how each ended, in the order of `jobs`.

    A job that is up to date is not run. One whose process or kernel died, or that passed the limit, is started anew up
    to `retries` times; one whose notebook raised is not, since it would raise again. A failure does not stop the
    others. Ctrl-C stops what runs and leaves the finished runs.

    Args:
        jobs: what to run.
        workers: runs at a time; None takes `fitting_workers`.
        retries: further attempts a job.
        limit: seconds that one attempt may take; None sets no limit.
        on_change: called from the workers' threads whenever a job's state or step changes.
    """
    stop = threading.Event()
    pool = ThreadPoolExecutor(workers or fitting_workers(jobs))
    try:
        work = partial(bring_up_to_date, retries=retries, limit=limit, stop=stop, on_change=on_change)
        futures = {place: pool.submit(work, jobs[place]) for place in longest_first(jobs)}
        return [futures[place].result() for place in range(len(jobs))]
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def longest_first(jobs: Sequence[Job]) -> list[int]:
    """Return the places of `jobs` from the longest to the shortest by `estimate`, those without one first.

    A long run that begins last would leave the other processes idle. Equal ones keep their order.
    """
    lengths = [seconds for seconds, _ in _estimates(jobs)]
    return sorted(range(len(jobs)), key=lambda place: -math.inf if lengths[place] is None else -lengths[place])


def fitting_workers(jobs: Iterable[Job]) -> int:
    """Return how many of `jobs` fit this machine at once, by its cores and by the memory they took before."""
    needs = [peak or UNKNOWN_MIB for _, peak in _estimates([job for job in jobs if not job.done])]
    free = psutil.virtual_memory().available / 2**20
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, len(needs), int(free // max(needs, default=UNKNOWN_MIB))))


def estimate(job: Job) -> tuple[float | None, float | None]:
    """Return seconds (median) and peak MiB (largest) of earlier runs of the same paper and preset; None without any.

    Recorded runs and sweeps count where this machine has run none, as in a fresh clone.
    """
    known = _measured(job.folder.parent.glob("*/result.json"))
    if not known:
        recorded = (RESULTS / job.paper).glob("*/result.json")
        known = [run for run in _measured(recorded) if run.get("preset") == job.preset] + _swept(job)
    if not known:
        return None, None
    return statistics.median(r["seconds"] for r in known), max(r["peak_mib"] for r in known)


def _estimates(jobs: Sequence[Job]) -> list[tuple[float | None, float | None]]:
    """Return the `estimate` of each job; the files of a paper and preset are read once."""
    found = {(job.paper, job.preset): job for job in jobs}
    found = {key: estimate(job) for key, job in found.items()}
    return [found[job.paper, job.preset] for job in jobs]


def _measured(results: Iterable[Path]) -> list[dict[str, Any]]:
    """Return those of the runs, by their ``result.json``, that tell their seconds and memory."""
    return [run for run in (read_result(path.parent) for path in results) if {"seconds", "peak_mib"} <= set(run)]


def _swept(job: Job) -> list[dict[str, Any]]:
    """Return the runs of the same paper and preset in the summaries of recorded sweeps."""
    found = []
    for path in (RESULTS / "sweeps").glob("*/summary.csv"):
        table = pd.read_csv(path).dropna(subset=["seconds", "peak_mib"])
        found += table[(table["paper"] == job.paper) & (table["preset"] == job.preset)].to_dict("records")
    return found


def bring_up_to_date(
    job: Job, retries: int, limit: float | None, stop: threading.Event, on_change: Callable[[Outcome], None]
) -> Outcome:
    """Run one job unless it is done, with retries and limit as `run_all` takes them, until `stop` is set."""
    if job.done:
        outcome = Outcome(job, UP_TO_DATE)
        on_change(outcome)
        return outcome
    begin = time.monotonic()
    for attempt in range(1, retries + 2):
        try:
            ensure(job, progress=_watcher(job, attempt, limit, stop, on_change))
            outcome = Outcome(job, DONE, attempt, time.monotonic() - begin)
            break
        except (RunFailed, OSError) as failure:
            outcome = Outcome(job, FAILED, attempt, time.monotonic() - begin, str(failure))
            if not getattr(failure, "worth_retrying", False):
                break
    on_change(outcome)
    return outcome


def _watcher(job, attempt, limit, stop, on_change) -> Callable[[str], None]:
    """Return the function that a run calls several times a second: it reports, and ends the run when it must."""
    begin, last = time.monotonic(), [None]

    def progress(step: str) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        if limit and time.monotonic() - begin > limit:
            raise RunFailed(f"{job.paper} ({job.preset}) passed its limit of {limit:g} s", worth_retrying=True)
        if step != last[0]:
            last[0] = step
            on_change(Outcome(job, RUNNING, attempt, time.monotonic() - begin, step))

    return progress
