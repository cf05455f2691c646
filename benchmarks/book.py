"""The book against itself: what a second build with nothing changed costs, and the time of a quick notebook."""

import subprocess
import sys
import time
from pathlib import Path

from lib.jobs import make_job, papers, read_result
from lib.report.paths import ROOT

SCARCE = str(Path(sys.executable).with_name("scarce"))


def measure() -> dict:
    """Return seconds of a full build (all notebooks, rendering) and of a second one, and each notebook's seconds."""
    start = time.perf_counter()
    for paper in papers():
        subprocess.run([SCARCE, "run", paper, "--force"], cwd=ROOT, check=True, capture_output=True)
    subprocess.run([SCARCE, "book", "--force"], cwd=ROOT, check=True, capture_output=True)
    full = time.perf_counter() - start
    start = time.perf_counter()
    subprocess.run([SCARCE, "book"], cwd=ROOT, check=True, capture_output=True)
    again = time.perf_counter() - start
    notebooks = {paper: read_result(make_job(paper).folder)["seconds"] for paper in papers()}
    return {"full_seconds": full, "again_seconds": again, "ratio": again / full, "notebooks": notebooks}
