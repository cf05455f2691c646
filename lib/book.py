"""Stage the executed notebooks and the generated fragments, then render the book with jupyter-book."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from lib import book_fragments
from lib.batch import RunFailed, replace_folder
from lib.book_api import write_reference
from lib.book_finish import finish
from lib.book_inputs import inputs_hash
from lib.files import write_text
from lib.jobs import make_job, papers, read_result
from lib.report.paths import BUILD, NOTEBOOKS, ROOT

HTML = BUILD / "html"
ICON = '<link rel="icon" href="data:,">\n'
# jupyter-book always loads sphinx-thebe (live cells through a public hub), which declares its constants twice a page.
THEBE = re.compile(
    r"""\s*(?:<link[^>]*sphinx-thebe\.css[^>]*>|<script[^>]*sphinx-thebe\.js[^>]*></script>"""
    r"""|<script>const\ THEBE_JS_URL\b.*?</script>"""
    r"""|<script\ type="text/x-thebe-config">.*?</script>|<script>kernelName\ =.*?</script>)""",
    re.DOTALL | re.VERBOSE,
)


def render(*, force: bool = False) -> tuple[Path, bool]:
    """Bring ``_build/html`` up to date and return its index page and whether anything was rendered.

    Every paper needs a finished quick run. Raises RunFailed with the first warning if the build is not clean.
    """
    stamp = inputs_hash()
    stamp_file = HTML / ".stamp"
    if not force and stamp_file.is_file() and stamp_file.read_text() == stamp:
        return HTML / "index.html", False
    work = BUILD / f".work.{os.getpid()}"
    try:
        fill_stage(work / "stage")
        html = build(work / "stage", work)
        strip_thebe(html)
        finish(html)
        index = html / "index.html"  # it only sends the reader on; without an icon, browsers ask for one in vain
        index.write_text(index.read_text(encoding="utf-8") + ICON, encoding="utf-8")
        (html / ".stamp").write_text(stamp)
        replace_folder(html, HTML)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return HTML / "index.html", True


def fill_stage(stage: Path) -> None:
    """Write everything that jupyter-book reads into the folder `stage`."""
    shutil.copytree(ROOT / "book", stage / "book")
    shutil.copy(ROOT / "_config.yml", stage)
    (stage / "notebooks").mkdir()
    for paper in papers():
        job = make_job(paper)
        if not job.done:
            raise ValueError(f"no up-to-date quick run of {paper}: run 'scarce run {paper}' first")
        stage_notebook(paper, job.folder, stage / "notebooks")
    book_fragments.write_all(stage)
    write_reference(stage / "book" / "reference")
    configure(stage / "_config.yml", os.environ.get("SCARCE_REPOSITORY", ""))


def configure(path: Path, repository: str) -> None:
    """Turn on the buttons of the configuration at `path` (launch, repository, edit, issue) if `repository` is given.

    `repository` is the address of a public repository, https://HOST/OWNER/NAME; without it the pages name none. Raises
    ValueError for anything else.
    """
    if not repository:
        return
    if not re.fullmatch(r"https://[\w.-]+/[\w.-]+/[\w.-]+", repository):
        raise ValueError(f"SCARCE_REPOSITORY={repository!r}: expected https://HOST/OWNER/NAME")
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["repository"] = {"url": repository, "branch": "main"}
    buttons = ("use_issues_button", "use_repository_button", "use_edit_page_button")
    config["html"] |= dict.fromkeys(buttons, True)
    config["launch_buttons"]["binderhub_url"] = "https://mybinder.org"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def stage_notebook(paper: str, run: Path, folder: Path) -> None:
    """Write the page of `paper`: today's text, the run's outputs, and a closing table of provenance.

    The text comes from the notebook's source, so that mending a sentence does not ask for a new run; the code cells
    are the same by the run's hash.
    """
    page = json.loads((NOTEBOOKS / f"{paper}.ipynb").read_text(encoding="utf-8"))
    executed = json.loads((run / f"{paper}.ipynb").read_text(encoding="utf-8"))
    ran = iter(cell for cell in executed["cells"] if cell["cell_type"] == "code")
    page["cells"] = [
        part
        for cell in page["cells"]
        for part in (filled(cell, next(ran)["outputs"], paper) if cell["cell_type"] == "code" else [cell])
    ]
    page["cells"].append(
        {"cell_type": "markdown", "metadata": {}, "source": book_fragments.provenance(read_result(run), run)}
    )
    for place, cell in enumerate(page["cells"]):
        cell.setdefault("id", f"staged-{place}")
    (folder / f"{paper}.ipynb").write_text(json.dumps(page), encoding="utf-8")
    for name in ("result.json", "claims.json", "parameters.yaml"):
        target = folder / f"{paper}_files" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(run / name, target)
    shutil.copytree(run / "tables", folder / f"{paper}_files" / "tables")
    shutil.copytree(run / "figures", folder / f"{paper}_files" / "figures")
    if (run / "files").is_dir():
        shutil.copytree(run / "files", folder / f"{paper}_files" / "files")


def filled(cell: dict[str, Any], outputs: list[dict[str, Any]], paper: str) -> list[dict[str, Any]]:
    """Return a page's cell with a run's outputs: code folded away, and a further cell for each figure but the first."""
    groups: list[list[dict[str, Any]]] = [[]]
    for output in outputs:
        if "scarce" in output.get("metadata", {}) and any("scarce" in o.get("metadata", {}) for o in groups[-1]):
            groups.append([])
        groups[-1].append(output)
    more = {"cell_type": "code", "execution_count": None, "source": ["# a further figure"]}  # an empty one is left out
    cells = [cell, *(more | {"metadata": {"tags": ["remove-input"]}} for _ in groups[1:])]
    for one, group in zip(cells, groups, strict=True):
        fill_cell(one, group, paper)
    return cells


def fill_cell(cell: dict[str, Any], outputs: list[dict[str, Any]], paper: str) -> None:
    """Put outputs with at most one figure into a page's cell: with caption, label and alternative text."""
    cell["metadata"].setdefault("tags", [])
    if not any(tag.startswith(("hide", "remove", "parameters")) for tag in cell["metadata"]["tags"]):
        cell["metadata"]["tags"].append("hide-input")
    captions = [o["metadata"]["scarce_caption"] for o in outputs if "scarce_caption" in o.get("metadata", {})]
    noise = [o for o in outputs if o.get("name") == "stderr" or "scarce_caption" in o.get("metadata", {})]
    cell["outputs"] = [output for output in outputs if output not in noise]
    for output in cell["outputs"]:
        figure = output.get("metadata", {}).pop("scarce", None)
        if figure is None:
            continue
        if len(captions) != 1:
            raise ValueError(f"figure {figure['name']!r} of {paper} has {len(captions)} captions: show it once")
        output["metadata"].pop("image/png", None)
        cell["metadata"]["mystnb"] = {
            "figure": {"caption": captions[0], "name": f"fig-{paper}-{figure['name']}"},
            "image": {"alt": figure["alt"], "width": figure["width"]},
        }


def store_outputs(paper: str, run: Path) -> Path:
    """Put the outputs of a finished run into the notebook's source, so that it reads well where it is hosted.

    Only what a reader sees is kept: no timing and no standard error, so differences stay small.
    """
    path = NOTEBOOKS / f"{paper}.ipynb"
    page = json.loads(path.read_text(encoding="utf-8"))
    executed = json.loads((run / f"{paper}.ipynb").read_text(encoding="utf-8"))
    for count, (cell, done) in enumerate(zip(_code(page), _code(executed), strict=True), start=1):
        # nbval takes a cell without a count for one that was never run.
        cell["execution_count"] = count
        cell["outputs"] = [output for output in done["outputs"] if output.get("name") != "stderr"]
        for output in cell["outputs"]:
            if "execution_count" in output:
                output["execution_count"] = count
    return write_text(path, json.dumps(page, indent=1, ensure_ascii=False) + "\n")


def _code(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def build(stage: Path, work: Path) -> Path:
    """Let jupyter-book render `stage` with warnings as errors and return the folder of the pages."""
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(stage)]
    command += ["--config", str(stage / "_config.yml"), "--toc", str(stage / "book" / "_toc.yml")]
    command += ["--path-output", str(work), "-W", "--keep-going", "-n", "--all"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=stage)
    log = done.stdout + done.stderr
    (BUILD / "book.log").write_text(log, encoding="utf-8")
    if done.returncode != 0:
        warnings = [line for line in log.splitlines() if "WARNING" in line or "ERROR" in line]
        first = warnings[0] if warnings else "no warning was logged"
        raise RunFailed(f"jupyter-book found {len(warnings)} problems: {first}; see {BUILD / 'book.log'}")
    return work / "_build" / "html"


def strip_thebe(html: Path) -> None:
    """Take the scripts for live cells out of every page below `html`: unused here, and an error in the console."""
    for page in sorted(html.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        stripped = THEBE.sub("", text)
        if stripped != text:
            page.write_text(stripped, encoding="utf-8")
    for file in (html / "_static").glob("sphinx-thebe.*"):
        file.unlink()
