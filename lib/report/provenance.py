"""What a run depended on: versions, machine, threads, commit, data."""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from lib.report.paths import ROOT

NUMERICAL = ("numpy", "scipy", "pandas", "scikit-learn", "matplotlib", "torch")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def versions(names: tuple[str, ...] = NUMERICAL) -> dict[str, str]:
    """Return the installed version of each package in `names`; absent packages are left out."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_state(root: Path = ROOT) -> dict[str, Any]:
    """Return commit and dirtiness of the work tree.

    ``SCARCE_COMMIT`` names the commit of a copy that has lost its history, and wins over what git says; without it, and
    outside a git checkout, the commit is empty.
    """

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    if copied := os.environ.get("SCARCE_COMMIT"):
        return {"commit": copied, "dirty": None}  # nothing tells whether the copy was changed
    try:
        return {"commit": git("rev-parse", "--short=12", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except FileNotFoundError:
        return {"commit": "", "dirty": False}


def processor() -> str:
    """Return the model name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def accelerator() -> str:
    """Return the name of the first CUDA device, or "none".

    torch is asked; it is imported for that only where the environment or the driver suggests a device.
    """
    if "torch" not in sys.modules and not device_suggested():
        return "none"
    try:
        import torch
    except ImportError:
        return "none"
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"


def device_suggested(driver: Path = Path("/proc/driver/nvidia")) -> bool:
    """Return whether ``CUDA_VISIBLE_DEVICES`` names a device or, where it is not set, the driver is loaded."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return driver.exists() if visible is None else visible.strip() not in ("", "-1")


def data_checksums() -> dict[str, str]:
    """Return the SHA-256 of every data file that `lib.data` verified in this process."""
    data = sys.modules.get("lib.data")
    return dict(data.used()) if data is not None else {}


def machine() -> dict[str, Any]:
    """Return processor, core count, accelerator, system and thread settings."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "accelerator": accelerator(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": {name: os.environ.get(name, "") for name in THREAD_VARIABLES},
    }
