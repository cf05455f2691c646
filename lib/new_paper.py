"""Begin a paper: a room, a notebook with presets, tests and a line in the contents, all of which work at once."""

import keyword
import re
import shutil
import tempfile
from pathlib import Path

from lib.report.paths import NOTEBOOKS, ROOT

TEMPLATE = Path(__file__).parent / "template"
WORD = "PAPER"  # stands for the name in every template
ROOM = ("baselines", "claims", "estimator", "experiments", "figures", "rules", "theory")
# Folders appear whole, by one rename; what `scarce list` goes by comes after the room that it needs.
FOLDERS = {
    "lib": {"init.py": "__init__.py", "published.yaml": "published.yaml"}
    | {f"{name}.py": f"{name}.py" for name in ROOM},
    "tests": {f"test_{kind}.py": f"test_{WORD}_{kind}.py" for kind in ("claims", "experiments")},
}
TAKEN_ELSEWHERE = {"sweeps"}  # a folder of runs/


def create(name: str) -> list[Path]:
    """Write the files of a new paper `name` from the template and return them; on any failure none is left.

    Raises ValueError, before anything is written, for a name that is no lower-case word or is taken, and outside a
    checkout of the repository.
    """
    toc = ROOT / "book" / "_toc.yml"
    check_name(name)
    if not toc.is_file():
        raise ValueError(f"no {toc}: a new paper needs a checkout of the repository, installed with 'pip install -e .'")
    contents = with_chapter(toc.read_text(encoding="utf-8"), name)
    notebook, preset = places(name)[2:]
    work = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=ROOT))
    made: list[Path] = []
    try:
        for room, files in FOLDERS.items():
            (work / room).mkdir()
            for source, target in files.items():
                (work / room / target.replace(WORD, name)).write_text(filled(source, name), encoding="utf-8")
        (work / "preset").write_text(filled("preset.yaml", name), encoding="utf-8")
        (work / "notebook").write_text(filled("notebook.ipynb", name), encoding="utf-8")
        (work / "toc").write_text(contents, encoding="utf-8")
        preset.parent.mkdir(parents=True, exist_ok=True)
        for part, target in zip((*FOLDERS, "preset", "notebook"), (*places(name)[:2], preset, notebook), strict=True):
            made.append(target)
            shutil.move(work / part, target)
        (work / "toc").replace(toc)
    except BaseException:
        for path in made:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return [file for path in made for file in (sorted(path.iterdir()) if path.is_dir() else [path])]


def check_name(name: str) -> None:
    """Raise ValueError unless `name` can name a new paper: one lower-case word that nothing else is called."""
    if not re.fullmatch(r"[a-z][a-z0-9]{1,23}", name) or keyword.iskeyword(name):
        raise ValueError(f"name {name!r}: expected one lower-case word of letters and digits, like 'spry'")
    module = ROOT / "lib" / f"{name}.py"
    there = next((path for path in (*places(name), module) if path.exists()), None)
    if there or name in TAKEN_ELSEWHERE:
        raise ValueError(f"name {name!r} is taken{f': there is {there}' if there else ''}: choose another")


def places(name: str) -> tuple[Path, Path, Path, Path]:
    """Return where room, tests, notebook and presets of the paper `name` lie."""
    room, tests = ROOT / "lib" / name, ROOT / "tests" / name
    return room, tests, NOTEBOOKS / f"{name}.ipynb", NOTEBOOKS / "presets" / f"{name}.yaml"


def filled(template: str, name: str) -> str:
    """Return the text of a template with the name filled in, and imports of `lib` in the order that ruff asks for."""
    text = (TEMPLATE / f"{template}.tmpl").read_text(encoding="utf-8").replace(WORD, name)
    text = re.sub(r"(?<=from lib import )\w+, \w+", lambda names: ", ".join(sorted(names[0].split(", "))), text)
    return re.sub(r"(?m)(?:^from lib\b.*\n)+", lambda block: "".join(sorted(block[0].splitlines(True))), text)


def with_chapter(toc: str, name: str) -> str:
    """Return the text of the book's contents with a line for the notebook of `name` after the last notebook's."""
    *_, last = re.finditer(r"(?m)^(\s*- file: notebooks/)\w+\n", toc)
    return toc[: last.end()] + f"{last[1]}{name}\n" + toc[last.end() :]
