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
