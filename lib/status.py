"""How all runs stand: what runs now, what failed, what is up to date, and what runs/ holds. Read from disk."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from lib.batch import HOST, WORKER, alive, current_step, last_error, writer
from lib.jobs import PRESETS, Job, make_job, papers, preset_values, read_result
from lib.report import paths

DONE, STALE, TO_DO = "done", "stale", "to do"


@dataclass(frozen=True)
class Standing:
    """Tables of how the runs stand; see the functions of the same names."""

    running: pd.DataFrame
    failed: pd.DataFrame
    presets: pd.DataFrame
    disk: pd.DataFrame


def standing() -> Standing:
    """Return all tables for all papers, as they are now."""
    return Standing(running(), failed(), presets(papers()), disk())


def running() -> pd.DataFrame:
    """Return one row a temporary run folder: paper, preset, changed, since, state, step and folder.

    The state is "running" while the worker lives, "starting" before it has begun, "left over" where the process that
    began it is gone, and "on HOST" where that is another machine, whose processes cannot be seen from here.
    """
    columns = ["paper", "preset", "changed", "since", "state", "step", "folder"]
    rows = []
    for folder in sorted(paths.runs_dir().glob("*/*/.*.*")):
        host, begun = writer(folder)
        try:
            described = json.loads((folder / "job.json").read_text(encoding="utf-8"))
            job = described["job"]
        except (OSError, ValueError):  # it has just begun, or just ended
            continue
        state = f"on {host}" if host != HOST else state_here(folder, begun)
        changed = ", ".join(f"{name}={value}" for name, value in job["changed"].items())
        step = current_step(folder) if state in ("running", f"on {host}") else ""
        rows.append([job["paper"], job["preset"], changed, described["started"], state, step, str(folder)])
    return pd.DataFrame(rows, columns=columns)


def state_here(folder: Path, begun: str) -> str:
    """Return the state of a temporary folder of this machine that the process with number `begun` made."""
    worker = (folder / WORKER).read_text(encoding="utf-8") if (folder / WORKER).is_file() else ""
    if alive(worker):
        return "running"
    return "starting" if not worker and alive(begun) else "left over"


def failed() -> pd.DataFrame:
    """Return one row a failed run that has not succeeded since, newest first: paper, preset, when, error and log."""
    rows = []
    for folder in paths.runs_dir().glob("*/*/*.failed"):
        if read_result(folder.with_suffix("")).get("status") == "ok":
            continue
        log = folder / "log.txt"
        if log.is_file():
            when = datetime.fromtimestamp(log.stat().st_mtime, UTC).isoformat(timespec="seconds")
            error = last_error(folder) or "the process ended without an exception"
            rows.append([folder.parent.parent.name, folder.parent.name, when, error, str(log)])
    table = pd.DataFrame(rows, columns=["paper", "preset", "when", "error", "log"])
    return table.sort_values("when", ascending=False, kind="stable", ignore_index=True)


def presets(names: Iterable[str]) -> pd.DataFrame:
    """Return one row a paper and preset that it has: paper, preset, state, when, seconds, peak_mib, recorded and hash.

    The state is "done" if today's code, parameters and versions have a finished run, "stale" if only earlier ones do
    (then the newest of them is described), else "to do". `recorded` is the day of the newest record in results/.
    """
    rows = []
    for paper in names:
        for preset in PRESETS:
            if preset == "quick" or preset_values(paper, preset):
                job = make_job(paper, preset)
                result = read_result(job.folder) if job.done else newest_of_its_kind(job)
                state = DONE if job.done else STALE if result else TO_DO
                facts = [result.get(name) for name in ("started", "seconds", "peak_mib")]
                rows.append([paper, preset, state, *facts, recorded_day(job), job.hash])
    columns = ["paper", "preset", "state", "when", "seconds", "peak_mib", "recorded", "hash"]
    return pd.DataFrame(rows, columns=columns)


def newest_of_its_kind(job: Job) -> dict:
    """Return the result of the newest finished run with the parameters of `job`, whatever the code; empty if none."""
    results = [read_result(path.parent) for path in job.folder.parent.glob("[!.]*/result.json")]
    alike = [one for one in results if one.get("status") == "ok" and one.get("parameters") == job.parameters]
    return max(alike, key=lambda result: result.get("started", ""), default={})


def recorded_day(job: Job) -> str:
    """Return the day of the newest record of the paper and preset of `job` in results/; empty if there is none."""
    kept = [read_result(path.parent) for path in (paths.RESULTS / job.paper).glob("*/result.json")]
    return max((one["started"][:10] for one in kept if one.get("preset") == job.preset), default="")


def disk() -> pd.DataFrame:
    """Return one row a paper below the runs folder: paper, finished, failed, unfinished (folders), mib (of all)."""
    rows = []
    for paper in sorted(path for path in paths.runs_dir().glob("[!.]*") if path.is_dir()):
        runs = [path for path in paper.glob("*/*") if path.is_dir()]
        broken = sum(path.suffix == ".failed" for path in runs)
        hidden = sum(path.name.startswith(".") for path in runs)
        rows.append([paper.name, len(runs) - broken - hidden, broken, hidden, size(paper) / 2**20])
    return pd.DataFrame(rows, columns=["paper", "finished", "failed", "unfinished", "mib"])


def size(folder: Path) -> int:
    """Return the bytes of all files below `folder`; one that vanishes meanwhile does not count."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total
