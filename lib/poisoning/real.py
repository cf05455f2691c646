"""The runs on real data as a command: ``python -m lib.poisoning.real --out results/poisoning/real --device cuda``.

Several processes work on the jobs of `lib.poisoning.experiments.real`. Tables are written again, through a temporary
name, as rows arrive, and the command ends by itself at its limit with what is done by then. The folder is a recorded
run: a page that finds it in ``results/poisoning/real`` shows it.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from lib.poisoning.experiments import real
from lib.poisoning.experiments.spectrum import Rates, tuned
from lib.poisoning.plan import Plan
from lib.report import provenance
from lib.report.page import write_json

EVERY = 10.0  # seconds between two writings of the tables


@dataclass
class Tally:
    """What came back from the jobs so far, and where it is kept."""

    out: Path
    parts: dict[str, list[pd.DataFrame]] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    done: int = 0
    peak_mib: float = 0.0

    def table(self, name: str) -> pd.DataFrame:
        """Return the rows of one table so far."""
        return pd.concat(self.parts[name], ignore_index=True)

    def note(self, job: real.Job, future: Future) -> None:
        """Take what one job returned, or the error that it raised."""
        error = future.exception()
        if error is not None:
            self.failures.append(f"{job.data}, {job.adversary}, seed {job.seed} ({job.table}): {error!r}")
            print(self.failures[-1], file=sys.stderr, flush=True)
            return
        tables, data, peak = future.result()
        for name, rows in tables.items():
            self.parts.setdefault(name, []).append(rows)
        self.data |= data
        self.peak_mib, self.done = max(self.peak_mib, peak), self.done + 1

    def write(self) -> None:
        """Write every table through a temporary name."""
        for name in self.parts:
            path = self.out / "tables" / f"{name}.csv"
            temporary = path.with_name(f".{name}.{os.getpid()}")
            self.table(name).to_csv(temporary, index=False, float_format="%.5g")
            temporary.replace(path)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 if all was done, 3 if the limit came first, 1 if a job failed."""
    asked = parser().parse_args(words)
    began, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    ends = began + asked.limit
    sizes = {"generator_steps": asked.generator_steps, "generator_widths": tuple(asked.generator_widths)}
    plan = Plan(rounds=asked.rounds, evaluate_every=asked.every, **sizes)
    tally = Tally(Path(asked.out))
    (tally.out / "tables").mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(asked.workers, mp_context=context, initializer=_one_thread)
    try:
        todo = real.tuning_jobs(asked.data, rules=("mean", *real.ROBUST, *real.OTHERS))
        finished = _work(pool, todo, plan, {}, asked.device, tally, ends)
        if finished and tally.parts:
            rates = tuned(tally.table("real_rates"))
            jobs = real.attack_jobs(asked.data, taken=asked.taken, seeds=asked.seeds)
            finished, todo = _work(pool, jobs, plan, rates, asked.device, tally, ends), [*todo, *jobs]
    finally:
        _stop(pool)
        tally.write()
    seconds = time.monotonic() - began
    result = {"status": "ok" if finished and not tally.failures else "partial", "paper": "poisoning", "preset": "real"}
    result |= {"started": started, "seconds": round(seconds, 2), "peak_mib": round(tally.peak_mib, 1)}
    result |= {"parameters": vars(asked) | {"out": ""}, "jobs": {"asked": len(todo), "done": tally.done}}
    result |= {"failures": tally.failures, "versions": provenance.versions((*provenance.NUMERICAL, "diffusers"))}
    result |= {"git": provenance.git_state(), "data": tally.data, "machine": provenance.machine()}
    write_json(tally.out / "result.json", result)
    print(f"{tally.done} of {len(todo)} jobs in {seconds:.0f} s, {len(tally.failures)} failed", flush=True)
    return 1 if tally.failures else 0 if finished else 3


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's words."""
    found = argparse.ArgumentParser(prog="python -m lib.poisoning.real", description=__doc__.splitlines()[0])
    found.add_argument("--out", required=True, help="folder for result.json and tables/")
    found.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    found.add_argument("--device", default="cpu", help="of generators and convolutional networks: cpu, cuda")
    found.add_argument("--limit", type=float, default=3600.0, help="seconds after which the command ends by itself")
    found.add_argument("--data", nargs="+", default=list(real.KNOWN), choices=real.KNOWN)
    found.add_argument("--seeds", type=int, default=3)
    found.add_argument("--rounds", type=int, default=60)
    found.add_argument("--every", type=int, default=3, help="rounds between two evaluations")
    found.add_argument("--taken", type=int, nargs="+", default=[1, 5, 10], help="clients taken over by the hybrid")
    found.add_argument("--generator-steps", type=int, default=Plan.generator_steps)
    found.add_argument("--generator-widths", type=int, nargs=3, default=list(Plan.generator_widths))
    return found


def _work(
    pool: ProcessPoolExecutor,
    jobs: Sequence[real.Job],
    plan: Plan,
    rates: Rates,
    device: str,
    tally: Tally,
    ends: float,
) -> bool:
    """Let the pool do the jobs, take what comes back, and return whether all came back before `ends`."""
    waiting = {pool.submit(_do, job, plan, rates, device): job for job in jobs}
    written = time.monotonic()
    while waiting and time.monotonic() < ends:
        pause = max(0.0, min(EVERY, ends - time.monotonic()))
        for future in wait(waiting, timeout=pause, return_when=FIRST_COMPLETED).done:
            tally.note(waiting.pop(future), future)
        if time.monotonic() - written > EVERY or not waiting:
            tally.write()
            written = time.monotonic()
            print(f"{tally.done} jobs done, {len(waiting)} to do, {ends - written:.0f} s left", flush=True)
    return not waiting


def _do(job: real.Job, plan: Plan, rates: Rates, device: str) -> tuple[dict[str, pd.DataFrame], dict[str, str], float]:
    """Return a job's tables, the checksums of the data that this process has read, and its peak memory in MiB."""
    import resource

    tables = real.do(job, plan, rates, device=device)
    return tables, provenance.data_checksums(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the pool's processes, also in the middle of a job."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(timeout=5)


if __name__ == "__main__":
    sys.exit(main())
