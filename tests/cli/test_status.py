"""What `scarce status` says while runs run, after they failed, and when they are done."""

import json
import os
import subprocess
import sys

import pytest
from test_batch import alive, hear_ctrl_c, start_sleeping_run, wait_for
from toy_notebook import SETUP, write_notebook

from lib import batch, jobs, status
from lib.report.paths import ROOT

__all__ = ["hear_ctrl_c"]


def finished(job, **facts):
    """Write the record of a finished run of `job`."""
    job.folder.mkdir(parents=True, exist_ok=True)
    result = {"status": "ok", "parameters": job.parameters, "started": "2030-01-02T03:04:05+00:00"}
    (job.folder / "result.json").write_text(json.dumps(result | {"seconds": 2.5, "peak_mib": 99.0} | facts))


def test_without_any_run_everything_is_to_do_and_the_exit_code_is_zero(toy, scarce):
    code, out, err = scarce("status")
    assert code == 0, err
    assert "running now: nothing" in out and "succeeded since: nothing" in out and "to do" in out
    assert "0.0 MiB: empty" in out


def test_what_runs_is_named_with_its_step_until_it_ends(toy, scarce, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    process, kernel = start_sleeping_run(toy)
    try:
        (row,) = status.running().itertuples()
        assert (row.paper, row.preset, row.changed, row.state) == ("toy", "quick", "", "running")
        assert row.step.startswith("cell ") and row.since[:2] == "20"
        code, out, _ = scarce("status")
        assert code == 0 and "running" in out and "cell " in out
    finally:
        process.kill()
        process.communicate(timeout=60)
    wait_for(lambda: not alive(kernel), seconds=30)
    wait_for(lambda: status.running().empty, seconds=30)


def test_a_folder_whose_processes_are_gone_is_left_over(toy):
    job = jobs.make_job("toy", overrides={"seeds": 4})
    dead = subprocess.Popen(["true"])
    dead.wait()
    described = json.dumps({"job": vars(job), "started": "2030-01-02T03:04:05+00:00"})
    here = f"{batch.HOST}.{dead.pid}"
    for name, expected in ((here, "left over"), (os.getpid(), "starting"), (f"far.{dead.pid}", "on far")):
        folder = job.folder.with_name(f".{job.hash}.{name}")
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(described)
        found = status.running().set_index("folder")
        assert found.loc[str(folder), "state"] == expected
        assert found.loc[str(folder), "changed"] == "seeds=4"
    (job.folder.with_name(f".empty.{dead.pid}")).mkdir()  # it has just begun: nothing to tell
    assert len(status.running()) == 3


def test_a_failed_run_is_named_with_its_log_until_it_succeeds(toy, scarce, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    path = toy / "notebooks" / "toy.ipynb"
    write_notebook(path, "seeds = 3\nscale = 1.0", SETUP, "raise ValueError('loss is [NaN]: lower the rate')")
    job = jobs.make_job("toy")
    with pytest.raises(batch.RunFailed):
        batch.execute(job)
    (row,) = status.failed().itertuples()
    assert (row.paper, row.preset) == ("toy", "quick") and "loss is [NaN]: lower the rate" in row.error
    assert "raise ValueError" in (ROOT / row.log).read_text()
    code, out, _ = scarce("status")
    flat = " ".join(out.replace("│", " ").split())
    assert code == 0 and "loss is [NaN]: lower the rate" in flat and row.log in out.replace("\n", "")
    finished(job)
    assert status.failed().empty


def test_done_stale_and_to_do_with_time_and_memory(toy, monkeypatch):
    monkeypatch.setattr("lib.report.paths.RESULTS", toy / "results")
    states = lambda: status.presets(["toy"]).set_index("preset")["state"].to_dict()  # noqa: E731
    assert states() == {"quick": "to do", "real": "to do"}
    finished(jobs.make_job("toy", overrides={"seeds": 4}))
    assert states()["quick"] == "to do"  # of other parameters
    finished(jobs.make_job("toy"))
    assert states() == {"quick": "done", "real": "to do"}
    path = toy / "notebooks" / "toy.ipynb"
    cells = ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]
    write_notebook(path, *cells, "1 + 1")
    assert states() == {"quick": "stale", "real": "to do"}
    (toy / "results" / "toy" / "real").mkdir(parents=True)
    kept = {"preset": "real", "started": "2030-02-03T03:04:05"}
    (toy / "results" / "toy" / "real" / "result.json").write_text(json.dumps(kept))
    table = status.presets(["toy"]).set_index("preset")
    assert table["recorded"].to_dict() == {"quick": "", "real": "2030-02-03"}
    assert table.loc["quick", ["seconds", "peak_mib"]].tolist() == [2.5, 99.0]


def test_disk_use_counts_all_files(toy):
    job = jobs.make_job("toy")
    finished(job)
    (job.folder / "big").write_bytes(bytes(3 * 2**20))
    broken = job.folder.with_name(f"{job.hash}.failed")
    broken.mkdir()
    (broken / "log.txt").write_bytes(bytes(2**20))
    (row,) = status.disk().itertuples()
    assert (row.paper, row.finished, row.failed, row.unfinished) == ("toy", 1, 1, 0)
    assert row.mib == pytest.approx(4, abs=0.01)


def test_a_corrupt_record_does_not_stop_the_status(toy, scarce):
    job = jobs.make_job("toy")
    finished(job)
    for rubbish in (b"{", b"null", b"\xff\xfe"):
        (job.folder / "result.json").write_bytes(rubbish)
        code, out, _ = scarce("status")
        assert code == 0 and "to do" in out


def test_the_command_ends_well_as_a_process_of_its_own(toy):
    done = subprocess.run([sys.executable, "-m", "lib.cli", "status"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "toy" in done.stdout and done.stderr == ""
