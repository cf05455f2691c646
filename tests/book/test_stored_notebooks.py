"""The outputs stored in notebooks/ against the runs that the book shows: the same cells, kinds of output and verdicts.

A run executes the notebook as nbval does; comparing with it costs nothing. `make nbval` executes all once more.
"""

import json

import pytest

from lib.jobs import make_job, papers
from lib.report.paths import NOTEBOOKS

CHECKED = "NBVAL_CHECK_OUTPUT"


def code_cells(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def source(cell):
    return "".join(cell["source"])


def printed(cell):
    return "".join("".join(o["text"]) for o in cell["outputs"] if o.get("name") == "stdout")


def kinds(cell):
    return [(o["output_type"], sorted(o.get("data", {}))) for o in cell["outputs"] if o.get("name") != "stderr"]


@pytest.mark.parametrize("paper", papers())
def test_stored_outputs_are_those_of_the_run_behind_the_book(paper):
    job = make_job(paper)
    assert job.done, f"no finished run of {paper}: run 'make book' first"
    stored, ran = code_cells(NOTEBOOKS / f"{paper}.ipynb"), code_cells(job.folder / f"{paper}.ipynb")
    checked = 0
    for cell, done in zip(stored, ran, strict=True):
        assert kinds(cell) == kinds(done), f"{source(cell)}\nother outputs than stored: run 'make notebooks'"
        if CHECKED in source(cell):
            assert printed(cell) == printed(done) != "", "other verdicts than stored: run 'make notebooks'"
            checked += 1
    assert checked == 1
