"""What to run: papers, presets, checked parameters, and the content hash that tells whether a run is done."""

import ast
import difflib
import functools
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lib.report.paths import NOTEBOOKS, RESULTS, ROOT, runs_dir
from lib.report.provenance import versions

PRESETS = ("quick", "real", "paper")


@dataclass(frozen=True)
class Job:
    """One run to be: a paper, a preset, every parameter of its notebook, and their content hash."""

    paper: str
    preset: str
    parameters: dict[str, Any]
    changed: dict[str, Any]
    hash: str

    @property
    def folder(self) -> Path:
        """Where the finished run lies."""
        return runs_dir() / self.paper / self.preset / self.hash

    @property
    def done(self) -> bool:
        """Whether a complete run with this hash exists."""
        return read_result(self.folder).get("status") == "ok"


def papers() -> list[str]:
    """Return the names of all papers that have a notebook, in alphabetical order."""
    return sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def make_job(paper: str, preset: str = "quick", overrides: Mapping[str, Any] | None = None) -> Job:
    """Check names, types and ranges of everything asked for and return the job.

    A file in `overrides` is sought from the caller's folder and kept with its absolute path, because notebooks run in
    their own folder.

    Raises ValueError with the way out for an unknown paper, preset or parameter and for a value of the wrong type or
    range.
    """
    known(paper, papers(), "paper")
    known(preset, PRESETS, "preset")
    cells = code_cells(paper)
    defaults = parameter_defaults(paper, cells)
    given = {name: absolute(value) for name, value in (overrides or {}).items()}
    chosen = dict(preset_values(paper, preset)) | given
    for name, value in chosen.items():
        known(name, defaults, f"parameter of {paper}")
        chosen[name] = in_range(name, same_type(name, value, defaults[name]), defaults[name])
    parameters = defaults | chosen
    changed = {name: value for name, value in parameters.items() if value != defaults[name]}
    return Job(paper, preset, parameters, changed, content_hash(paper, preset, cells, parameters))


def parse_overrides(pairs: Iterable[str]) -> dict[str, Any]:
    """Return the parameters given as NAME=VALUE; the value is read as YAML (numbers, lists, true, text)."""
    overrides = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"parameter {pair!r}: expected NAME=VALUE, for example -p seeds=5")
        try:
            overrides[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ValueError(f"parameter {pair!r}: the value is not YAML, expected 5, [2, 4] or text") from None
    return overrides


def known(name: str, names: Iterable[str], kind: str) -> None:
    """Raise ValueError, with the nearest known name as a suggestion, unless `name` is one of `names`."""
    names = list(names)
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names) or 'none'}"
    raise ValueError(f"unknown {kind} {name!r}: {hint}")


def same_type(name: str, value: Any, default: Any) -> Any:
    """Return `value` if it is of the type of `default` (an int passes for a float), else raise ValueError."""
    wanted = type(default)
    if wanted is float and type(value) is int:
        value = float(value)
    if default is not None and type(value) is not wanted:
        raise ValueError(f"parameter {name}={value!r}: expected {wanted.__name__} like {default!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"parameter {name}={value!r}: expected a finite number")
    if isinstance(value, list) and default:
        return [same_type(f"{name}[{place}]", item, default[0]) for place, item in enumerate(value)]
    return value


def in_range(name: str, value: Any, default: Any) -> Any:
    """Return `value` unless it is a count below one or an empty list where `default` is neither: then ValueError."""
    if isinstance(default, list) and default and not value:
        raise ValueError(f"parameter {name}=[]: expected at least one value, like {default!r}")
    if type(default) is int and default >= 1 and value < 1:
        raise ValueError(f"parameter {name}={value!r}: expected at least 1, like {default!r}")
    return value


def absolute(value: Any) -> Any:
    """Return the absolute path if `value` is the text of a path to an existing file, else `value`."""
    return str(Path(value).resolve()) if isinstance(value, str) and value and Path(value).is_file() else value


def preset_values(paper: str, preset: str) -> dict[str, Any]:
    """Return what `preset` of `paper` sets, from ``notebooks/presets/<paper>.yaml``."""
    path = NOTEBOOKS / "presets" / f"{paper}.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return content.get(preset) or {}


def code_cells(paper: str) -> list[dict[str, Any]]:
    """Return the code cells of the notebook of `paper`, in order."""
    notebook = json.loads((NOTEBOOKS / f"{paper}.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def parameter_defaults(paper: str, cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the literal assignments of the cell tagged ``parameters``."""
    for cell in cells:
        if "parameters" in cell["metadata"].get("tags", []):
            statements = ast.parse("".join(cell["source"])).body
            return {s.targets[0].id: ast.literal_eval(s.value) for s in statements if isinstance(s, ast.Assign)}
    raise ValueError(f"notebook {paper} has no cell tagged 'parameters'")


def content_hash(paper: str, preset: str, cells: list[dict[str, Any]], parameters: Mapping[str, Any]) -> str:
    """Return the hash of everything that a run's result depends on.

    Code cells, parameters (and the content of files that they name), the sources that the code reaches through
    imports, the recorded runs of the paper, and the versions of the numerical libraries. Checksums of data sets are
    constants in `lib.data`, and every read is checked against them, so the sources cover the data.
    """
    digest = hashlib.sha256()

    def add(label: str, content: bytes) -> None:
        digest.update(f"{label}:{len(content)}:".encode() + content)

    code = ["".join(cell["source"]) for cell in cells]
    add("code", json.dumps(code).encode())
    add("parameters", json.dumps(parameters, sort_keys=True).encode())
    for value in parameters.values():
        if isinstance(value, str) and value and (NOTEBOOKS / value).is_file():
            add(value, (NOTEBOOKS / value).read_bytes())
    for path in import_closure("\n".join(code)) + recorded_files(paper, preset):
        add(str(path.relative_to(ROOT)), path.read_bytes())
    add("versions", json.dumps(versions(), sort_keys=True).encode())
    return digest.hexdigest()[:16]


def recorded_files(paper: str, preset: str) -> list[Path]:
    """Return the files of the recorded runs that the notebook of `paper` may show beside its own results.

    A run does not depend on the record of its own preset, else recording it would make it stale.
    """
    folder = RESULTS / paper
    files = [*folder.glob("*/result.json"), *folder.glob("*/tables/*.csv")]
    return sorted(path for path in files if path.relative_to(folder).parts[0] != preset)


def import_closure(source: str) -> list[Path]:
    """Return the files of `lib` that `source` reaches through imports, also those inside functions.

    A package whose ``__init__`` loads modules by name, when they are first used, counts as a whole. Data files that lie
    in a package reached (``published.yaml``) belong to it.
    """
    modules = modules_of_lib()
    found: set[Path] = set()
    waiting = modules_of(source, modules)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        text = path.read_text(encoding="utf-8")
        waiting |= modules_of(text, modules)
        if path.name == "__init__.py" and "import_module(" in text:
            waiting |= set(path.parent.rglob("*.py"))
    packages = {path.parent for path in found if path.name == "__init__.py"}
    return sorted(found | {data for package in packages for data in package.glob("*.yaml")})


def modules_of(source: str, modules: Mapping[str, Path]) -> set[Path]:
    """Return the files among `modules` that the import statements of `source` name, with their packages."""
    return {modules[name] for name in imported_names(source) if name in modules}


def modules_of_lib() -> dict[str, Path]:
    """Return the file of each module and package of `lib` by its dotted name."""
    modules = {}
    for path in (ROOT / "lib").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


@functools.lru_cache(maxsize=2048)  # every paper's closure reads most files of lib
def imported_names(source: str) -> frozenset[str]:
    """Return the modules, with their packages and what may be modules in them, that the imports of `source` name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    parts = [name.split(".") for name in names]
    return frozenset(".".join(part[:depth]) for part in parts for depth in range(1, len(part) + 1))


def read_result(folder: Path) -> dict[str, Any]:
    """Return the ``result.json`` of a run folder, or an empty dict if it is absent or unreadable."""
    try:
        found = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
