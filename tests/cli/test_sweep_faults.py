"""Faults in mid-sweep beyond those of one run: a full disk, and kernels whose run has ended."""

import os
import resource
import signal
import subprocess
import sys
import threading

import pandas as pd
import pytest
from test_batch import alive, wait_for
from toy_notebook import CLAIMS, FIGURE, SETUP, write_notebook

from lib import batch, jobs, pool
from lib.report.paths import ROOT


def run_sweep(spec, **options):
    command = [sys.executable, "-m", "lib.cli", "sweep", str(spec), "--workers", "2"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **options)


def small_files_only():
    """Let the operating system refuse large files half-way, as a full disk does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, 5_000_000))


@pytest.fixture
def two(toy):
    """The path of a sweep of two runs, the second of which writes a large file."""
    big = "import pathlib, os\nif scale == 2.0:\n    "
    big += "(pathlib.Path(os.environ['SCARCE_RUN_DIR']) / 'big').write_bytes(bytes(50_000_000))"
    write_notebook(toy / "notebooks" / "toy.ipynb", "seeds = 3\nscale = 1.0", SETUP, big, FIGURE, CLAIMS)
    path = toy / "two.yaml"
    path.write_text("papers: [toy]\ngrid: {toy: {scale: [1.0, 2.0]}}\n")
    return path


def test_a_disk_that_fills_up_costs_only_the_run_it_hit_and_the_next_start_finishes(two, toy):
    full = run_sweep(two, preexec_fn=small_files_only)
    assert full.returncode == 1
    assert full.stderr.startswith("error: 1 of 2 runs failed, the first: toy (quick) failed: OSError")
    runs, summary = toy / "runs" / "toy" / "quick", toy / "runs" / "sweeps" / "two" / "summary.csv"
    assert pd.read_csv(summary)["state"].tolist() == ["done", "failed"]
    (done,) = (path for path in runs.iterdir() if path.suffix != ".failed")
    before = (done / "result.json").stat().st_mtime_ns
    assert not list(runs.glob(".*"))
    assert run_sweep(two).returncode == 0
    assert pd.read_csv(summary)["state"].tolist() == ["up to date", "done"]
    assert (done / "result.json").stat().st_mtime_ns == before


@pytest.fixture
def sleeper(toy):
    """A job whose kernel writes down its number, then sleeps; and the place of that number."""
    mark = toy / "kernel"
    sleep = f"import os, pathlib, time\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(600)"
    write_notebook(toy / "notebooks" / "toy.ipynb", "seeds = 3", sleep)
    return jobs.make_job("toy"), mark


def started(mark):
    return mark.exists() and mark.read_text()


def check_only_the_log_is_left(job, mark):
    wait_for(lambda: not alive(int(mark.read_text())), seconds=30)
    assert not job.done and [path.name for path in job.folder.parent.iterdir()] == [f"{job.hash}.failed"]


def test_no_kernel_outlives_a_run_that_is_given_up(sleeper):
    job, mark = sleeper

    def limit(step):  # what passing the limit does, as soon as the kernel is at work
        if started(mark):
            raise batch.RunFailed("passed its limit")

    with pytest.raises(batch.RunFailed, match="passed its limit"):
        batch.ensure(job, progress=limit)
    check_only_the_log_is_left(job, mark)


def test_no_kernel_outlives_a_worker_that_is_killed(sleeper):
    job, mark = sleeper

    def kill_worker():
        wait_for(lambda: started(mark), seconds=120)
        (worker,) = job.folder.parent.glob(f".{job.hash}.*/{batch.WORKER}")
        os.kill(int(worker.read_text()), signal.SIGKILL)

    killer = threading.Thread(target=kill_worker)
    killer.start()
    (outcome,) = pool.run_all([job], retries=0)
    killer.join()
    assert outcome.state == "failed" and outcome.message.startswith("toy (quick) failed: the worker ended with")
    check_only_the_log_is_left(job, mark)
