"""The benchmarks' own logic on made-up measurements; the measuring itself is `make bench`."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import __main__ as bench
from benchmarks import agreement, book, design, forward_mode, poisoning, profiling, regret, runner, segmentation
from lib import book_fragments

DESIGN = {
    "worst_value_ratio": 0.981,
    "worst_cpu_ratio": 61.0,
    "million": {"d": 64, "seconds": 40.2, "peak_over_arms": 1.21},
}
REGRET = {"figure_seconds": 31.0, "time_ratio": 2.5, "same_pulls": 0.997, "regret_ratio": 1.0004}
PROFILING = {
    "rows": [{"flops_ratio": 1.0}, {"flops_ratio": 0.9}],
    "worst_bytes_ratio": 1.002,
    "largest_model_time_ratio": 1.5,
    "largest_model_profiler_ratio": 4.0,
}
FORWARD_MODE = {
    "layers": 16,
    "k": 8,
    "difference": 2e-7,
    "jvp_forwards": 2.4,
    "stock_forwards": 3.6,
    "step_ratio": 1.4,
    "at_once_ratio": 1.2,
    "memory_growth": 1.03,
    "memory_ratio": 6.0,
}
BOOK = {"notebooks": {"bslb": 119.0, "spry": 181.0}, "wall_seconds": 300.0}

POISONING = {
    "n": 100,
    "d": 1000,
    "rows": [
        {"rule": "krum", "peer": "Flower", "difference": 0.0, "ratio": 4.9},
        {"rule": "bulyan", "peer": "Flower", "difference": 1e-7, "ratio": 1.1},
    ],
    "alike": {"ours": 1e-7, "flower": 60.0},
    "search_ratio": 22.0,
    "peak_over_updates": {"krum": 1.0, "geometric_median": 2.5, "mixed": 2.0},
}


def rows():
    found = design.rows(DESIGN) + regret.rows(REGRET) + profiling.rows(PROFILING)
    return found + book.rows(BOOK)


def test_an_unknown_benchmark_is_refused_before_anything_is_measured():
    with pytest.raises(SystemExit, match=r"error: no benchmark 'dezign': choose from design, regret"):
        bench.main(["design", "dezign"])


def test_one_part_measured_again_keeps_the_lines_of_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    for name, lines in (("book", book.rows(BOOK)), ("design", design.rows(DESIGN)), ("book", [])):
        bench.record(name, lines, order=["design", "book"])
    parts = json.loads((tmp_path / "benchmarks.json").read_text())["parts"]
    assert list(parts) == ["design", "book"]
    assert parts["design"]["rows"] == design.rows(DESIGN) and parts["book"]["rows"] == []


def test_every_part_measures_and_makes_its_rows():
    assert all(callable(part.measure) and callable(part.rows) for part in bench.PARTS)


def test_the_build_is_timed_from_runs_of_one_build(tmp_path, monkeypatch):
    started = {"a": "2026-01-01T00:00:00+00:00", "b": "2026-01-01T00:00:30+00:00"}
    monkeypatch.setattr(book, "papers", lambda: list(started))
    monkeypatch.setattr(book, "make_job", lambda paper: SimpleNamespace(folder=tmp_path / paper))
    monkeypatch.setattr(book, "read_result", lambda folder: {"started": started[folder.name], "seconds": 40.0})
    assert book.measure() == {"notebooks": {"a": 40.0, "b": 40.0}, "wall_seconds": 70.0}
    started["b"] = "2026-01-02T00:00:30+00:00"
    with pytest.raises(ValueError, match="of several builds"):
        book.measure()
    monkeypatch.setattr(book, "read_result", lambda folder: {})
    with pytest.raises(ValueError, match="no finished quick run of a: make book first"):
        book.measure()
    reached = [row["reached"] for row in book.rows(BOOK)]
    assert reached == [True, False, True]


def test_every_row_is_a_peer_that_agrees_or_a_target():
    peers = [row for row in rows() if row["kind"] == "peers"]
    targets = [row for row in rows() if row["kind"] == "targets"]
    assert len(peers) + len(targets) == len(rows())
    assert [row["reached"] for row in peers] == [True, False, True]
    assert [row["reached"] for row in targets] == [True, False, False, True, False, True]
    assert peers[0]["agreement"] == "0.981 of its value (at least 0.95)"
    assert peers[1]["agreement"] == "99.7% same pulls, regret 1.000 of its regret"
    assert peers[2]["measured"] == "1.50 times the bare step, the profiler 4.00 times"


def test_rules_of_aggregation_have_aims_of_their_own():
    found = poisoning.rows(POISONING)
    assert [row["reached"] for row in found] == [False, True, True, True, False, True]
    assert found[4]["what"].endswith("worst of 2 (geometric median)")
    assert [row["aim"] for row in found[:2]] == ["5 times", "1 times"]
    assert found[2]["measured"] == "1e-07 (Flower 60)"


def test_rows_on_forward_mode():
    found = forward_mode.rows(FORWARD_MODE)
    assert [row["reached"] for row in found] == [True, True, False, False]
    assert found[0]["measured"] == "2.4, PyTorch's 3.6" and found[0]["agreement"] == "derivatives within 2e-07"


def test_rows_on_segmentation():
    forms = {"csv": {"bytes": 15_000.0, "rate": 30_000.0}, "lean": {"bytes": 800.0, "rate": 60_000.0}}
    made = {"users": 1_000_000, "seconds": 0.1, "soft_seconds": 0.2, "difference": 1e-9, "bytes_a_user": 17.0}
    made |= {"memory_growth": 1.0, "forms": forms, "long": {"visits": 1000, "peak_mib": 500.0}}
    found = segmentation.rows(made)
    assert [row["reached"] for row in found] == [True, True, False, True, True]
    assert found[2]["measured"] == "30,000 visits/s, 450 MB/s"
    wrong = made | {"difference": 1e-3, "memory_growth": 1.2, "long": {"visits": 1000, "peak_mib": 1025.0}}
    assert [row["reached"] for row in segmentation.rows(wrong)] == [False, False, False, True, False]


def test_segmentation_times_only_what_it_has_read():
    found = segmentation.measure(users=2000, repeats=1, visits=50, long=120)
    assert found["difference"] < 1e-9 and found["seconds"] > 0 and found["bytes_a_user"] > 8
    assert len(found["forms"]) == 3 and all(form["rate"] > 0 for form in found["forms"].values())


def test_the_costs_page_has_one_table_of_each_kind(tmp_path, monkeypatch):
    monkeypatch.setattr(book_fragments, "RESULTS", tmp_path)
    assert "make bench" in book_fragments.benchmarks()
    common = {"machine": {"processor": "P"}, "versions": {"numpy": "2"}}
    first, last = (
        {"date": f"2030-01-0{day}", **common, "rows": part} for day, part in ((2, rows()[:3]), (4, rows()[3:]))
    )
    (tmp_path / "benchmarks.json").write_text(json.dumps({"parts": {"design": first, "book": last}}))
    lines = book_fragments.benchmarks().splitlines()
    peers, targets = lines.index("### Peers"), lines.index("### Targets")
    assert lines[peers + 2] == "| what | ours | compared with | results agree | measured | aim | reached |"
    assert lines[targets + 2] == "| what | ours | measured | aim | reached |"
    assert sum(line.startswith("|") for line in lines[peers:targets]) == 2 + 3
    assert sum(line.startswith("|") for line in lines[targets:]) == 2 + 6
    assert lines[-1] == "Measured on 2030-01-02, 2030-01-04: P, one thread, with numpy 2."


def test_require_returns_what_agrees_and_refuses_the_rest():
    assert agreement.require("value", 0.96, low=0.95) == 0.96
    for wrong in (0.94, float("nan")):
        with pytest.raises(AssertionError, match=r"value: .* nothing is timed"):
            agreement.require("value", wrong, low=0.95)


def test_a_design_of_low_value_is_not_timed(monkeypatch):
    monkeypatch.setattr(design, "frank_wolfe_design", lambda points, u: (None, 0.9, 1.0))
    monkeypatch.setattr(design, "sdp_design", lambda points, u: (None, 1.0, 1.0))
    monkeypatch.setattr(design, "_best_of", lambda *_: pytest.fail("timed"))
    with pytest.raises(AssertionError, match=r"clustered, u=3: 0\.9 "):
        design.measure(sizes=(3,), d=2, arms=10, million=False)


def test_a_policy_that_pulls_other_arms_is_not_timed(monkeypatch):
    def backwards(env, T, *, alpha):
        return np.argsort(env.means, axis=1)[:, :T]

    monkeypatch.setattr(regret, "plain_linucb", backwards)
    monkeypatch.setattr(regret, "_best_of", lambda *_: pytest.fail("timed"))
    with pytest.raises(AssertionError, match="regret of vectorized over plain LinUCB"):
        regret.measure(replicates=2, T=10, arms=80, d=12, figure=False)


def test_vectorized_and_plain_linucb_pull_the_same_arms():
    found = regret.measure(replicates=2, T=30, arms=120, d=12, repeats=1, figure=False)
    assert found["same_pulls"] >= 0.99 or abs(found["regret_ratio"] - 1) <= 0.01
    assert found["time_ratio"] > 0


def test_wrong_bytes_are_not_timed(monkeypatch):
    monkeypatch.setattr(profiling, "_allocator_peak", lambda step: 1)
    monkeypatch.setattr(profiling, "_best", lambda *_: pytest.fail("timed"))
    with pytest.raises(AssertionError, match="forward, 8"):
        profiling.measure(widths=(8,), depth=1, batch=2)


RUNNER = {
    "jobs": 4,
    "seconds": 15.0,
    "serial_seconds": 68.0,
    "parallel_seconds": 40.0,
    "speedup": 1.7,
    "papermill_seconds": 3.0,
    "runner_seconds": 3.4,
    "overhead_seconds": 0.4,
    "book": {"start_seconds": 1.0, "again_seconds": 4.0, "work_seconds": 3.0},
}


def test_the_runners_rows_are_reached_or_not_by_what_was_measured():
    assert [row["reached"] for row in runner.rows(RUNNER)] == [True] * 3
    missed = RUNNER | {"speedup": 1.5, "overhead_seconds": 0.6, "book": RUNNER["book"] | {"work_seconds": 5.5}}
    assert [row["reached"] for row in runner.rows(missed)] == [False] * 3
    assert len(runner.rows({name: value for name, value in RUNNER.items() if name != "book"})) == 2


@pytest.mark.slow
def test_the_runner_is_measured_on_a_notebook_of_its_own():
    found = runner.measure(jobs=2, seconds=0.1, repeats=1, book=False)
    assert found["speedup"] == found["serial_seconds"] / found["parallel_seconds"]
    assert found["serial_seconds"] > 0.2 and found["papermill_seconds"] > 0.2  # each starts a kernel
    assert found["overhead_seconds"] == found["runner_seconds"] - found["papermill_seconds"]
    assert len(runner.rows(found)) == 2
