"""What the whole repository promises: one place for pins, thin notebooks, floors of `lib`, plain words."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FLOORS = {"files": 0, "seeds": 0, "data": 1, "nets": 1, "profiling": 1, "report": 1, "federated": 2}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def lock():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_conda_environment_takes_every_version_from_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    python = next(word for word in conda if word.startswith("python="))
    assert python.removeprefix("python=") == PROJECT["project"]["requires-python"].removeprefix(">=")
    assert [word for word in conda if "=" in word] == [python]
    assert pip == {"pip": ["-r requirements.lock", "-e ."]}


def test_lock_pins_every_direct_dependency_publicly():
    project = PROJECT["project"]
    extras = [name for group in project["optional-dependencies"].values() for name in group]
    names = {re.split(r"[<>=\[]", name)[0] for name in [*project["dependencies"], *extras]}
    assert names <= set(lock())
    assert not [version for version in lock().values() if "+" in version]


def test_no_exact_pin_outside_the_lock():
    for path in [ROOT / "pyproject.toml", ROOT / "environment.yml", ROOT / "Makefile", ROOT / ".ci" / "run"]:
        assert not re.search(r"[\w\]]==\d", path.read_text()), path.name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_thin_executed_and_clean(path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    sources = ["".join(cell["source"]) for cell in cells]
    for cell, source in zip(cells, sources, strict=True):
        kinds = {type(node) for node in ast.walk(ast.parse(source))}
        assert not kinds & {ast.FunctionDef, ast.ClassDef, ast.For, ast.While}, source
        declares = "parameters" in cell["metadata"].get("tags", [])  # one a line, with its meaning
        assert len(source.splitlines()) <= (20 if declares else 12), source
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    # nbval refuses outputs of a cell that carries no count.
    assert all(cell["execution_count"] for cell in cells if cell["outputs"])
    assert sum("NBVAL_CHECK_OUTPUT" in source for source in sources) == 1
    assert path.stat().st_size < 3_000_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_have_the_same_sections_in_the_same_order(path):
    text = "\n".join(
        "".join(c["source"]) for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "markdown"
    )
    found = re.findall(r"^## (.+)$", text, re.MULTILINE)
    wanted = ["The idea in one figure", "Parameters", "Experiments", "Costs", "What is disputed", "Claims judged"]
    positions = [found.index(heading) for heading in [*wanted, "Go further"]]
    assert positions == sorted(positions)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_preset_is_valid_and_quick_is_the_default(path):
    from lib.jobs import make_job

    for preset in ("quick", "real", "paper"):
        job = make_job(path.stem, preset)
        assert (preset == "quick") == (job.changed == {})


def floor(root, room):
    return FLOORS.get(room, 3 if (root / "lib" / room).is_dir() else 4)


def rooms_imported(root, path):
    """Names directly below `lib` that the file imports, however it spells the import."""
    package, rooms = path.relative_to(root).parent.parts, set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            start = [*above, *(node.module.split(".") if node.module else ())]
            names = [[*start, alias.name] for alias in node.names]
        else:
            continue
        rooms |= {parts[1] for parts in names if parts[0] == "lib" and len(parts) > 1}
    places = {room: root / "lib" / room for room in rooms}
    return {room for room, place in places.items() if place.is_dir() or place.with_suffix(".py").is_file()}


def upward_imports(root):
    found = []
    for path in sorted((root / "lib").rglob("*.py")):
        inside = path.relative_to(root / "lib")
        here = inside.parts[0] if len(inside.parts) > 1 else inside.stem
        if inside.name == "__init__.py" and len(inside.parts) == 1:
            continue
        there = rooms_imported(root, path) - {here}
        found += [f"{inside}: {room}" for room in sorted(there) if floor(root, room) > floor(root, here)]
        papers_met = [room for room in there if floor(root, room) == floor(root, here) == 3]
        found += [f"{inside}: {room}" for room in sorted(papers_met)]
    return found


def test_imports_go_down_the_floors():
    assert upward_imports(ROOT) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import lib.alpha.core", ["report/page.py: alpha"]),
        ("import lib.alpha.core as core", ["report/page.py: alpha"]),
        ("from lib import alpha", ["report/page.py: alpha"]),
        ("from lib import jobs", ["report/page.py: jobs"]),
        ("from lib.alpha import core", ["report/page.py: alpha"]),
        ("from lib.alpha.core import thing", ["report/page.py: alpha"]),
        ("from .. import alpha", ["report/page.py: alpha"]),
        ("from ..alpha import core", ["report/page.py: alpha"]),
        ("def f():\n    from lib import alpha", ["report/page.py: alpha"]),
        ("from . import paths", []),
        ("from lib import data\nimport os", []),
    ],
)
def test_an_import_up_the_floors_is_found_however_it_is_spelt(tmp_path, line, found):
    for room in ("report", "alpha", "data"):
        (tmp_path / "lib" / room).mkdir(parents=True)
    (tmp_path / "lib" / "jobs.py").write_text("from lib import alpha, report")
    (tmp_path / "lib" / "alpha" / "core.py").write_text("from lib.report import page\nfrom lib import data")
    (tmp_path / "lib" / "report" / "page.py").write_text(line)
    assert upward_imports(tmp_path) == found


def test_papers_do_not_import_each_other(tmp_path):
    for room in ("alpha", "beta"):
        (tmp_path / "lib" / room).mkdir(parents=True)
    (tmp_path / "lib" / "alpha" / "core.py").write_text("from ..beta import core")
    assert upward_imports(tmp_path) == ["alpha/core.py: beta"]


def test_files_and_functions_stay_small():
    for path in (ROOT / "lib").rglob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 300, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                body = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
                assert not body or body[-1].end_lineno - body[0].lineno < 60, f"{path}: {node.name}"


@pytest.mark.parametrize("room", ["lib.bslb", "lib.data", "lib.profiling", "lib.report"])
def test_importing_a_room_loads_nothing_heavy(room):
    heavy = ("torch", "sklearn", "scipy.stats", "papermill", "cvxpy", "skactiveml", "IPython", "seaborn")
    code = f"import sys, {room}; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_paper_rooms_have_the_same_furniture():
    for path in NOTEBOOKS:
        room = ROOT / "lib" / path.stem
        assert (room / "published.yaml").is_file() and (room / "claims.py").is_file()
        for name in ("experiments", "figures", "baselines", "theory"):
            assert (room / name).is_dir() or (room / f"{name}.py").is_file(), name
