"""The runner against plain papermill, two processes against one, and what a build with nothing to do costs."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from benchmarks.agreement import require
from benchmarks.lines import peer, target
from lib.report.paths import ROOT

PARAMETERS = "seed = 0\nturns = 0"
# Work for the processor that holds no lock of the operating system, in a notebook without any import.
WORK = "total = 0\nwhile turns > 0:\n    total, turns = (total * 31 + turns) % 1000003, turns - 1\ntotal"
SCARCE = (sys.executable, "-m", "lib.cli")
RECORD = """from lib import report
claim = report.Claim("c", "It ran", "companion", "none", "none", (), lambda tables: report.Verdict("reproduced", ""))
_ = report.verdicts([claim], {})"""
# One run and its seconds, without the start of the command, which a sweep pays once.
ONE_RUN = """import sys, time
from lib.batch import ensure
from lib.jobs import make_job
begin = time.perf_counter()
ensure(make_job("toy", overrides={"seed": int(sys.argv[1])}))
print(time.perf_counter() - begin)"""


def measure(*, jobs: int = 4, seconds: float = 15.0, repeats: int = 5, book: bool = True) -> dict:
    """Return what the runner costs, on a notebook of a few cells in a folder of its own.

    Args:
        jobs: runs of the sweep that is timed with one worker and with two, in turns.
        seconds: of processor time that each of these runs takes.
        repeats: of the run without work, by papermill and by `scarce run`, in turns; the medians are compared.
        book: whether to time `scarce book` with nothing to do, which needs a built book.
    """
    turns = turns_in(seconds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_toy(folder)
        found = {"jobs": jobs, "seconds": seconds} | efficiency(folder, jobs, turns) | overhead(folder, repeats)
    return found | ({"book": nothing_to_do()} if book else {})


def write_toy(folder: Path) -> None:
    """Write a small paper that only works for the processor: no data, no figure."""
    cells = [nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), nbformat.v4.new_code_cell(WORK)]
    notebook = nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_code_cell(RECORD)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (folder / "notebooks").mkdir()
    nbformat.write(notebook, folder / "notebooks" / "toy.ipynb")


def efficiency(folder: Path, jobs: int, turns: int) -> dict:
    """Return the seconds of one sweep of `jobs` runs with one worker and with two, and their ratio."""
    spec = folder / "work.yaml"
    spec.write_text(
        f"papers: [toy]\ngrid: {{toy: {{seed: {list(range(jobs))}, turns: [{turns}]}}}}\n", encoding="utf-8"
    )
    seconds, results = {}, {}
    for workers in (1, 2):
        environment = places(folder, f"runs-{workers}")
        seconds[workers], _ = timed([*SCARCE, "sweep", str(spec), "--workers", str(workers)], environment)
        results[workers] = [result_of_work(path) for path in folder.glob(f"runs-{workers}/toy/quick/*/toy.ipynb")]
    same = len(results[1]) == jobs and results[1] == results[2]
    require("one worker and two computed the same", float(same), low=1)
    return {"serial_seconds": seconds[1], "parallel_seconds": seconds[2], "speedup": seconds[1] / seconds[2]}


def overhead(folder: Path, repeats: int) -> dict:
    """Return the median seconds of a run without work by papermill's command, by the runner, and the difference."""
    source, environment = folder / "notebooks" / "toy.ipynb", places(folder, "runs-empty")
    papermill = [sys.executable, "-m", "papermill", str(source), str(folder / "out.ipynb"), "--cwd", str(source.parent)]
    alone, ours = [], []
    for seed in range(1, repeats + 1):  # in turns, so that a busy moment meets both
        alone.append(timed([*papermill, "-p", "seed", str(seed)], environment)[0])
        ours.append(float(timed([sys.executable, "-c", ONE_RUN, str(seed)], environment)[1]))
    middle, own = statistics.median(alone), statistics.median(ours)
    return {"papermill_seconds": middle, "runner_seconds": own, "overhead_seconds": own - middle}


def nothing_to_do() -> dict:
    """Return the seconds of ``scarce book`` with nothing changed, those of starting the command, and the difference."""
    timed([*SCARCE, "book"], dict(os.environ))  # brings it up to date, if it is not
    start = min(timed([*SCARCE, "--help"], dict(os.environ))[0] for _ in range(3))
    again = min(timed([*SCARCE, "book"], dict(os.environ))[0] for _ in range(3))
    return {"start_seconds": start, "again_seconds": again, "work_seconds": again - start}


def places(folder: Path, runs: str) -> dict[str, str]:
    """Return the environment in which the command looks for notebooks and runs below `folder`."""
    own = {"SCARCE_NOTEBOOKS": str(folder / "notebooks"), "SCARCE_RUNS": str(folder / runs)}
    return dict(os.environ) | own | {"PYTHONPATH": str(ROOT), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """Return the seconds that `command` took, and what it printed; raises CalledProcessError if it failed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, done.stdout


def result_of_work(path: Path) -> str:
    """Return what the cell that works showed in the executed notebook at `path`."""
    (shown,) = (cell.outputs for cell in nbformat.read(path, 4).cells if cell.source == WORK)
    return shown[0].data["text/plain"]


def turns_in(seconds: float) -> int:
    """Return how many turns of the work take so many seconds of processor time here."""
    trial = {"turns": 300_000}
    start = time.process_time()
    exec(WORK, trial)
    return max(1, round(seconds * 300_000 / (time.process_time() - start)))


def rows(found: dict) -> list[dict]:
    """Rows on the runner."""
    lines = [
        target(
            f"Sweep of {found['jobs']} runs of {found['seconds']:g} s of work",
            "two processes against one, same run",
            f"{found['speedup']:.2f} times faster ({found['serial_seconds']:.0f} s, {found['parallel_seconds']:.0f} s)",
            "1.6 times",
            found["speedup"] >= 1.6,
        ),
        peer(
            "A notebook without work, until its record is kept",
            "the runner",
            "papermill alone",
            "same notebook, same parameters",
            f"{found['overhead_seconds']:+.2f} s on {found['papermill_seconds']:.1f} s",
            "under 0.5 s more",
            found["overhead_seconds"] < 0.5,
        ),
    ]
    if "book" in found:
        work = found["book"]["work_seconds"]
        said = f"{work:.1f} s beyond {found['book']['start_seconds']:.1f} s of start-up"
        lines.append(target("Book, nothing changed", "scarce book", said, "under 5 s beyond start-up", work < 5))
    return lines
