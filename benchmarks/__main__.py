"""Measure everything and record ``results/benchmarks.json``, the table of the costs page.

``python -m benchmarks NAME...`` measures these alone; the record keeps its other lines, each with its own date.
"""

import json
import os
import sys
from datetime import UTC, datetime

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from benchmarks import (  # noqa: E402  (threads are fixed before numpy is imported)
    book,
    compression,
    design,
    federated,
    federated_flower,
    flow,
    forward_mode,
    poisoning,
    profiling,
    regret,
    runner,
    segmentation,
)
from lib.report.page import write_json  # noqa: E402
from lib.report.paths import RESULTS  # noqa: E402
from lib.report.provenance import machine, versions  # noqa: E402

# In the order of the table.
PARTS = (
    design,
    regret,
    profiling,
    federated,
    federated_flower,
    flow,
    forward_mode,
    poisoning,
    compression,
    segmentation,
    runner,
    book,
)
PACKAGES = ("numpy", "scipy", "scikit-learn", "cvxpy", "clarabel", "torch", "flwr", "byzfl")


def main(names: list[str]) -> None:
    """Measure the parts `names` (all without one), print their lines, and record each when it is measured."""
    known = {part.__name__.removeprefix("benchmarks."): part for part in PARTS}
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.exit(f"error: no benchmark {unknown[0]!r}: choose from {', '.join(known)}")
    for name in names or known:
        lines = known[name].rows(known[name].measure())
        record(name, lines, order=list(known))
        for line in lines:
            print(f"{'ok ' if line['reached'] else 'NOT'} {line['what']}: {line['measured']} (aim {line['aim']})")


def record(name: str, lines: list[dict], *, order: list[str]) -> None:
    """Put the lines of one part, with day, machine and versions, into the record, in place of its former ones."""
    path = RESULTS / "benchmarks.json"
    parts = json.loads(path.read_text(encoding="utf-8"))["parts"] if path.is_file() else {}
    today = datetime.now(UTC).date().isoformat()
    parts[name] = {"date": today, "machine": machine(), "versions": versions(PACKAGES), "rows": lines}
    write_json(path, {"parts": {part: parts[part] for part in order if part in parts}})


if __name__ == "__main__":
    main(sys.argv[1:])
