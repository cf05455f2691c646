"""The paper's ResNet-18 on CIFAR-10, within a time limit: ``python -m lib.compression.experiments.gpu --help``.

Needs torch, numpy, pandas and scikit-learn alone. Tables are written as soon as a part is done, so that a run that is
cut off keeps what it has.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from lib.compression import data, layers, networks
from lib.compression.experiments.searches import MINIMAL, RANDOM, final_row, judged_history
from lib.compression.measure import first_pass_seconds, seconds_of
from lib.compression.policy import Policy, Update
from lib.compression.reward import ddc
from lib.compression.search import Found, best, random_search, search
from lib.compression.students import StudentTrainer, Teacher, trained_teacher
from lib.compression.training import Recipe, accuracy

# Share of the time by which each part ends; a part that is early gives the rest to the next.
ENDS = {"DDC": 0.42, RANDOM: 0.62, "vehicles": 0.80, "animals": 0.97}


class Run:
    """Clock and tables of one run: `left` says whether a part may go on, `add` keeps rows and writes them."""

    def __init__(self, out: Path, seconds: float, facts: dict[str, Any]) -> None:
        self.out, self.seconds, self.facts = out, seconds, facts
        self.start, self.began = time.monotonic(), datetime.datetime.now(datetime.UTC)
        self.rows: dict[str, list[pd.DataFrame]] = {}
        (out / "tables").mkdir(parents=True, exist_ok=True)

    def over(self, share: float) -> bool:
        """Return whether `share` of the time is used up."""
        return time.monotonic() - self.start > share * self.seconds

    def add(self, name: str, rows: pd.DataFrame) -> None:
        """Append `rows` to table `name` and write it, with the facts of the run so far."""
        self.rows.setdefault(name, []).append(rows)
        _replace(
            self.out / "tables" / f"{name}.csv",
            pd.concat(self.rows[name]).to_csv(index=False, float_format="%.8g"),
        )
        facts = {
            "status": "ok",
            "paper": "compression",
            "preset": "gpu",
            "started": self.began.isoformat("T", "seconds"),
        }
        facts |= {"seconds": round(time.monotonic() - self.start, 1)} | self.facts
        _replace(self.out / "result.json", json.dumps(facts, indent=1) + "\n")
        print(f"{time.monotonic() - self.start:6.1f} s  {name}: {len(rows)} rows", flush=True)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def compress(
    run: Run,
    *,
    device: str,
    images: int,
    epochs: int,
    teacher_epochs: int,
    iterations: int,
    budget: int,
    width: float,
    batch: int,
) -> None:
    """Search on all ten classes and on the two class subsets of the paper, with the baselines that it lacks."""
    half = device.startswith("cuda")
    loaded = data.cifar10(images=images, views=max(epochs, 8), device=device)
    architecture = networks.resnet18() if width == 1 else networks.narrowed(networks.resnet18(), width)
    cold = networks.build(architecture).to(device)
    first = first_pass_seconds(cold, loaded.val_x)
    recipe = Recipe(epochs=epochs, lr=2e-3, weight_decay=5e-4, batch=batch, decay=True, half=half)
    labels = Recipe(epochs=teacher_epochs, lr=2e-3, batch=batch, decay=True, half=half, soft=0.0)
    teacher = trained_teacher(architecture, loaded, recipe=labels)
    run.add("times", _times(teacher, first, half))
    trainer = StudentTrainer(teacher, recipe, batched=not half)
    minimal = layers.smallest_valid(architecture)
    _final(run, "final", trainer, minimal, method=MINIMAL, trainings=0)
    update = Update(lr=0.003)
    found = search(architecture, trainer, iterations=iterations, update=update, stop=lambda _: run.over(ENDS["DDC"]))
    _history(run, "history", found, method="DDC")
    _final(run, "final", trainer, found.keep, method="DDC", trainings=found.trainings)
    drawn = random_search(
        architecture, trainer, trainings=found.trainings, keep=None, stop=lambda _: run.over(ENDS[RANDOM])
    )
    _history(run, "history", drawn, method=RANDOM)
    _final(run, "final", trainer, drawn.keep, method=RANDOM, trainings=drawn.trainings)
    for subset in ("vehicles", "animals"):
        _subset(run, teacher, recipe, update, found, subset, budget, half)


def _subset(
    run: Run, teacher: Teacher, recipe: Recipe, update: Update, full: Found, subset: str, budget: int, half: bool
) -> None:
    """Search on one class subset with the policy of all classes and from scratch, `budget` iterations each at most."""
    trainer = StudentTrainer(
        teacher, recipe, images=data.subset(teacher.images, data.SUBSETS[subset]), batched=not half
    )
    begin, end = (time.monotonic() - run.start) / run.seconds, ENDS[subset]
    _final(run, "subsets", trainer, full.keep, subset=subset, arm="full policy")
    results, most = {}, budget
    arms: tuple[tuple[str, Policy | None, float], ...] = (
        ("transfer", full.policy, begin + 0.4 * (end - begin)),
        ("scratch", None, end),
    )
    for arm, policy, until in arms:
        stop: Callable[[pd.DataFrame], bool] = lambda _, until=until: run.over(until)  # noqa: E731
        found = search(
            teacher.architecture, trainer, reward=ddc, iterations=most, update=update, policy=policy, stop=stop
        )
        results[arm] = found
        _history(run, "subset_history", found, subset=subset, arm=arm)
        most = int(found.history["iteration"].max()) + 1
    for arm, found in results.items():  # the same number of iterations for both arms: that of the shorter one
        keep = best(found.history, teacher.architecture, iterations=most)
        _final(run, "subsets", trainer, keep, subset=subset, arm=arm, iterations=most)


def _history(run: Run, table: str, found: Found, **columns: Any) -> None:
    run.add(table, judged_history(found).assign(seed=0, **columns))


def _final(run: Run, table: str, trainer: StudentTrainer, keep: Any, **columns: Any) -> None:
    run.add(table, pd.DataFrame([final_row(trainer, keep, runs=2) | columns | {"seed": 0}]))


def _times(teacher: Teacher, first: float, half: bool) -> pd.DataFrame:
    """Return seconds of the first pass of the process and of a warm one, for the teacher and the minimal student."""
    images = teacher.images
    small = networks.build(layers.minimal(teacher.architecture)).to(images.val_x.device)
    warm = seconds_of([teacher.net, small], images.val_x, half=half)
    row = {"first_pass_s": first, "teacher_s": warm[0], "minimal_s": warm[1], "images": len(images.val_y)}
    row["teacher_test"] = accuracy(teacher.net, images.test_x, images.test_y, half=half)
    return pd.DataFrame([row])


def main() -> None:
    """Run the searches of the paper on CIFAR-10 and write result.json and tables/*.csv into --out."""
    parser = argparse.ArgumentParser(prog="python -m lib.compression.experiments.gpu", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the record")
    parser.add_argument("--device", default="cuda", help="torch device")
    parser.add_argument("--minutes", type=float, default=4.5, help="time limit; parts that do not fit are cut short")
    parser.add_argument("--images", type=int, default=50_000, help="training images, a tenth of them to validate")
    parser.add_argument("--epochs", type=int, default=5, help="epochs a student")
    parser.add_argument("--teacher-epochs", type=int, default=16)
    parser.add_argument("--iterations", type=int, default=30, help="on all classes, five students each")
    parser.add_argument("--budget", type=int, default=10, help="iterations on a class subset")
    parser.add_argument("--width", type=float, default=1.0, help="multiplier of all widths")
    parser.add_argument("--batch", type=int, default=250)
    options = vars(parser.parse_args())
    cuda = options["device"].startswith("cuda")
    if cuda:
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    name = torch.cuda.get_device_name(0) if cuda else "none"
    out, minutes = options.pop("out"), options.pop("minutes")
    machine = {"accelerator": name, "processor": platform.processor() or platform.machine()}
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    run = Run(
        out, 60 * minutes, {"parameters": options | {"minutes": minutes}, "versions": versions, "machine": machine}
    )
    settings = {key.replace("-", "_"): value for key, value in options.items()}
    compress(run, **settings)


if __name__ == "__main__":
    main()
