"""The recorded run without a notebook: ``python -m lib.flow.real --out DIR --workers 16``.

The tables are those of `scarce run flow --preset real`, computed by the same functions, several processes at a time.
Nothing beyond torch, numpy, pandas, scipy and scikit-learn is needed. Each table appears, whole, as soon as it is
complete, with ``result.json`` on machine, versions and commit (``SCARCE_COMMIT`` names that of a copy without history).
As ``results/flow/real`` the folder is shown on the page; one of a single data set may be called after it, such as
``results/flow/cifar10``.
"""

import argparse
import os
import resource
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from lib.files import write_json, write_text
from lib.report import provenance


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m lib.flow.real", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for tables/ and result.json")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes, one thread each")
    parser.add_argument("--device", default="cpu", help="where to train, in torch's spelling")
    parser.add_argument("--longer", nargs="*", default=["methods", "deltas", "rounds", "ablation", "digits"])
    parser.add_argument("--data-sets", nargs="*", default=["femnist-digits", "cifar10", "tinyshakespeare"])
    parser.add_argument("--seeds", type=int, default=5, help="of the tables on embedded data")
    parser.add_argument("--rounds", type=int, default=25, help="of the tables on embedded data but the digits")
    parser.add_argument("--real-seeds", type=int, default=5)
    parser.add_argument("--real-rounds", type=int, default=40)
    parser.add_argument("--tuning-seeds", type=int, default=2)
    parser.add_argument("--tuning-rounds", type=int, default=10)
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> None:
    """Compute the tables and write them."""
    from lib.flow.experiments.longer import longer_tasks
    from lib.flow.experiments.real import real_tables

    options, start, begun = arguments(given), time.monotonic(), datetime.now(UTC)
    beside = longer_tasks(options.longer, seeds=options.seeds, rounds=options.rounds, device=options.device)

    def keep(name: str, table: pd.DataFrame) -> None:
        write_text(options.out / "tables" / f"{name}.csv", table.to_csv(index=False, float_format="%.8g"))
        write_json(options.out / "result.json", result(options, begun, time.monotonic() - start))
        print(f"{time.monotonic() - start:.0f} s: {name}, {len(table)} rows", flush=True)

    real_tables(
        options.data_sets,
        seeds=options.real_seeds,
        rounds=options.real_rounds,
        tuning_seeds=options.tuning_seeds,
        tuning_rounds=options.tuning_rounds,
        device=options.device,
        workers=options.workers,
        progress=_said,
        beside=beside,
        on_table=keep,
    )


def result(options: argparse.Namespace, begun: datetime, seconds: float) -> dict[str, Any]:
    """Return what a run's ``result.json`` holds, for the tables that are complete."""
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "status": "ok",
        "paper": "flow",
        "preset": "real",
        "hash": "computed without a notebook",
        "started": begun.isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "peak_mib": round(peak / 1024, 1),  # of the largest process
        "parameters": {name: value for name, value in sorted(vars(options).items()) if name != "out"},
        "versions": provenance.versions(),
        "git": provenance.git_state(),
        "data": provenance.data_checksums(),
        "machine": provenance.machine(),
    }


def _said(items, label: str):
    start = time.monotonic()
    for place, item in enumerate(items, start=1):
        yield item
        if place == len(items) or place % 20 == 0:
            print(f"{label}: {place} of {len(items)}, {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
