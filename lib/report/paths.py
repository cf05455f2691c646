"""Where things lie: every path of the project is resolved from the package, never from the working folder."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Own notebooks can live elsewhere: SCARCE_NOTEBOOKS names their folder.
NOTEBOOKS = Path(os.environ.get("SCARCE_NOTEBOOKS") or ROOT / "notebooks")
RESULTS = ROOT / "results"
BUILD = ROOT / "_build"


def runs_dir() -> Path:
    """Return the folder of all runs: ``SCARCE_RUNS`` if it is set, else ``runs/`` in the repository."""
    return Path(os.environ.get("SCARCE_RUNS") or ROOT / "runs")


def current_run() -> Path | None:
    """Return the folder that the running notebook writes to, or None outside a run (nbval, JupyterLab)."""
    folder = os.environ.get("SCARCE_RUN_DIR")
    return Path(folder) if folder else None
