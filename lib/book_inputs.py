"""What the rendered book depends on, as one hash: known before anything is staged, so that nothing to do is quick."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from lib.jobs import make_job, papers
from lib.report.paths import NOTEBOOKS, RESULTS, ROOT, runs_dir
from lib.report.provenance import git_state, machine, versions

RENDERERS = ("jupyter-book", "sphinx", "sphinx-book-theme", "myst-nb", "papermill")


def inputs_hash() -> str:
    """Return the hash of all that the pages are made of: texts, code, records, finished runs, tools and machine.

    The folder of a finished run is named by the hash of its code and parameters, and never changes once it is there; of
    it and of all earlier ones, which the history of runs shows, ``result.json`` is read. Files are compared by content.
    """
    facts = {
        "versions": versions(RENDERERS),
        "git": git_state(),
        "machine": machine(),
        "repository": os.environ.get("SCARCE_REPOSITORY", ""),
        "runs": {paper: make_job(paper).hash for paper in papers()},
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for path in sorted(path for path in _files() if path.is_file()):
        digest.update(f"{path}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files() -> Iterator[Path]:
    yield ROOT / "_config.yml"
    yield from NOTEBOOKS.rglob("*")
    for folder in (ROOT / "book", ROOT / "lib", ROOT / "benchmarks", ROOT / "tests", RESULTS):
        yield from (path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    yield from runs_dir().glob("*/*/*/result.json")
