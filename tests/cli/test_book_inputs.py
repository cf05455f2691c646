import pytest

from lib import book, book_inputs
from lib.report.paths import RESULTS


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in ("book", "lib", "tests", "benchmarks", "results", "notebooks", "runs/toy/quick/abc"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("_config.yml", "book/intro.md", "lib/a.py", "results/t.csv", "notebooks/toy.ipynb"):
        (tmp_path / name).write_text("1")
    (tmp_path / "runs/toy/quick/abc/result.json").write_text("{}")
    monkeypatch.setattr(book_inputs, "ROOT", tmp_path)
    monkeypatch.setattr(book_inputs, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(book_inputs, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(book_inputs, "papers", list)
    monkeypatch.setattr(book_inputs, "git_state", lambda: {"commit": "", "dirty": False})
    monkeypatch.setenv("SCARCE_RUNS", str(tmp_path / "runs"))
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "_config.yml",
        "book/intro.md",
        "book/new.md",
        "lib/a.py",
        "tests/test_new.py",
        "results/t.csv",
        "notebooks/toy.ipynb",
        "runs/toy/quick/abc/result.json",
    ],
)
def test_every_input_changes_the_hash(place, name):
    before = book_inputs.inputs_hash()
    assert book_inputs.inputs_hash() == before
    (place / name).write_text("2")
    assert book_inputs.inputs_hash() != before


def test_caches_of_python_and_tables_of_a_run_do_not(place):
    before = book_inputs.inputs_hash()
    (place / "lib" / "__pycache__").mkdir()
    (place / "lib" / "__pycache__" / "a.pyc").write_text("1")
    (place / "runs/toy/quick/abc/log.txt").write_text("1")
    assert book_inputs.inputs_hash() == before


def test_the_buttons_and_the_commit_count(place, monkeypatch):
    found = [book_inputs.inputs_hash()]
    monkeypatch.setenv("SCARCE_REPOSITORY", "https://host/owner/name")
    found.append(book_inputs.inputs_hash())
    monkeypatch.setattr(book_inputs, "git_state", lambda: {"commit": "abc", "dirty": False})
    found.append(book_inputs.inputs_hash())
    monkeypatch.setattr(book_inputs, "papers", lambda: ["bslb"])
    found.append(book_inputs.inputs_hash())
    assert len(set(found)) == 4


def test_a_book_whose_inputs_are_those_of_its_stamp_is_not_staged(tmp_path, monkeypatch):
    monkeypatch.setattr(book, "HTML", tmp_path)
    monkeypatch.setattr(book, "inputs_hash", lambda: "now")
    monkeypatch.setattr(book, "fill_stage", lambda stage: pytest.fail("staged"))
    (tmp_path / ".stamp").write_text("now")
    assert book.render() == (tmp_path / "index.html", False)


def test_the_records_are_among_the_inputs_of_the_real_book():
    assert RESULTS / "benchmarks.json" in set(book_inputs._files())
