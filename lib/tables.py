"""The longer tables of a paper without its notebook: many processes at once, on machines that have no Jupyter.

``python -m lib.tables fedper --preset real --out DIR`` needs what the experiments need (torch, numpy, pandas, scipy,
scikit-learn) and pyyaml, and writes a recorded run as ``scarce run --record`` does. Interrupted, it goes on with what
is missing when the same command is given again: the pieces of a table lie in ``pieces/`` until it is complete.
"""

import argparse
import os
import sys

if __name__ == "__main__":  # numpy reads these when it is first imported
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import json
import resource
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.errors import EmptyDataError

from lib.files import write_json, write_text
from lib.jobs import PRESETS, Job, known, make_job, parse_overrides
from lib.report.provenance import data_checksums, git_state, machine, versions
from lib.report.tasks import Task, run_tasks


def main(words: list[str] | None = None) -> None:
    """Compute the tables of a preset, write each when it is complete, and say so in ``result.json``."""
    given = _parser().parse_args(words)
    job = make_job(given.paper, given.preset, parse_overrides(given.parameter))
    tasks = chosen(job, [name for name in given.only.split(",") if name])
    every = {task.table for task in chosen(job, [])}
    (given.out / "tables").mkdir(parents=True, exist_ok=True)
    before = former(given.out, job)
    for path, task in zip(piece_paths(given.out, tasks), tasks, strict=True):
        if _path(given.out, task.table).is_file():
            path.unlink(missing_ok=True)  # left by a kill just after the table was written
    todo = [task for task in tasks if not _path(given.out, task.table).is_file()]
    pieces = piece_paths(given.out, todo)
    done = {place: _read(path) for place, path in enumerate(pieces) if path.is_file()}
    needed = {name: _path(given.out, name) for task in todo for name in task.needs}
    known = {name: _read(path) for name, path in needed.items() if path.is_file()}
    start, result = time.monotonic(), facts(job, given.workers) | before
    write_json(given.out / "result.json", result | {"status": "partial"})

    def now(status: str) -> dict[str, Any]:
        there = {name for name in every if _path(given.out, name).is_file()}
        return result | {
            "status": status,
            "parameters": result["parameters"] | {"only": [] if there == every else sorted(there)},
            "seconds": round(before.get("seconds", 0) + time.monotonic() - start, 2),
            "peak_mib": max(before.get("peak_mib", 0), _peak_mib()),
            "data": before.get("data", {}) | data_checksums(),
        }

    def keep(name: str, table: pd.DataFrame) -> None:
        write_text(_path(given.out, name), _csv(table))
        write_json(given.out / "result.json", now("partial"))
        for path, task in zip(pieces, todo, strict=True):
            if task.table == name:
                path.unlink(missing_ok=True)
        print(f"{time.monotonic() - start:7.1f} s  {name}: {len(table)} rows", flush=True)

    def keep_piece(place: int, rows: pd.DataFrame) -> None:
        pieces[place].parent.mkdir(exist_ok=True)
        write_text(pieces[place], _csv(rows))
        write_json(given.out / "result.json", now("partial"))

    how = {"workers": given.workers, "progress": _bar, "done": done, "known": known}
    run_tasks(todo, **how, on_table=keep, on_piece=keep_piece)
    with suppress(OSError):  # pieces of other tables, which `--only` left alone, stay
        (given.out / "pieces").rmdir()
    write_json(given.out / "result.json", now("ok"))


def chosen(job: Job, only: Iterable[str]) -> list[Task]:
    """Return the pieces of the tables of `job`, those called `only` if any are.

    Raises ValueError for a paper whose tables are not made of pieces, and for a table that it does not have.
    """
    module = import_module(f"lib.{job.paper}.experiments.real")
    if not hasattr(module, "tasks_of"):
        raise ValueError(f"the tables of {job.paper} are not made of pieces: scarce run {job.paper} computes them")
    tasks = module.tasks_of(job.parameters)
    for name in only:
        known(name, {task.table for task in tasks}, f"table of {job.paper} ({job.preset})")
    if not tasks:
        raise ValueError(f"{job.paper} ({job.preset}) has no longer tables: choose another preset or data sets")
    return [task for task in tasks if not only or task.table in only]


def piece_paths(folder: Path, tasks: Sequence[Task]) -> list[Path]:
    """Return the file of each task's rows while its table is incomplete, numbered within the table."""
    seen = Counter()
    paths = []
    for task in tasks:
        paths.append(folder / "pieces" / f"{task.table}-{seen[task.table]}.csv")
        seen[task.table] += 1
    return paths


def former(folder: Path, job: Job) -> dict[str, Any]:
    """Return the result of the same job in `folder`, empty if there is none; ValueError for that of another job."""
    path = folder / "result.json"
    if not path.is_file():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    if found.get("hash") != job.hash:
        raise ValueError(f"{folder} holds a run of other code or parameters: remove it or choose another folder")
    return found


def facts(job: Job, workers: int) -> dict[str, Any]:
    """Return what a run's ``result.json`` holds (`lib.batch`) before anything is computed."""
    return {
        "status": "partial",
        "paper": job.paper,
        "preset": job.preset,
        "hash": job.hash,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": job.parameters | {"workers": workers},
        "versions": versions(),
        "git": git_state(),
        "machine": machine(),
    }


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except EmptyDataError:  # a piece without rows
        return pd.DataFrame()


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, float_format="%.8g")


def _path(folder: Path, table: str) -> Path:
    return folder / "tables" / f"{table}.csv"


def _peak_mib() -> float:
    """Return the largest resident set of this process or of any one of those that shared the work."""
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(peak / 1024, 1)


def _bar(items: Any, label: str) -> Any:
    """Wrap `items` in a progress bar; where tqdm is missing, the lines that are printed have to do."""
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    return tqdm(items, desc=label, mininterval=5, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m lib.tables", description=__doc__.splitlines()[0])
    parser.add_argument("paper")
    parser.add_argument("--preset", default="real", choices=PRESETS)
    parser.add_argument("-p", "--parameter", action="append", default=[], help="NAME=VALUE, repeatable")
    parser.add_argument("--only", default="", help="names of tables, comma between them")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, required=True, help="folder of the recorded run")
    return parser


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
