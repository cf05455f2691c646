"""Long tables in pieces: the same rows on one process and on two, and a recorded run without a notebook."""

import json
import sys

import pandas as pd
import pytest

from lib import tables
from lib.data import needed
from lib.fedper.experiments import Plan
from lib.fedper.experiments.rates import learning_rates
from lib.fedper.experiments.real import real_tasks
from lib.report.tasks import Task, run_tasks

SMALL = ["-p", "seeds=2", "-p", "data_sets=[femnist-digits]", "-p", "real_plan={rounds: 1, steps: 1}"]


def squares(*, upto):
    if upto < 0:
        raise ValueError("a negative number of rows")
    return pd.DataFrame({"n": range(upto), "square": [n * n for n in range(upto)]})


@pytest.mark.parametrize("workers", [1, 2])
def test_rows_come_in_the_order_of_the_tasks(workers):
    seen = {}
    tasks = [Task(name, squares, {"upto": n}) for name, n in (("b", 3), ("a", 2), ("b", 1))]
    found = run_tasks(tasks, workers=workers, on_table=seen.__setitem__)
    assert list(found) == ["b", "a"] and set(seen) == {"a", "b"}
    assert found["b"]["square"].tolist() == [0, 1, 4, 0] and found["a"]["n"].tolist() == [0, 1]
    assert found["b"].index.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_names_its_table(workers):
    tasks = [Task("fine", squares, {"upto": 1}), Task("wrong", squares, {"upto": -1})]
    with pytest.raises(ValueError, match="a negative number") as caught:
        run_tasks(tasks, workers=workers)
    assert caught.value.__notes__[-1] == "while computing the table 'wrong'"
    with pytest.raises(ValueError, match="at least one process"):
        run_tasks(tasks, workers=0)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_done_before_is_not_computed_again(workers):
    tasks = [Task(name, squares, {"upto": n}) for name, n in (("b", 3), ("a", 2), ("b", 1), ("c", -1))]
    known = {3: squares(upto=1), 0: squares(upto=3).assign(square=7)}
    seen, complete = {}, []
    found = run_tasks(
        tasks, workers=workers, done=known, on_piece=seen.__setitem__, on_table=lambda name, _: complete.append(name)
    )
    assert list(found) == ["b", "a", "c"] and found["b"]["square"].tolist() == [7, 7, 7, 0]
    assert set(seen) == {1, 2} and complete[0] == "c" and sorted(complete) == ["a", "b", "c"]


def sums(*, tables, factor):
    if not tables:
        raise ValueError("no table")
    return pd.DataFrame({"square": [factor * sum(int(table["square"].sum()) for table in tables.values())]})


@pytest.mark.parametrize("workers", [1, 2])
def test_a_table_begins_when_those_that_it_needs_are_complete(workers):
    last = [Task("c", sums, {"factor": f}, ("a", "b")) for f in (1, 2)]
    tasks = [*last, Task("b", sums, {"factor": 10}, ("a",)), *(Task("a", squares, {"upto": n}) for n in (3, 4))]
    order = []
    found = run_tasks(tasks, workers=workers, on_table=lambda name, _: order.append(name))
    assert order == ["a", "b", "c"] and list(found) == ["c", "b", "a"]
    a, b = (1 + 4) + (1 + 4 + 9), 10 * (1 + 4 + 1 + 4 + 9)
    assert found["b"]["square"].tolist() == [b] and found["c"]["square"].tolist() == [a + b, 2 * (a + b)]
    known = run_tasks(tasks[2:3], workers=workers, known={"a": squares(upto=2)})
    assert known["b"]["square"].tolist() == [10]
    again = run_tasks(tasks, workers=workers, done={2: pd.DataFrame({"square": [5]}), 3: squares(upto=2)})
    assert again["c"]["square"].tolist() == [1 + 14 + 5, 2 * (1 + 14 + 5)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_table_that_nobody_makes_is_missed_before_anything_is_computed(workers):
    fails = Task("a", squares, {"upto": -1})
    with pytest.raises(ValueError, match="'b' needs 'x', which is not there"):
        run_tasks([fails, Task("b", sums, {"factor": 1}, ("x",))], workers=workers)
    with pytest.raises(ValueError, match="tables b wait for each other"):
        run_tasks([fails, Task("b", sums, {"factor": 1}, ("b",))], workers=workers)
    with pytest.raises(ValueError, match="tables b, c, d wait for each other"):
        run_tasks([fails, Task("b", sums, {}, ("c",)), Task("c", sums, {}, ("b",)), Task("d", sums, {}, ("b",))])


def test_a_table_that_was_interrupted_keeps_its_pieces(tmp_path, monkeypatch):
    computed = []

    def pieces(job, only):
        return [Task("t", recorded, {"seen": computed, "n": n, "limit": limit}) for n in range(3)]

    monkeypatch.setattr(tables, "chosen", pieces)
    limit = 2
    with pytest.raises(KeyboardInterrupt):
        tables.main(["fedper", "--workers", "1", "--out", str(tmp_path)])
    assert json.loads((tmp_path / "result.json").read_text())["status"] == "partial" and computed == [0, 1]
    assert sorted(path.name for path in (tmp_path / "pieces").iterdir()) == ["t-0.csv", "t-1.csv"]
    limit, other = 9, tmp_path / "pieces" / "other-0.csv"  # of a table that is left alone
    other.touch()
    tables.main(["fedper", "--workers", "1", "--out", str(tmp_path)])
    assert computed == [0, 1, 2] and list((tmp_path / "pieces").iterdir()) == [other]
    assert pd.read_csv(tmp_path / "tables" / "t.csv")["n"].tolist() == [0, 1, 2]
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["status"] == "ok" and result["parameters"]["only"] == []
    other.rename(tmp_path / "pieces" / "t-2.csv")  # as after a kill between the table and its last piece
    tables.main(["fedper", "--workers", "1", "--out", str(tmp_path)])
    assert computed == [0, 1, 2] and not (tmp_path / "pieces").exists()


def test_a_piece_without_rows_is_a_piece(tmp_path, monkeypatch):
    computed = []
    piece = Task("t", recorded, {"seen": computed, "n": 1, "limit": 2})
    monkeypatch.setattr(tables, "chosen", lambda job, only: [Task("t", pd.DataFrame, {}), piece])
    (tmp_path / "pieces").mkdir()
    (tmp_path / "pieces" / "t-0.csv").write_text(tables._csv(pd.DataFrame()))
    tables.main(["fedper", "--only", "t", "--workers", "1", "--out", str(tmp_path)])
    assert computed == [1] and pd.read_csv(tmp_path / "tables" / "t.csv")["n"].tolist() == [1]


def recorded(*, seen, n, limit):
    if n >= limit:
        raise KeyboardInterrupt
    seen.append(n)
    return pd.DataFrame({"n": [n]})


def test_tables_of_a_former_run_serve_those_that_need_them(tmp_path, monkeypatch):
    tasks = [Task("a", squares, {"upto": 3}), Task("b", sums, {"factor": 1}, ("a",))]
    monkeypatch.setattr(tables, "chosen", lambda job, only: [task for task in tasks if not only or task.table in only])
    where = ["fedper", "--workers", "1", "--out", str(tmp_path)]
    with pytest.raises(ValueError, match="'b' needs 'a'"):
        tables.main([*where, "--only", "b"])

    def held():
        result = json.loads((tmp_path / "result.json").read_text())
        return result["status"], result["parameters"]["only"]

    tables.main([*where, "--only", "a"])
    assert held() == ("ok", ["a"])  # a record says which tables it holds unless it holds all
    (tmp_path / "tables" / "a.csv").write_text("square\n7\n")
    tables.main(where)
    assert pd.read_csv(tmp_path / "tables" / "b.csv")["square"].tolist() == [7]
    assert held() == ("ok", [])
    (tmp_path / "tables" / "b.csv").unlink()
    tables.main([*where, "--only", "a"])
    assert held() == ("ok", ["a"])


def test_progress_sees_every_task():
    lengths = []

    def progress(items, label):
        lengths.append(len(items))
        return items

    run_tasks([Task("t", squares, {"upto": 1})] * 3, progress=progress)
    assert lengths == [3]


def test_pieces_are_the_rows_of_the_whole():
    options = {"rates": (0.05,), "methods": ("FedAvg", "FedPer 1"), "rounds": 1, "steps": 2}
    whole = learning_rates(**options, seeds=2)
    pieces = [
        Task("rates", learning_rates, options | {"seeds": 1, "seed": s, "classes_per_client": (k,)})
        for s in (0, 1)
        for k in (4, 10)
    ]
    key = ["use", "classes_per_client", "method", "seed"]
    found = run_tasks(pieces, workers=2)["rates"]
    pd.testing.assert_frame_equal(
        found.sort_values(key, ignore_index=True), whole.sort_values(key, ignore_index=True), check_exact=True
    )


@pytest.mark.parametrize("data_set", ["cifar10", "cifar100", "femnist-digits", "flickr-aes"])
def test_the_pieces_of_a_data_set_are_the_grid_of_its_table(data_set):
    options = {"plan": Plan(), "seeds": 2, "seed": 5}
    tasks = real_tasks([data_set], **options, networks=["ResNet-34 / 8"])
    assert len({str(sorted(task.options.items(), key=str)) + task.table for task in tasks}) == len(tasks)
    by_table = {name: [task for task in tasks if task.table == name] for name in {task.table for task in tasks}}
    sizes = {"cifar10": 3 * 4 + 2, "cifar10_networks": 5, "cifar10_base": 1, "cifar10_units": 3}
    sizes |= {"cifar10_skew": 3 * 3, "cifar10_norm": 2 * 5, "cifar100": 2 * 3, "femnist": 3, "flickr": 2}
    names = [name for name in sizes if name.startswith(data_set.split("-")[0])]
    names = [name for name in names if (name == "cifar100") == (data_set == "cifar100")]
    assert names and {name: len(pieces) for name, pieces in by_table.items()} == {name: sizes[name] for name in names}


def test_tables_of_a_preset_become_a_recorded_run(tmp_path, monkeypatch, capsys):
    from lib.report import page

    if needed.absent("femnist-digits"):
        pytest.skip("needs femnist-digits: set SCARCE_DATA_MIRROR")
    folder = tmp_path / "fedper" / "real"
    tables.main(["fedper", "--preset", "quick", *SMALL, "--workers", "2", "--out", str(folder)])
    result = json.loads((folder / "result.json").read_text())
    assert (
        result["parameters"]["real_plan"] == {"rounds": 1, "steps": 1}
        and result["status"] == "ok"
        and result["machine"]["cores"] >= 1
    )
    assert not (folder / "pieces").exists()
    assert sum(name.startswith("femnist-digits-sample") for name in result["data"]) == 2
    assert "femnist:" in capsys.readouterr().out
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    read = page.recorded("fedper", "real")
    seeds = read["femnist"].groupby("use")["seed"].unique().map(set).to_dict()
    assert list(read) == ["femnist"] and seeds == {"judging": {0, 1}, "tuning": {1000}}
    (folder / "tables" / "femnist.csv").write_text("seed\n7\n")  # what is there is kept
    tables.main(["fedper", "--preset", "quick", *SMALL, "--out", str(folder)])
    assert page.recorded("fedper", "real")["femnist"]["seed"].tolist() == [7]
    assert json.loads((folder / "result.json").read_text())["data"] == result["data"]
    with pytest.raises(ValueError, match="other code or parameters"):
        tables.main(["fedper", "--preset", "quick", *SMALL, "-p", "seeds=3", "--out", str(folder)])


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'femnist'"):
        tables.main(["fedper", "--preset", "quick", *SMALL, "--only", "femnists", "--out", str(tmp_path / "x")])
    with pytest.raises(ValueError, match="not made of pieces"):
        tables.main(["bslb", "--out", str(tmp_path / "x")])
    assert not (tmp_path / "x").exists()


def test_no_progress_bar_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert list(tables._bar([1, 2], "tables")) == [1, 2]
