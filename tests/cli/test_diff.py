import json
import shutil

import pandas as pd
import pytest
from toy_notebook import make_toy

from lib import batch, diff, diff_page, jobs


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The runs folder with two finished runs of the toy paper: two scales."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        make_toy(folder, patch)
        for scale in (1.0, 2.0):
            batch.execute(jobs.make_job("toy", overrides={"scale": scale}))
    return folder / "runs"


@pytest.fixture
def two(toy, finished):
    """Copies of the two finished runs, scale 1 first."""
    shutil.copytree(finished, toy / "runs", dirs_exist_ok=True)
    return [jobs.make_job("toy", overrides={"scale": scale}).folder for scale in (1.0, 2.0)]


def test_two_runs_differ_in_parameter_measurement_and_column(two):
    found = diff.compare(*two)
    assert found.facts.to_numpy().tolist() == [["parameter scale", "1.0", "2.0"]]
    assert found.claims.to_numpy().tolist() == [["c", "reproduced", "reproduced", "2.0", "4.0"]]
    (row,) = found.tables.to_dict("records")
    assert (row["table"], row["column"], row["rows A"], row["changed"]) == ("table", "value", 3, 2)
    assert (row["largest"], row["median A"], row["median B"]) == (2.0, 1.0, 2.0)
    assert not found.identical
    page = diff_page.as_html(found)
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page


def test_a_run_equals_itself(two):
    found = diff.compare(two[0], two[0])
    assert found.identical
    assert found.facts.empty and found.tables.empty


def test_runs_are_found_by_short_names(two, toy, monkeypatch):
    monkeypatch.setattr(diff, "RESULTS", toy / "results")
    hashes = [folder.name for folder in two]
    assert diff.find_run(f"toy/quick/{hashes[0][:8]}") == two[0]
    assert diff.find_run(str(two[1])) == two[1]
    newest = max(two, key=lambda folder: json.loads((folder / "result.json").read_text())["started"])
    assert diff.find_run("toy/quick").parent == newest.parent
    with pytest.raises(ValueError, match="fits 2 runs"):
        diff.find_run("toy/quick/*")
    with pytest.raises(ValueError, match="no finished run 'toy/real'"):
        diff.find_run("toy/real")
    kept = toy / "results" / "toy" / "quick"
    kept.mkdir(parents=True)
    (kept / "result.json").write_text((two[0] / "result.json").read_text())
    assert diff.find_run("results/toy/quick") == kept


def test_rows_are_matched_by_their_labels_not_their_order():
    a = pd.DataFrame({"method": ["x", "y"], "seed": [0, 0], "value": [1.0, 2.0]})
    assert diff._table_rows("t", a, a.iloc[::-1]) == []
    (row,) = diff._table_rows("t", a, a.assign(value=[1.0, 2.5]))
    assert (row["column"], row["changed"], row["largest"]) == ("value", 1, 0.5)
    more = pd.concat([a, a.assign(seed=1)])
    assert [row["column"] for row in diff._table_rows("t", a, more)] == ["(rows)"]
    counts = a.assign(count=[3, 4])
    (row,) = diff._table_rows("t", counts, counts.assign(count=[3, 5]))
    assert (row["column"], row["largest"]) == ("count", 1.0)


def test_missing_tables_and_columns_are_named(two):
    (two[1] / "tables" / "more.csv").write_text("a\n1\n")
    path = two[1] / "tables" / "table.csv"
    pd.read_csv(path).assign(extra=1).to_csv(path, index=False)
    said = set(diff.compare(*two).tables["column"])
    assert said == {"(only in B)", "extra (only in B)", "value"}


def test_unequal_unlabelled_tables_do_not_match():
    a, b = pd.DataFrame({"value": [1.0, 2.0]}), pd.DataFrame({"value": [1.0]})
    assert [row["column"] for row in diff._table_rows("t", a, b)] == ["(rows)"]
    assert diff._table_rows("t", a, a.copy()) == []


def test_runs_of_two_papers_do_not_compare(two):
    other = json.loads((two[1] / "result.json").read_text()) | {"paper": "other"}
    (two[1] / "result.json").write_text(json.dumps(other))
    with pytest.raises(ValueError, match="runs of toy and of other: compare runs of one paper"):
        diff.compare(*two)


def test_the_command_tells_and_sets_its_exit_status(two, scarce, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    names = [str(folder) for folder in two]
    code, out, _ = scarce("diff", *names, "--exit-code", "--html", str(tmp_path / "page.html"))
    assert code == 1
    assert "parameter scale" in out and "value" in out
    assert (tmp_path / "page.html").is_file()
    code, out, _ = scarce("diff", names[0], names[0], "--exit-code")
    assert code == 0
    assert "no difference" in out
    code, _, err = scarce("diff", names[0], "nowhere")
    assert code == 1 and err.startswith("error: no finished run 'nowhere'")
