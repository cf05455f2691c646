"""A disk that is full when the runner writes its own files: one line, exit status 1, and what was there stays."""

import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lib import batch, jobs
from lib.files import write_json
from lib.report.paths import ROOT

FULL = OSError(errno.ENOSPC, "No space left on device")


def refuse(*_, **__):
    raise FULL


class Ended:
    """A worker that has written its result and ended."""

    returncode = 0

    def __init__(self, work):
        (work / "result.json").write_text('{"status": "ok", "run": "new", "seconds": 1, "peak_mib": 1}')

    def poll(self):
        return 0


@pytest.fixture
def job(toy):
    """The job of the toy paper, of which there is a finished run from before."""
    made = jobs.make_job("toy")
    write_json(made.folder / "result.json", {"status": "ok", "run": "earlier"})
    return made


def run_of(folder):
    return json.loads((folder / "result.json").read_text())["run"]


def siblings(folder):
    return [path.name for path in folder.parent.iterdir()]


@pytest.mark.parametrize("written", ["job.json", "log.txt", "run folder", "result"])
def test_a_run_that_cannot_be_written_leaves_the_earlier_one(job, scarce, monkeypatch, written):
    monkeypatch.setattr(batch, "start_worker", Ended)
    if written == "job.json":
        monkeypatch.setattr(batch, "write_json", refuse)
    elif written == "log.txt":
        monkeypatch.setattr(batch, "start_worker", refuse)
    elif written == "run folder":
        monkeypatch.setattr(
            Path, "mkdir", lambda path, *a, mkdir=Path.mkdir, **k: mkdir(path, *a, **k) if k else refuse()
        )
    else:  # the rename that makes the new run appear; that of the earlier one, aside and back, works
        rename = Path.rename
        monkeypatch.setattr(
            Path,
            "rename",
            lambda path, to: (
                refuse()
                if (path / "job.json").exists() or f".{job.hash}.{batch.HOST}" in path.name
                else rename(path, to)
            ),
        )
    status, _, err = scarce("run", "toy", "--force")
    assert status == 1 and err.strip() == "error: [Errno 28] No space left on device"
    assert run_of(job.folder) == "earlier" and siblings(job.folder) == [job.hash]


def test_after_a_full_disk_the_next_run_takes_the_place(job, scarce, monkeypatch):
    monkeypatch.setattr(batch, "start_worker", Ended)
    with monkeypatch.context() as full:
        full.setattr(batch, "write_json", refuse)
        assert scarce("run", "toy", "--force")[0] == 1
    assert scarce("run", "toy", "--force")[0] == 0
    assert run_of(job.folder) == "new" and siblings(job.folder) == [job.hash]


def test_a_record_that_does_not_fit_leaves_the_earlier_one(job, toy, monkeypatch):
    monkeypatch.setattr(batch, "RESULTS", toy / "results")
    target = batch.record(job)
    write_json(job.folder / "result.json", {"status": "ok", "run": "later"})

    def half(source, target, **_):
        target.mkdir()
        shutil.copy2(source / "result.json", target)
        raise FULL

    monkeypatch.setattr(batch.shutil, "copytree", half)
    with pytest.raises(OSError, match="No space left"):
        batch.record(job)
    assert run_of(target) == "earlier" and siblings(target) == ["quick"]


LIMITED = """
import resource, sys
from pathlib import Path
from lib import cli
from lib.files import write_json
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
folder = Path(sys.argv[1])
limit(65536)
try:
    write_json(folder / "result.json", {"status": "ok", "run": "x" * 100_000})
except OSError as error:
    print(error)
print([path.name for path in folder.iterdir()])
limit(0)
sys.argv = ["scarce", "run", "toy", "--force"]
cli.main()
"""


def test_files_that_cannot_grow(job):
    """As on a full disk, but without one: the system lets a process of its own write no more bytes to a file."""
    command = [sys.executable, "-c", LIMITED, str(job.folder)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    said = "[Errno 27] File too large"
    assert ended.stdout.splitlines()[:2] == [said, "['result.json']"] and ended.returncode == 1, ended
    assert ended.stderr.strip() == f"error: {said}"
    assert run_of(job.folder) == "earlier" and siblings(job.folder) == [job.hash]
