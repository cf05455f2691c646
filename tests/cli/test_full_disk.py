"""A disk that is full when the runner writes its own files: one line, exit status 1, and what was there stays."""

import errno
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from lib import batch, jobs
from lib.files import write_json

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


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB, where this process may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if made.returncode:
        pytest.skip("mounting a file system is not permitted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full(small_disk, toy, scarce, monkeypatch):
    monkeypatch.setenv("SCARCE_RUNS", str(small_disk))
    job = jobs.make_job("toy")
    write_json(job.folder / "result.json", {"status": "ok", "run": "earlier"})
    with pytest.raises(OSError, match="No space left"):
        write_json(job.folder / "result.json", {"status": "ok", "run": "x" * 100_000})
    assert run_of(job.folder) == "earlier" and len(list(job.folder.iterdir())) == 1
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filler").write_bytes(bytes(100_000))
    status, _, err = scarce("run", "toy", "--force")
    assert status == 1 and "No space left on device" in err and len(err.strip().splitlines()) == 1
    assert run_of(job.folder) == "earlier" and siblings(job.folder) == [job.hash]
