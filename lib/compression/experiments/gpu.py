"""The paper's networks on CIFAR-10 within a time limit: ``python -m lib.compression.experiments.gpu --help``.

Needs torch, numpy, pandas and scikit-learn alone. Tables are written as they grow, so that a run that is cut off keeps
what it has; its result.json then says "partial".
"""

from __future__ import annotations

import argparse
import datetime
import resource
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from lib.compression.experiments.cifar import cifar10_tables
from lib.files import write_json, write_text
from lib.report.provenance import data_checksums, git_state, machine, versions


def main(words: list[str] | None = None) -> None:
    """Search for students of ResNet-18 and VGG-11 on CIFAR-10; result.json and tables/*.csv go into --out."""
    options = vars(_parser().parse_args(words))
    out, start = options.pop("out"), time.monotonic()
    if options["device"].startswith("cuda"):
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    facts = {"paper": "compression", "preset": "gpu", "started": _now(), "parameters": options}
    facts |= {"git": git_state(), "versions": versions(), "machine": machine()}
    (out / "tables").mkdir(parents=True, exist_ok=True)

    def say(status: str) -> float:
        seconds = round(time.monotonic() - start, 1)
        more: dict[str, Any] = {"status": status, "data": data_checksums(), "seconds": seconds} | peaks()
        write_json(out / "result.json", facts | more)
        return seconds

    def write(name: str, table: pd.DataFrame) -> None:
        write_text(out / "tables" / f"{name}.csv", table.to_csv(index=False, float_format="%.8g"))
        print(f"{say('partial'):7.1f} s  {name}: {len(table)} rows", flush=True)

    cifar10_tables(write=write, **options)
    say("ok")


def peaks() -> dict[str, float]:
    """Return the largest resident set of this process, and what tensors held at most on its CUDA device, in MiB."""
    found = {"peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)}
    if torch.cuda.is_available():
        found["peak_gpu_mib"] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lib.compression.experiments.gpu", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the record")
    parser.add_argument("--device", default="cuda", help="torch device")
    parser.add_argument("--minutes", type=float, default=7, help="time limit; parts that do not fit are cut short")
    parser.add_argument("--images", type=int, default=50_000, help="training images, a tenth of them to validate")
    parser.add_argument("--tests", type=int, default=10_000, help="test images")
    parser.add_argument("--epochs", type=int, default=5, help="epochs a student")
    parser.add_argument("--teacher-epochs", type=int, default=16)
    parser.add_argument("--final-epochs", type=int, default=16, help="of the chosen students, trained anew")
    parser.add_argument("--iterations", type=int, default=100, help="on all classes, five students each")
    parser.add_argument("--budget", type=int, default=20, help="iterations on a class subset")
    parser.add_argument("--width", type=float, default=1.0, help="multiplier of all widths")
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--vgg", action=argparse.BooleanOptionalAction, default=True, help="VGG-11 after ResNet-18")
    return parser


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat("T", "seconds")


if __name__ == "__main__":
    main()
