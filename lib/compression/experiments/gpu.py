"""The paper's ResNet-18 on CIFAR-10 within a time limit: ``python -m lib.compression.experiments.gpu --help``.

Needs torch, numpy, pandas and scikit-learn alone. Tables are written as soon as a part is done, so that a run that is
cut off keeps what it has.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import time
from pathlib import Path

import pandas as pd
import torch

from lib.compression.experiments.cifar import cifar10_tables
from lib.files import write_json, write_text


def main() -> None:
    """Search for students of ResNet-18 on CIFAR-10; result.json and tables/*.csv go into --out."""
    parser = argparse.ArgumentParser(prog="python -m lib.compression.experiments.gpu", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the record")
    parser.add_argument("--device", default="cuda", help="torch device")
    parser.add_argument("--minutes", type=float, default=4.5, help="time limit; parts that do not fit are cut short")
    parser.add_argument("--images", type=int, default=50_000, help="training images, a tenth of them to validate")
    parser.add_argument("--tests", type=int, default=10_000, help="test images")
    parser.add_argument("--epochs", type=int, default=5, help="epochs a student")
    parser.add_argument("--teacher-epochs", type=int, default=16)
    parser.add_argument("--iterations", type=int, default=30, help="on all classes, five students each")
    parser.add_argument("--budget", type=int, default=10, help="iterations on a class subset")
    parser.add_argument("--width", type=float, default=1.0, help="multiplier of all widths")
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--lr", type=float, default=2e-3)
    options = vars(parser.parse_args())
    out, start = options.pop("out"), time.monotonic()
    facts = {"status": "ok", "paper": "compression", "preset": "gpu", "started": _now(), "parameters": options}
    facts |= {"git": {"commit": "", "dirty": False}, "data": {}}
    facts |= {"versions": {"python": platform.python_version(), "torch": torch.__version__}}
    facts |= {"machine": {"accelerator": _accelerator(options["device"]), "processor": platform.machine()}}
    (out / "tables").mkdir(parents=True, exist_ok=True)

    def write(name: str, table: pd.DataFrame) -> None:
        seconds = round(time.monotonic() - start, 1)
        write_text(out / "tables" / f"{name}.csv", table.to_csv(index=False, float_format="%.8g"))
        write_json(out / "result.json", facts | {"seconds": seconds})
        print(f"{seconds:7.1f} s  {name}: {len(table)} rows", flush=True)

    cifar10_tables(write=write, **options)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat("T", "seconds")


def _accelerator(device: str) -> str:
    if not device.startswith("cuda"):
        return "none"
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    return torch.cuda.get_device_name(device)


if __name__ == "__main__":
    main()
