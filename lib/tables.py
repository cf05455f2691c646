"""The longer tables of a paper without its notebook: many processes at once, on machines that have no Jupyter.

``python -m lib.tables fedper --preset real --out results/fedper/real`` needs what the experiments need (torch, numpy,
pandas, scipy, scikit-learn) and pyyaml, and writes a recorded run as ``scarce run --record`` does.
"""

import argparse
import os
import resource
import sys
import time
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from lib.jobs import PRESETS, Job, make_job, parse_overrides
from lib.report.page import write_json
from lib.report.provenance import data_checksums, git_state, machine, versions
from lib.tasks import THREAD_VARIABLES, run_tasks


def main(words: list[str] | None = None) -> None:
    """Compute the tables of a preset and write each as soon as it is complete."""
    given = _parser().parse_args(words)
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    job = make_job(given.paper, given.preset, parse_overrides(given.parameter))
    tasks = import_module(f"lib.{given.paper}.experiments.real").tasks_of(job.parameters)
    wanted = set(given.only.split(",")) if given.only else {task.table for task in tasks}
    tasks = [task for task in tasks if task.table in wanted]
    if not tasks:
        raise ValueError(f"{given.paper} ({given.preset}) has no longer tables of that name: see --help")
    if (given.out / "result.json").exists():
        raise ValueError(f"{given.out} holds a run already: remove it or choose another folder")
    start, begun = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    (given.out / "tables").mkdir(parents=True, exist_ok=True)

    def keep(name: str, table: pd.DataFrame) -> None:
        path = given.out / "tables" / f"{name}.csv"
        table.to_csv(path.with_suffix(".part"), index=False, float_format="%.8g")
        path.with_suffix(".part").replace(path)
        write_json(given.out / "result.json", result(job, begun, time.monotonic() - start))
        print(f"{time.monotonic() - start:7.1f} s  {name}: {len(table)} rows", flush=True)

    run_tasks(tasks, workers=given.workers, progress=_bar, on_table=keep)


def result(job: Job, begun: str, seconds: float) -> dict[str, Any]:
    """Return what a run's ``result.json`` holds (`lib.batch`), for tables computed here."""
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "status": "ok",
        "paper": job.paper,
        "preset": job.preset,
        "hash": job.hash,
        "started": begun,
        "seconds": round(seconds, 2),
        "peak_mib": round(peak / 1024, 1),
        "parameters": job.parameters,
        "versions": versions(),
        "git": git_state(),
        "data": data_checksums(),
        "machine": machine(),
    }


def _bar(items: Any, label: str) -> Any:
    from tqdm import tqdm

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
