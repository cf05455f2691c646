import json
import os
import signal
import subprocess
import sys
import threading
import time

import pandas as pd
import pytest
from test_batch import alive, hear_ctrl_c, wait_for
from toy_notebook import CLAIMS, FIGURE, SETUP, write_notebook

from lib import batch, book_sweeps, jobs, pool, sweep, sweep_report
from lib.report.paths import ROOT

SPEC = """
papers: [toy]
presets: [quick, real]
grid:
  toy: {scale: [1.0, 2.0]}
plot: {paper: toy, table: table, x: scale, y: value}
"""


@pytest.fixture
def spec(toy):
    """The path of a sweep of the toy paper, here without a figure, over two scales at two presets."""
    write_notebook(toy / "notebooks" / "toy.ipynb", "seeds = 3\nscale = 1.0\nks = [1, 2]", SETUP, CLAIMS)
    path = toy / "scales.yaml"
    path.write_text(SPEC)
    return path


def run_command(*words, **options):
    command = [sys.executable, "-m", "lib.cli", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **options)


def test_every_combination_is_one_checked_run(spec):
    plan = sweep.read_sweep(spec)
    assert plan.name == "scales"
    assert [(job.preset, job.parameters["seeds"], job.parameters["scale"]) for job in plan.jobs] == [
        (preset, seeds, scale) for preset, seeds in (("quick", 3), ("real", 5)) for scale in (1.0, 2.0)
    ]
    assert len({job.hash for job in plan.jobs}) == 4


def test_combinations_cross_all_axes():
    found = sweep.combinations({"a": [1, 2], "b": ["x"], "seed": [7, 8]})
    assert found == [{"a": a, "b": "x", "seed": s} for a in (1, 2) for s in (7, 8)]
    assert sweep.combinations({}) == [{}]


def test_a_number_of_seeds_means_so_many_whichever_way_a_notebook_declares_them(spec, toy):
    write_notebook(toy / "notebooks" / "one.ipynb", "seed = 0\nscale = 1.0", SETUP)
    spec.write_text("papers: [toy, one]\npresets: [quick]\nseeds: 2\ngrid: {toy: {scale: [1.0, 2.0]}}")
    found = [
        (job.paper, job.parameters.get("seeds"), job.parameters.get("seed")) for job in sweep.read_sweep(spec).jobs
    ]
    assert found == [("toy", 2, None)] * 2 + [("one", None, 0), ("one", None, 1)]


def test_a_list_of_seeds_is_one_run_a_value_of_seed(spec, toy):
    write_notebook(toy / "notebooks" / "one.ipynb", "seed = 0\nscale = 1.0", SETUP)
    spec.write_text("papers: [one]\nseeds: [7, 8]\ngrid: {one: {scale: [1.0, 2.0]}}")
    found = [(job.parameters["scale"], job.parameters["seed"]) for job in sweep.read_sweep(spec).jobs]
    assert found == [(scale, seed) for scale in (1.0, 2.0) for seed in (7, 8)]


def test_seeds_of_a_notebook_without_any_are_refused(spec, toy):
    write_notebook(toy / "notebooks" / "none.ipynb", "scale = 1.0", SETUP)
    for seeds, said in (("2", "declares neither seeds nor seed"), ("[2]", "declares no parameter seed, nor a number")):
        spec.write_text(f"papers: [none]\nseeds: {seeds}")
        with pytest.raises(ValueError, match=f"none {said}"):
            sweep.read_sweep(spec)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("papers: [toi]", "unknown paper 'toi': did you mean 'toy'"),
        ("paper: [toy]", "unknown key of scales.yaml 'paper': did you mean 'papers'"),
        ("papers: [toy]\ngrid: {toy: {scal: [1]}}", "unknown parameter of toy 'scal': did you mean 'scale'"),
        ("papers: [toy]\ngrid: {toy: {seeds: [x]}}", r"seeds='x': expected int"),
        ("papers: [toy]\ngrid: {toy: {seeds: 3}}", r"seeds: expected a list of values, like \[3\]"),
        ("papers: [toy]\npresets: quick", r"presets: expected a list, like \[quick\]"),
        (
            "papers: [toy]\nseeds: [1, 5]",
            r"toy declares no parameter seed, only numbers of seeds \(seeds\): say seeds: 2",
        ),
        ("papers: [toy]\nseeds: many", "seeds: 'many': expected a number of seeds, like 5, or a list"),
        ("papers: [toy]\nseeds: []", r"seeds: \[\]: expected a number of seeds"),
        ("papers: [toy]\nseeds: 0", "seeds: 0: expected a number of seeds"),
        ("papers: [toy]\ngrid: {tay: {}}", "unknown paper in grid 'tay': did you mean 'toy'"),
        ("papers: [toy]\nplot: {paper: toy, table: t, x: a}", "plot: y is missing"),
        ("- toy", "expected a mapping"),
    ],
)
def test_a_wrong_specification_stops_before_anything_runs(spec, text, message):
    spec.write_text(text)
    with pytest.raises(ValueError, match=message):
        sweep.read_sweep(spec)


def test_a_sweep_runs_all_then_nothing_and_reports(spec, toy):
    done = run_command("sweep", spec)
    assert done.returncode == 0, done.stderr
    folder = toy / "runs" / "sweeps" / "scales"
    summary = pd.read_csv(folder / "summary.csv")
    assert (summary["state"] == "done").all() and len(summary) == 4
    assert (folder / "plot.png").stat().st_size > 1000
    claims = pd.read_csv(folder / "claims.csv")
    assert list(claims["measured"].astype(float)) == [2, 4, 4, 8]  # scale * (seeds - 1)
    assert "| toy | c |" in (folder / "index.md").read_text()
    again = run_command("sweep", spec)
    assert again.returncode == 0
    assert (pd.read_csv(folder / "summary.csv")["state"] == "up to date").all()
    dry = run_command("sweep", spec, "--dry-run")
    assert "0 of 4 to run" in dry.stdout
    both = run_command("sweep", spec, "--dry-run", "--record")
    assert both.returncode == 1 and "leave out --dry-run" in both.stderr


def test_a_recorded_sweep_is_a_section_of_the_book(tmp_path, monkeypatch):
    folder, results, generated = tmp_path / "scales", tmp_path / "results", tmp_path / "generated"
    folder.mkdir()
    generated.mkdir()
    assert book_sweeps.sweeps_text(generated, results / "sweeps") == book_sweeps.NONE_YET
    text = "# Sweep scales\n\n![Median of a](plot.png)\n\n## Runs\n\n| a |\n| --- |\n| # |"
    for name, content in {"index.md": text, "plot.png": "new", "claims.csv": "", "summary.csv": ""}.items():
        (folder / name).write_text(content)
    monkeypatch.setattr(sweep_report, "RESULTS", results)
    (results / "sweeps" / "scales").mkdir(parents=True)
    (results / "sweeps" / "scales" / "old.csv").write_text("")
    kept = sweep_report.record_report(folder)
    assert {path.name for path in kept.iterdir()} == {path.name for path in folder.iterdir()}
    shown = book_sweeps.sweeps_text(generated, results / "sweeps").splitlines()
    assert shown[0] == "## Sweep scales" and "### Runs" in shown and "| # |" in shown
    assert "```{figure} /book/_generated/sweep-scales.png" in shown and ":alt: Median of a" in shown
    assert (generated / "sweep-scales.png").read_text() == "new"


def test_swept_tables_join_parameters_and_refuse_unknown_columns(spec):
    plan = sweep.read_sweep(spec)
    quick = [job for job in plan.jobs if job.preset == "quick"]
    pool.run_all(quick, workers=2)
    data = sweep_report.swept_table(quick, plan.plot)
    assert data.groupby("scale")["value"].max().to_dict() == {1.0: 2.0, 2.0: 4.0}
    assert "seeds" in data and "ks" not in data
    with pytest.raises(ValueError, match="no column 'rounds'"):
        sweep_report.swept_table(quick, {**plan.plot, "x": "rounds"})
    with pytest.raises(ValueError, match="keeps no table 'other': it keeps table"):
        sweep_report.swept_table(quick, {**plan.plot, "table": "other"})


def test_one_failure_does_not_stop_the_others_and_is_not_retried(spec, toy):
    bad = "\nif scale == 2.0:\n    raise ValueError('loss is NaN')"
    write_notebook(toy / "notebooks" / "toy.ipynb", "seeds = 3\nscale = 1.0", SETUP + bad, CLAIMS)
    done = run_command("sweep", spec)
    assert done.returncode == 1
    assert done.stderr.startswith("error: 2 of 4 runs failed, the first: toy (quick) failed: ValueError: loss is NaN")
    summary = pd.read_csv(toy / "runs" / "sweeps" / "scales" / "summary.csv")
    assert summary["state"].value_counts().to_dict() == {"done": 2, "failed": 2}
    assert (summary["attempts"] == 1).all()


def test_a_kernel_that_dies_once_is_started_again(toy):
    mark = toy / "died"
    die = f"import os, pathlib, signal\nm = pathlib.Path({str(mark)!r})\nif not m.exists():\n    m.touch()\n"
    write_notebook(
        toy / "notebooks" / "toy.ipynb",
        "seeds = 3\nscale = 1.0",
        die + "    os.kill(os.getpid(), signal.SIGKILL)",
        SETUP,
        CLAIMS,
    )
    (outcome,) = pool.run_all([jobs.make_job("toy")], retries=1)
    assert (outcome.state, outcome.attempts) == ("done", 2)
    mark.unlink()
    (outcome,) = pool.run_all([jobs.make_job("toy", overrides={"seeds": 2})], retries=0)
    assert outcome.state == "failed" and "DeadKernelError" in outcome.message


def test_a_killed_worker_is_started_again(toy):
    once = f"import pathlib, time\nm = pathlib.Path({str(toy / 'began')!r})\nif not m.exists():\n    m.touch()\n"
    write_notebook(
        toy / "notebooks" / "toy.ipynb", "seeds = 3", f"{once}    time.sleep(60)", SETUP.replace("scale", "2"), CLAIMS
    )
    job, killed = jobs.make_job("toy"), []

    def kill_once(outcome):
        marks = list(job.folder.parent.glob(f".{job.hash}.*/{batch.WORKER}"))
        if outcome.state == "running" and outcome.message.startswith("cell") and marks and not killed:
            killed.append(int(marks[0].read_text()))
            os.kill(killed[0], signal.SIGKILL)

    (outcome,) = pool.run_all([job], retries=1, on_change=kill_once)
    assert killed
    assert (outcome.state, outcome.attempts) == ("done", 2)


def test_a_hanging_notebook_meets_its_limit(toy):
    write_notebook(toy / "notebooks" / "toy.ipynb", "seeds = 3", "import time; time.sleep(600)")
    job = jobs.make_job("toy")
    (outcome,) = pool.run_all([job], retries=0, limit=5)
    assert outcome.state == "failed"
    assert "passed its limit of 5 s" in outcome.message
    assert not job.done
    assert not list(job.folder.parent.glob(".*.*"))


def test_a_corrupt_result_is_run_again(toy):
    job = jobs.make_job("toy")
    folder = batch.execute(job)
    before = (folder / "tables" / "table.csv").read_bytes()
    for rubbish in (b"{", b"null", b"\xff\xfe"):
        (folder / "result.json").write_bytes(rubbish)
        assert not job.done
    (outcome,) = pool.run_all([job])
    assert outcome.state == "done"
    assert job.done
    assert (folder / "tables" / "table.csv").read_bytes() == before


def test_two_drivers_share_the_runs(spec, toy):
    counter = toy / "counter"
    count = f"\nwith open({str(counter)!r}, 'a') as f:\n    f.write('x')\nimport time; time.sleep(1)"
    write_notebook(toy / "notebooks" / "toy.ipynb", "seeds = 3\nscale = 1.0", SETUP + count, CLAIMS)
    command = [sys.executable, "-m", "lib.cli", "sweep", str(spec), "--workers", "2"]
    drivers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [driver.wait(timeout=300) for driver in drivers] == [0, 0]
    assert counter.read_text() == "x" * 4


def test_a_killed_driver_is_resumed_with_the_same_tables(spec, toy):
    slow = "\nimport time; time.sleep(1.5)"
    write_notebook(toy / "notebooks" / "toy.ipynb", "seeds = 3\nscale = 1.0", SETUP + slow, FIGURE, CLAIMS)
    command = [sys.executable, "-m", "lib.cli", "sweep", str(spec), "--workers", "2"]
    driver = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    runs = toy / "runs" / "toy"
    wait_for(lambda: list(runs.glob("*/[!.]*/result.json")), seconds=120)
    workers = [int(path.read_text()) for path in runs.glob(f"*/.*/{batch.WORKER}")]
    driver.kill()
    driver.wait()
    finished = {path: path.stat().st_mtime_ns for path in runs.glob("*/[!.]*/result.json")}
    assert 1 <= len(finished) < 4
    wait_for(lambda: not any(map(alive, workers)), seconds=30)
    assert run_command("sweep", spec).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in finished} == finished  # what was done was not run again
    assert len(list(runs.glob("*/[!.]*/result.json"))) == 4
    for path in runs.glob("*/*/parameters.yaml"):
        table = pd.read_csv(path.parent / "tables" / "table.csv")
        scale = json.loads((path.parent / "result.json").read_text())["parameters"]["scale"]
        assert (table["value"] == scale * table["seed"]).all()


def test_ctrl_c_stops_all_runs_and_leaves_nothing(spec, toy):
    write_notebook(toy / "notebooks" / "toy.ipynb", "seeds = 3\nscale = 1.0", "import time; time.sleep(300)")
    command = [sys.executable, "-m", "lib.cli", "sweep", str(spec), "--workers", "2"]
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    driver = subprocess.Popen(command, cwd=ROOT, preexec_fn=hear_ctrl_c, **streams)
    runs = toy / "runs" / "toy"
    wait_for(lambda: len(list(runs.glob(f"*/.*/{batch.WORKER}"))) == 2, seconds=60)
    driver.send_signal(signal.SIGINT)
    _, said = driver.communicate(timeout=90)
    assert driver.returncode == 130
    assert said.strip().splitlines()[-1] == "interrupted; nothing was left half-written"
    assert not list(runs.glob("*/*")) and not list(runs.glob("*/.*"))


def test_no_more_runs_at_a_time_than_fit_cores_and_memory(toy, monkeypatch):
    plan = [jobs.make_job("toy", overrides={"seeds": seeds}) for seeds in (2, 3, 4)]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    for free, expected in ((100 * 2**30, 3), (5 * 2**30, 2), (2**20, 1)):
        memory = type("Memory", (), {"available": free})
        monkeypatch.setattr("psutil.virtual_memory", lambda memory=memory: memory)
        assert pool.fitting_workers(plan) == expected


def test_the_longest_run_begins_first_and_results_keep_their_order(toy, monkeypatch):
    short, long = {"preset": "quick"}, {"preset": "real"}
    kinds = ((2, short), (2, long), (2, {"preset": "paper"}), (3, long))
    plan = [jobs.make_job("toy", overrides={"seeds": seeds}, **kind) for seeds, kind in kinds]
    seconds = {"quick": 10.0, "real": 30.0, "paper": None}
    monkeypatch.setattr(pool, "estimate", lambda job: (seconds[job.preset], None))
    begun = []

    def bring(job, **options):
        begun.append(job)
        return pool.Outcome(job, pool.DONE)

    monkeypatch.setattr(pool, "bring_up_to_date", bring)
    outcomes = pool.run_all(plan, workers=1)
    assert begun == [plan[2], plan[1], plan[3], plan[0]]
    assert [outcome.job for outcome in outcomes] == plan


def test_estimates_come_from_recorded_sweeps_until_this_machine_has_runs(toy, monkeypatch):
    monkeypatch.setattr(pool, "RESULTS", toy / "results")
    job = jobs.make_job("toy")
    assert pool.estimate(job) == (None, None)
    folder = toy / "results" / "sweeps" / "some"
    folder.mkdir(parents=True)
    lines = ["toy,quick,10,300", "toy,quick,20,200", "toy,quick,,", "toy,real,99,999", "other,quick,77,777"]
    (folder / "summary.csv").write_text("\n".join(["paper,preset,seconds,peak_mib", *lines]) + "\n")
    assert pool.estimate(job) == (15, 300)
    other = job.folder.with_name("other")
    other.mkdir(parents=True)
    (other / "result.json").write_text(json.dumps({"seconds": 3.0, "peak_mib": 50.0}))
    assert pool.estimate(job) == (3, 50)


def test_runs_overlap_in_time(toy):
    write_notebook(
        toy / "notebooks" / "toy.ipynb", "seeds = 3\nscale = 1.0", SETUP, "import time; time.sleep(2)", CLAIMS
    )
    running, most, lock = set(), [0], threading.Lock()

    def watch(outcome):
        with lock:
            (running.add if outcome.state == "running" else running.discard)(outcome.job.hash)
            most[0] = max(most[0], len(running))

    begin = time.monotonic()
    outcomes = pool.run_all([jobs.make_job("toy", overrides={"seeds": n}) for n in (2, 3)], workers=2, on_change=watch)
    assert [outcome.state for outcome in outcomes] == ["done", "done"]
    assert most[0] == 2
    assert max(outcome.seconds for outcome in outcomes) <= time.monotonic() - begin
