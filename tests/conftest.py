"""Settings of the whole suite: real data where a mirror lies beside the checkout, one thread, `benchmarks` in reach."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

mirror = ROOT.parent / "shared" / "data"
if mirror.is_dir():
    os.environ.setdefault("SCARCE_DATA_MIRROR", str(mirror))


def pytest_collection_modifyitems(items):
    """Put files with slow tests in the middle: quick ones fail first, and short ones fill all processes at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    fast = [path for path in dict.fromkeys(item.path for item in items) if path not in slow]
    order = [*fast[: len(fast) // 2], *sorted(slow), *fast[len(fast) // 2 :]]
    place = {path: number for number, path in enumerate(order)}
    items.sort(key=lambda item: place[item.path])
