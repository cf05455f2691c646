import json

import pandas as pd
import pytest

from lib import book_status


def result(preset="quick", started="2030-01-02T03:04:05+00:00", **changed):
    facts = {
        "status": "ok", "paper": "toy", "preset": preset, "started": started, "seconds": 10.0, "peak_mib": 200.0,
        "git": {"commit": "abc", "dirty": False}, "versions": {}, "data": {}, "parameters": {"seeds": 3},
        "machine": {"processor": "P", "cores": 2, "accelerator": "none", "threads": {}},
    }  # fmt: skip
    return facts | changed


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A paper `toy` with one notebook, one run of this build, one earlier one, a changed one, and records."""
    notebooks, runs, results = tmp_path / "notebooks", tmp_path / "runs", tmp_path / "results"
    notebooks.mkdir()
    cell = {"cell_type": "code", "metadata": {}, "source": "seeds = 3", "outputs": []}
    heading = {"cell_type": "markdown", "metadata": {}}
    cells = [
        heading | {"source": "## Theory, each statement with its check"},
        cell,
        heading | {"source": "### A"},
        cell,
    ]
    cells += [heading | {"source": "## Experiments"}, cell, heading | {"source": "## Costs"}]
    (notebooks / "toy.ipynb").write_text(json.dumps({"cells": cells}))

    class Job:
        folder, parameters = runs / "toy" / "quick" / "now", {"seeds": 3, "added_later": 1}

    def write(folder, content):
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps(content))

    write(Job.folder, result(started="2030-01-02T03:04:05"))
    write(Job.folder.with_name("old"), result(started="2030-01-01T03:04:05", git={"commit": "def", "dirty": True}))
    write(Job.folder.with_name("changed"), result(parameters={"seeds": 5}))
    write(Job.folder.with_name("failed"), result(status="failed"))
    write(results / "toy" / "real", result("real", started="2029-12-31T00:00:00"))
    for name, value in (("NOTEBOOKS", notebooks), ("RESULTS", results), ("ROOT", tmp_path)):
        monkeypatch.setattr(book_status, name, value)
    monkeypatch.setattr(book_status, "runs_dir", lambda: runs)
    monkeypatch.setattr(book_status, "papers", lambda: ["toy"])
    monkeypatch.setattr(book_status, "make_job", lambda paper: Job)
    return tmp_path


def claims(*statuses):
    rows = [("toy", str(place), status) for place, status in enumerate(statuses)]
    return pd.DataFrame(rows, columns=["paper", "id", "status"])


def test_the_checklist_counts_cells_claims_and_records(toy):
    found = book_status.has("toy", claims("reproduced", "not reproduced", "not judged", "not run here"))
    assert list(found) == list(book_status.HEADS)
    assert found == {
        "theory": 2, "experiments": 1, "costs": 0, "claims judged": "2 of 4", "real run": "2029-12-31", "GPU run": "",
        "tests": 0, "benchmark rows": 0,
    }  # fmt: skip


def test_what_is_missing_says_so(toy):
    line = book_status.checklist(claims("not run here")).splitlines()[-1]
    none = "**none**"
    cells = ["[toy](/notebooks/toy.ipynb)", "2", "1", none, none, "2029-12-31", none, none, none]
    assert line == f"| {' | '.join(cells)} |"


def test_tests_and_benchmarks_are_counted_by_their_paper(toy, monkeypatch):
    (toy / "tests" / "toy").mkdir(parents=True)
    (toy / "tests" / "toy" / "test_a.py").write_text("def test_one(): ...\ndef helper(): ...\ndef test_two(): ...\n")
    parts = {"speed": {"rows": [{}, {}]}, "other": {"rows": [{}]}}
    (toy / "results" / "benchmarks.json").write_text(json.dumps({"parts": parts}))
    monkeypatch.setattr(book_status, "benchmarked_rooms", lambda part: {"toy"} if part == "speed" else {"data"})
    found = book_status.has("toy", claims("close"))
    assert (found["tests"], found["benchmark rows"]) == (2, 2)


def test_a_paper_without_rows_of_its_own_shows_those_of_the_core_it_builds_on(toy, monkeypatch):
    (toy / "lib" / "toy").mkdir(parents=True)
    (toy / "results" / "benchmarks.json").write_text(json.dumps({"parts": {"speed": {"rows": [{}, {}]}}}))
    monkeypatch.setattr(book_status, "benchmarked_rooms", lambda part: {"federated"})
    for line, shown in (("from lib.federated.run import run", "2 of the core"), ("from lib import federation", 0)):
        (toy / "lib" / "toy" / "core.py").write_text(line)
        assert book_status.has("toy", claims("close"))["benchmark rows"] == shown


def test_a_benchmark_belongs_to_the_rooms_that_it_imports():
    assert "bslb" in book_status.benchmarked_rooms("design")
    assert "bslb" not in book_status.benchmarked_rooms("federated")


def test_a_run_counts_as_one_on_a_gpu_only_if_it_was_told_to_use_it(toy):
    card = {"machine": {"accelerator": "H100", "processor": "P"}}
    assert not book_status.used_gpu(result(**card))
    assert book_status.used_gpu(result(**card, parameters={"plan": {"device": "cuda:0"}}))
    assert not book_status.used_gpu(result(parameters={"device": "cuda"}))


def test_history_keeps_default_runs_and_records_in_order_of_time(toy):
    runs = book_status.history()
    assert runs[["preset", "place", "commit"]].to_numpy().tolist() == [
        ["quick", "earlier", "def+"],
        ["quick", "this build", "abc"],
        ["real", "recorded", "abc"],
    ]


def test_history_shows_the_newest_runs_and_says_what_was_not_measured(toy):
    runs = book_status.history()
    runs["peak_mib"] = runs["peak_mib"].astype(object).where(runs["preset"] == "quick", None)
    lines = [line for line in book_status.history_text(runs, most=1).splitlines() if line.startswith("| toy")]
    assert lines == [
        "| toy | quick | 2030-01-02 03:04 | 10.0 | 200.0 | `abc` | P | this build |",
        "| toy | real | 2029-12-31 00:00 | 10.0 | not measured | `abc` | P | recorded |",
    ]


def test_the_figure_of_history_has_a_point_a_quick_run(toy):
    runs = book_status.history()
    fig = book_status.history_figure(runs)
    for axis, values in zip(fig.axes, ([10, 10], [200, 200]), strict=True):
        (line,) = axis.lines
        assert list(line.get_xdata()) == [-1, 0] and list(line.get_ydata()) == values
    assert "toy 10 s, 200 MiB; 0.2 minutes in all" in book_status.history_figure_text(runs)
