import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_notebook import CLAIMS, FIGURE, SETUP, write_notebook

from lib import batch, jobs
from lib.report.paths import ROOT


def everything_below(folder):
    return sorted(path.name for path in folder.rglob("*") if not path.is_dir())


def test_a_run_leaves_a_complete_record_and_is_then_done(toy):
    steps = []
    job = jobs.make_job("toy", overrides={"seeds": 4})
    assert not job.done
    folder = batch.execute(job, progress=steps.append)
    assert job.done
    assert folder == toy / "runs" / "toy" / "quick" / job.hash
    expected = ["claims.json", "line.json", "line.png", "line.svg", "log.txt", "parameters.yaml", "result.json"]
    assert everything_below(folder) == [*expected, "table.csv", "toy.ipynb"]
    result = json.loads((folder / "result.json").read_text())
    assert result["parameters"] == {"seeds": 4, "scale": 1.0, "ks": [1, 2]}
    assert result["peak_mib"] > 50
    assert result["seconds"] > 0
    assert {"numpy", "pandas", "python"} <= set(result["versions"])
    assert (folder / "tables" / "table.csv").read_text().splitlines()[-1] == "3,3"
    assert any("cell" in step for step in steps)
    assert jobs.make_job("toy").done is False


def test_same_parameters_same_tables(toy):
    first = batch.execute(jobs.make_job("toy"))
    before = (first / "tables" / "table.csv").read_bytes()
    batch.execute(jobs.make_job("toy"))
    assert (first / "tables" / "table.csv").read_bytes() == before


def test_a_failing_notebook_says_why_and_keeps_the_earlier_result(toy):
    job = jobs.make_job("toy")
    batch.execute(job)
    path = toy / "notebooks" / "toy.ipynb"
    write_notebook(
        path, "seeds = 3", SETUP.replace("scale", "seeds"), "raise ValueError('loss is NaN: lower the rate')"
    )
    bad = jobs.make_job("toy", preset="quick")
    with pytest.raises(batch.RunFailed, match=r"loss is NaN: lower the rate; see .*log.txt"):
        batch.execute(bad)
    assert job.done
    assert not bad.done
    assert sorted(p.name for p in job.folder.parent.iterdir()) == sorted([job.hash, f"{bad.hash}.failed"])


def test_a_dying_kernel_is_a_failed_run(toy):
    write_notebook(
        toy / "notebooks" / "toy.ipynb", "seeds = 3", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    with pytest.raises(batch.RunFailed, match=r"DeadKernelError"):
        batch.execute(jobs.make_job("toy"))


@pytest.mark.parametrize("send", ["ctrl-c", "terminate"])
def test_interrupting_leaves_nothing_and_stops_the_kernel(toy, send):
    process, kernel = start_sleeping_run(toy)
    if send == "ctrl-c":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.decode().strip().splitlines()[-1] == "interrupted; nothing was left half-written"
    assert list((toy / "runs" / "toy" / "quick").iterdir()) == []
    wait_for(lambda: not alive(kernel))


def test_a_killed_run_ends_its_worker_which_removes_the_folder(toy):
    process, kernel = start_sleeping_run(toy)
    (work,) = (toy / "runs" / "toy" / "quick").iterdir()
    worker = int((work / batch.WORKER).read_text())
    process.kill()
    process.communicate(timeout=60)
    batch.clean_leftovers(work.parent)
    assert not alive(worker) or work.exists()
    wait_for(lambda: not alive(worker) and not alive(kernel), seconds=15)
    assert list((toy / "runs" / "toy" / "quick").iterdir()) == []


def test_leftovers_of_a_killed_process_are_removed(toy):
    job = jobs.make_job("toy")
    dead = subprocess.Popen(["true"])
    dead.wait()
    leftover = job.folder.with_name(f".{job.hash}.{dead.pid}")
    own = job.folder.with_name(f".{job.hash}.{os.getppid()}")
    worked_on = job.folder.with_name(f".other.{batch.HOST}.{dead.pid}")
    named, far = (job.folder.with_name(f".{job.hash}.{host}.{dead.pid}") for host in (batch.HOST, "far"))
    for folder in (leftover, own, worked_on, named, far):
        folder.mkdir(parents=True)
    (leftover / batch.WORKER).write_text(str(dead.pid))
    (worked_on / batch.WORKER).write_text(str(os.getpid()))
    batch.clean_leftovers(job.folder.parent)
    assert not leftover.exists()
    assert own.exists()
    assert worked_on.exists()
    assert not named.exists()
    assert far.exists()  # another machine that shares the folder writes it


def test_runs_folder_that_cannot_be_written(toy, monkeypatch):
    blocked = toy / "a-file"
    blocked.write_text("")
    monkeypatch.setenv("SCARCE_RUNS", str(blocked))
    with pytest.raises(OSError, match="a-file"):
        batch.execute(jobs.make_job("toy"))


def test_a_full_disk_fails_in_one_line_and_keeps_earlier_results(toy):
    job = jobs.make_job("toy")
    batch.execute(job)
    # A limit on the size of files makes the operating system refuse the write half-way, as a full disk does.
    big = "import pathlib, os\n(pathlib.Path(os.environ['SCARCE_RUN_DIR']) / 'big').write_bytes(bytes(50_000_000))"
    write_notebook(toy / "notebooks" / "toy.ipynb", "seeds = 3\nscale = 1.0", SETUP, big, FIGURE, CLAIMS)
    done = subprocess.run(
        [sys.executable, "-m", "lib.cli", "run", "toy"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, 5_000_000)),
    )
    assert done.returncode == 1
    assert done.stderr.strip().startswith("error: toy (quick) failed: OSError")
    assert len(done.stderr.strip().splitlines()) == 1
    assert job.done


def test_record_copies_a_finished_run(toy, monkeypatch):
    monkeypatch.setattr(batch, "RESULTS", toy / "results")
    job = jobs.make_job("toy")
    with pytest.raises(ValueError, match="run it first"):
        batch.record(job)
    batch.execute(job)
    target = batch.record(job)
    assert target == toy / "results" / "toy" / "quick"
    assert (target / "tables" / "table.csv").is_file()
    assert not list(target.glob("*.ipynb"))


def hear_ctrl_c():
    """Undo what a shell does to commands in its background: they, and all that they start, do not hear Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start_sleeping_run(toy):
    """Start the command on a notebook that sleeps; returns the process and the number of its kernel's process."""
    marker = toy / "kernel-pid"
    sleep = f"import os, time, pathlib; pathlib.Path({str(marker)!r}).write_text(str(os.getpid())); time.sleep(300)"
    write_notebook(toy / "notebooks" / "toy.ipynb", "seeds = 3", sleep)
    command = [sys.executable, "-m", "lib.cli", "run", "toy"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
    )
    wait_for(lambda: marker.exists() and marker.read_text())
    return process, int(marker.read_text())


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie that waits for its parent has ended, too.
    return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("waited in vain")
