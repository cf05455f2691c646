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
FLOORS = {"data": 1, "nets": 1, "profiling": 1, "report": 1, "federated": 2}
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
    for source in sources:
        kinds = {type(node) for node in ast.walk(ast.parse(source))}
        assert not kinds & {ast.FunctionDef, ast.ClassDef, ast.For, ast.While}, source
        assert len(source.splitlines()) <= 12, source
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
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


def test_imports_go_down_the_floors():
    for path in (ROOT / "lib").rglob("*.py"):
        room = path.relative_to(ROOT / "lib").parts[0] if path.parent != ROOT / "lib" else ""
        here = FLOORS.get(room, 3 if room else 4)
        for node in ast.walk(ast.parse(path.read_text())):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            parts = module.split(".")
            if parts[0] == "lib" and len(parts) > 1 and parts[1] != room:
                there = FLOORS.get(parts[1], 3 if (ROOT / "lib" / parts[1]).is_dir() else 4)
                assert there <= here, f"{path}: {module}"


def test_files_and_functions_stay_small():
    for path in (ROOT / "lib").rglob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 300, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                body = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
                assert body[-1].end_lineno - body[0].lineno < 60, f"{path}: {node.name}"


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
