"""A new paper in a copy of the repository: complete, clean, and green at once; or nothing at all."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml

from lib import new_paper
from lib.report.paths import ROOT

COPIED = ("lib", "tests", "notebooks", "book")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The root of a copy of what a new paper touches."""
    root = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "_static"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def run(root, *words):
    """Run a Python module in the copy, so that `lib` is the copy's."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SCARCE_", "PYTEST_"))}
    environment |= {"PYTHONPATH": str(root), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    return subprocess.run([sys.executable, "-m", *words], cwd=root, env=environment, capture_output=True, text=True)


def everything(root):
    ignored = ("__pycache__", ".pytest_cache", ".ruff_cache", "runs")
    files = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return {str(path) for path in files if not any(part in ignored for part in path.parts)}


@pytest.fixture(scope="module")
def created(copy):
    """The copy with a new paper, and the files that came."""
    before = everything(copy)
    done = run(copy, "lib.cli", "new-paper", "zebra")
    assert done.returncode == 0, done.stderr
    return copy, everything(copy) - before


def test_a_new_paper_is_complete(created):
    root, files = created
    room = {"__init__", "baselines", "claims", "estimator", "experiments", "figures", "rules", "theory"}
    expected = {f"lib/zebra/{name}.py" for name in room} | {"lib/zebra/published.yaml", "notebooks/zebra.ipynb"}
    expected |= {f"tests/zebra/test_zebra_{kind}.py" for kind in ("claims", "experiments")}
    assert files == expected | {"notebooks/presets/zebra.yaml"}
    assert not [file for file in files if "PAPER" in (root / file).read_text()]
    before, after = (yaml.safe_load((place / "book" / "_toc.yml").read_text()) for place in (ROOT, root))
    chapters = before["parts"][0]["chapters"] + [{"file": "notebooks/zebra"}]
    assert after == before | {"parts": [before["parts"][0] | {"chapters": chapters}, *before["parts"][1:]]}


@pytest.mark.slow
def test_its_own_tests_and_those_of_the_repository_pass_at_once(created):
    root, _ = created
    chosen = "zebra or floors or small or furniture"
    pytest_on = ("pytest", "-v", "-p", "no:cacheprovider")
    done = run(root, *pytest_on, "tests/zebra", "tests/test_repository.py", "-k", chosen)
    assert done.returncode == 0, done.stdout
    assert "in_the_same_order[zebra] PASSED" in done.stdout and "executed_and_clean[zebra] PASSED" in done.stdout
    checked = run(root, *pytest_on, "--nbval-lax", "--nbval-current-env", "notebooks/zebra.ipynb")
    assert checked.returncode == 0, checked.stdout


def test_its_notebook_ran_and_shows_a_figure_and_verdicts(created):
    root, _ = created
    (record,) = (root / "runs" / "zebra" / "quick").glob("*/claims.json")
    assert {row["id"]: row["status"] for row in json.loads(record.read_text())} == {
        "advantage": "reproduced",
        "law": "reproduced",
    }
    assert sorted(path.name for path in record.parent.glob("figures/*.png")) == ["errors.png", "idea.png"]
    cells = json.loads((root / "notebooks" / "zebra.ipynb").read_text())["cells"]
    shown = [output for cell in cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in shown) == 2


@pytest.mark.parametrize("name", ["ab", "zebra", "a" * 24])  # sorted before and after lib.report, long lines
def test_what_is_written_is_in_the_projects_style(tmp_path, monkeypatch, name):
    monkeypatch.setattr(new_paper, "ROOT", tmp_path)
    monkeypatch.setattr(new_paper, "NOTEBOOKS", tmp_path / "notebooks")
    (tmp_path / "book").mkdir()
    shutil.copy(ROOT / "book" / "_toc.yml", tmp_path / "book")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests").mkdir()
    for place in ("__init__.py", "report/__init__.py"):  # by them ruff knows what is the project's own
        (tmp_path / "lib" / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "lib" / place, tmp_path / "lib" / place)
    assert len(new_paper.create(name)) == 13
    for words in (("check",), ("format", "--check")):
        command = [sys.executable, "-m", "ruff", *words, "--no-cache", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Zebra", "expected one lower-case word of letters and digits"),
        ("two words", "expected one lower-case word"),
        ("../up", "expected one lower-case word"),
        ("lambda", "expected one lower-case word"),
        ("a-b", "expected one lower-case word"),
        ("fedper", "'fedper' is taken: there is"),
        ("data", "'data' is taken: there is"),
        ("jobs", "'jobs' is taken: there is"),
        ("cli", "'cli' is taken: there is"),
        ("sweeps", "'sweeps' is taken: choose another"),
    ],
)
def test_a_bad_name_is_refused_before_anything_is_written(scarce, monkeypatch, name, message):
    monkeypatch.setattr("tempfile.mkdtemp", lambda **_: pytest.fail("something was written"))
    code, _, err = scarce("new-paper", name)
    assert code == 1 and message in err and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_failure_half_way_leaves_nothing(tmp_path, monkeypatch, nth):
    monkeypatch.setattr(new_paper, "ROOT", tmp_path)
    monkeypatch.setattr(new_paper, "NOTEBOOKS", tmp_path / "notebooks")
    for folder in ("book", "lib", "tests", "notebooks/presets"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "book" / "_toc.yml", tmp_path / "book")
    before, move, calls = everything(tmp_path), shutil.move, []

    def failing(source, target):
        calls.append(target)
        if len(calls) == nth:
            raise OSError("disk full")
        return move(source, target)

    monkeypatch.setattr(shutil, "move", failing)
    with pytest.raises(OSError, match="disk full"):
        new_paper.create("zebra")
    assert len(calls) == nth and everything(tmp_path) == before
    assert not list(tmp_path.rglob("*zebra*"))


def test_outside_a_checkout_it_says_what_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(new_paper, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="needs a checkout of the repository"):
        new_paper.create("zebra")
