"""The runs on real data as a command: ``python -m lib.poisoning.real --out results/poisoning/real --device cuda``.

Several processes work on the jobs of `lib.poisoning.experiments.real`. Tables are written again, through a temporary
name, as rows arrive, and the command ends by itself at its limit with what is done by then; given again, with the same
words, it goes on with the jobs that are left. The folder is a recorded run: a page that finds it in
``results/poisoning/real`` shows it.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from lib.files import write_json, write_text
from lib.poisoning.experiments import real
from lib.poisoning.experiments.spectrum import Rates, tuned
from lib.poisoning.plan import Plan
from lib.report import provenance

EVERY = 10.0  # seconds between two writings of the tables


@dataclass
class Tally:
    """What came back from the jobs so far, and where it is kept."""

    out: Path
    facts: dict[str, Any]
    parts: dict[str, list[pd.DataFrame]] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    asked: int = 0
    done: int = 0
    peak_mib: float = 0.0
    began: float = field(default_factory=time.monotonic)
    earlier: list[dict[str, Any]] = field(default_factory=list)

    def resume(self, settings: Mapping[str, Any]) -> None:
        """Take what a former command left in the folder; ValueError if its runs had other `settings`."""
        tables = {path.stem: path for path in sorted((self.out / "tables").glob("*.csv"))}
        if not tables:
            return
        former = json.loads((self.out / "result.json").read_text(encoding="utf-8"))
        needed = ("rounds", "every", *(("generator_steps", "generator_widths") if "real_images" in tables else ()))
        for name in needed:
            if former["parameters"][name] != settings[name]:
                words = f"its {name} is {former['parameters'][name]}, not {settings[name]}"
                raise ValueError(f"{self.out} holds other runs ({words}): choose another folder")
        self.parts = {name: [pd.read_csv(path)] for name, path in tables.items()}
        self.done, self.data, self.peak_mib = former["jobs"]["done"], former["data"], former["peak_mib"]
        kept = {name: former[name] for name in ("started", "seconds", "git", "machine", "versions")}
        self.earlier = [*former.get("earlier", []), kept]

    def left(self, jobs: Sequence[real.Job]) -> list[real.Job]:
        """Return the jobs without rows yet."""
        return real.left(jobs, {name: self.table(name) for name in self.parts})

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

    def write(self, *, finished: bool = False) -> None:
        """Write ``result.json`` and every table, each through a temporary name."""
        result = self.facts | {"status": "ok" if finished and not self.failures else "partial"}
        result |= {"seconds": round(time.monotonic() - self.began, 2), "peak_mib": round(self.peak_mib, 1)}
        result |= {"jobs": {"asked": self.asked, "done": self.done}, "data": self.data}
        write_json(self.out / "result.json", result | {"failures": self.failures, "earlier": self.earlier})
        for name in self.parts:
            content = self.table(name).to_csv(index=False, float_format="%.5g")
            write_text(self.out / "tables" / f"{name}.csv", content)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 if all was done, 3 if the limit came first, 1 if a job failed."""
    asked = parser().parse_args(words)
    tally = Tally(Path(asked.out), facts=facts(asked))
    tally.resume(vars(asked))
    (tally.out / "tables").mkdir(parents=True, exist_ok=True)
    sizes = {"generator_steps": asked.generator_steps, "generator_widths": tuple(asked.generator_widths)}
    plan = Plan(rounds=asked.rounds, evaluate_every=asked.every, **sizes)
    tuning = real.tuning_jobs(asked.data, rules=("mean", *real.ROBUST, *real.OTHERS, *real.LATER))
    attacks = real.attack_jobs(asked.data, taken=asked.taken, seeds=asked.seeds, whole=asked.whole)
    tally.asked, ends, finished = len(tuning) + len(attacks), tally.began + asked.limit, False
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(asked.workers, mp_context=context, initializer=_one_thread)
    try:
        finished = _work(pool, tally.left(tuning), plan, {}, asked.device, tally, ends)
        if finished and tally.parts:
            rates = tuned(tally.table("real_rates"))
            finished = _work(pool, tally.left(attacks), plan, rates, asked.device, tally, ends)
    finally:
        _stop(pool)
        tally.write(finished=finished)
    spent, failed = time.monotonic() - tally.began, len(tally.failures)
    print(f"{tally.done} of {tally.asked} jobs in {spent:.0f} s, {failed} failed", flush=True)
    return 1 if failed else 0 if finished else 3


def facts(asked: argparse.Namespace) -> dict[str, Any]:
    """Return what ``result.json`` holds before anything is computed."""
    return {
        "paper": "poisoning",
        "preset": "real",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": vars(asked) | {"out": ""},
        "versions": provenance.versions((*provenance.NUMERICAL, "diffusers")),
        "git": provenance.git_state(),
        "machine": provenance.machine(),
    }


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's words."""
    found = argparse.ArgumentParser(prog="python -m lib.poisoning.real", description=__doc__.splitlines()[0])
    found.add_argument("--out", required=True, help="folder for result.json and tables/")
    found.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    found.add_argument("--device", default="cpu", help="of generators: cpu, cuda")
    found.add_argument("--limit", type=float, default=3600.0, help="seconds after which the command ends by itself")
    found.add_argument("--data", nargs="+", default=list(real.KNOWN), choices=real.KNOWN)
    found.add_argument("--whole", nargs="*", default=list(real.KNOWN), choices=real.KNOWN, help="beyond the spectrum")
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
    try:
        sys.exit(main())
    except ValueError as error:
        sys.exit(f"error: {error}")
