"""Measure everything and record ``results/benchmarks.json``, the table of the costs page.

``python -m benchmarks NAME...`` measures these alone and prints them; nothing is recorded then.
"""

import os
import sys
from datetime import UTC, datetime

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from benchmarks import book, design, federated, federated_flower, flow, forward_mode, poisoning, profiling, regret  # noqa: E402  (threads are fixed before numpy is imported)
from lib.report.page import write_json  # noqa: E402
from lib.report.paths import RESULTS  # noqa: E402
from lib.report.provenance import machine, versions  # noqa: E402

PARTS = (
    design,
    regret,
    profiling,
    federated,
    federated_flower,
    flow,
    forward_mode,
    poisoning,
    book,
)  # in the order of the table
PACKAGES = ("numpy", "scipy", "scikit-learn", "cvxpy", "clarabel", "torch", "flwr", "byzfl")


def main(names: list[str]) -> None:
    """Measure the parts `names` (all without one), print their lines, and record them if they are all."""
    known = {part.__name__.removeprefix("benchmarks."): part for part in PARTS}
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.exit(f"error: no benchmark {unknown[0]!r}: choose from {', '.join(known)}")
    rows = []
    for part in [known[name] for name in names] or PARTS:
        for line in part.rows(part.measure()):
            rows.append(line)
            print(f"{'ok ' if line['reached'] else 'NOT'} {line['what']}: {line['measured']} (aim {line['aim']})")
    if not names:
        today = datetime.now(UTC).date().isoformat()
        content = {"date": today, "machine": machine(), "versions": versions(PACKAGES), "rows": rows}
        write_json(RESULTS / "benchmarks.json", content)


if __name__ == "__main__":
    main(sys.argv[1:])
