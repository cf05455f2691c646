"""The book against itself: what a second build with nothing changed costs, and the time of a quick notebook."""

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.lines import target
from lib.jobs import make_job, papers, read_result
from lib.report.paths import ROOT

SCARCE = str(Path(sys.executable).with_name("scarce"))


def measure() -> dict:
    """Return seconds of a full build (all notebooks, rendering) and of a second one, and each notebook's seconds.

    The notebooks' seconds are those of their finished quick runs; rendering and the second build are timed here.
    """
    notebooks = {paper: read_result(make_job(paper).folder)["seconds"] for paper in papers()}
    full = sum(notebooks.values()) + _seconds("book", "--force")
    again = _seconds("book")
    return {"full_seconds": full, "again_seconds": again, "ratio": again / full, "notebooks": notebooks}


def rows(found: dict) -> list[dict]:
    """Rows on building the book."""
    lines = [
        target(f"Notebook {paper} at quick", "whole run", f"{seconds:.0f} s", "at most 120 s", seconds <= 120)
        for paper, seconds in found["notebooks"].items()
    ]
    again = f"{found['again_seconds']:.1f} s, {found['ratio']:.1%} of {found['full_seconds']:.0f} s"
    aim = "at most 5 % of the first"
    return [*lines, target("Second build, nothing changed", "scarce book", again, aim, found["ratio"] <= 0.05)]


def _seconds(*words: str) -> float:
    start = time.perf_counter()
    subprocess.run([SCARCE, *words], cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - start
