"""The paper's networks and class subsets on CIFAR-10, as far as a time limit allows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch

from lib.compression import data, layers, networks
from lib.compression.experiments.methods import MINIMAL, RANDOM, judged, judged_history
from lib.compression.measure import first_pass_seconds, seconds_of
from lib.compression.networks import Network
from lib.compression.policy import Policy
from lib.compression.search import Found, best, random_search, search
from lib.compression.students import StudentTrainer, Teacher, trained_teacher
from lib.compression.training import Recipe, accuracy

# Share of the time by which each part ends; a part that is early leaves its time to the next.
ENDS = {"DDC": 0.42, RANDOM: 0.62, "vehicles": 0.80, "animals": 0.97}
Write = Callable[[str, pd.DataFrame], None]


class _Run:
    """Clock and tables: `over` says whether a share of the time is used up, `add` keeps rows and hands tables on."""

    def __init__(self, seconds: float, write: Write | None) -> None:
        self.seconds, self.write, self.start = seconds, write, time.monotonic()
        self.rows: dict[str, list[pd.DataFrame]] = {}

    def share(self) -> float:
        return (time.monotonic() - self.start) / self.seconds

    def over(self, share: float) -> bool:
        return self.share() > share

    def add(self, name: str, rows: pd.DataFrame) -> None:
        self.rows.setdefault(name, []).append(rows)
        if self.write is not None:
            self.write(name, self.table(name))

    def table(self, name: str) -> pd.DataFrame:
        return pd.concat(self.rows[name], ignore_index=True)


def cifar10_tables(
    *,
    minutes: float = 15.0,
    device: str = "cpu",
    images: int = 2000,
    tests: int | None = 2000,
    epochs: int = 3,
    teacher_epochs: int = 12,
    iterations: int = 30,
    budget: int = 10,
    width: float = 0.125,
    batch: int = 50,
    lr: float = 5e-3,
    write: Write | None = None,
) -> dict[str, pd.DataFrame]:
    """Search on all ten classes of CIFAR-10 and on the paper's class subsets, with the baselines that it lacks.

    Args:
        minutes: Time limit. Parts that do not fit are cut short, so the number of iterations depends on the machine.
        device: Torch device; on a CUDA device training runs in bfloat16, one student after the other.
        images: Training images, a tenth of them to validate.
        tests: Test images, all if None.
        epochs: Epochs a student.
        teacher_epochs: Epochs of the teacher.
        iterations: At most so many on all classes, five students each.
        budget: At most so many on each class subset.
        width: Multiplier of ResNet-18's widths.
        batch: Images a minibatch.
        lr: First learning rate, which falls to zero.
        write: Called with name and table whenever a table has grown.

    Returns ``times`` (first and warm passes), ``history`` and ``final`` (all classes), ``subset_history`` and
    ``subsets``.
    """
    run, half = _Run(60 * minutes, write), device.startswith("cuda")
    loaded = data.cifar10(images=images, tests=tests, views=max(epochs, 8), device=device)
    architecture = networks.resnet18() if width == 1 else networks.narrowed(networks.resnet18(), width)
    first = first_pass_seconds(_placed(networks.build(architecture), device, half), loaded.val_x, half=half)
    labels = Recipe(epochs=teacher_epochs, lr=lr, batch=batch, decay=True, half=half, soft=0.0)
    teacher = trained_teacher(architecture, loaded, recipe=labels)
    run.add("times", _times(teacher, first, half))
    trainer = StudentTrainer(
        teacher, Recipe(epochs=epochs, lr=lr, batch=batch, decay=True, half=half), batched=not half
    )
    least = layers.smallest_valid(architecture)
    _final(run, "final", trainer, [({"method": MINIMAL, "trainings": 0}, least)])
    found = search(architecture, trainer, iterations=iterations, stop=lambda _: run.over(ENDS["DDC"]))
    _history(run, "history", found, method="DDC")
    spent = {"trainings": found.trainings, "keep": None, "stop": lambda _: run.over(ENDS[RANDOM])}
    drawn = random_search(architecture, trainer, **spent)
    _history(run, "history", drawn, method=RANDOM)
    ours = ({"method": "DDC", "trainings": found.trainings}, found.keep)
    chance = ({"method": RANDOM, "trainings": drawn.trainings}, drawn.keep)
    run.rows.pop("final")  # judged again with the others, so that all are timed in turns
    _final(run, "final", trainer, [({"method": MINIMAL, "trainings": 0}, least), ours, chance])
    for subset in ("vehicles", "animals"):
        _subset(run, trainer, found, subset, budget)
    return {name: run.table(name) for name in run.rows}


def _subset(run: _Run, whole: StudentTrainer, full: Found, subset: str, budget: int) -> None:
    """Search on one class subset with the policy of all classes and from scratch, `budget` iterations each at most."""
    teacher = whole.teacher
    images = data.subset(teacher.images, data.SUBSETS[subset])
    trainer = StudentTrainer(teacher, whole.recipe, images=images, batched=whole.batched)
    begin, results, most = run.share(), {}, budget
    arms: tuple[tuple[str, Policy | None, float], ...] = (
        ("transfer", full.policy, begin + 0.4 * (ENDS[subset] - begin)),
        ("scratch", None, ENDS[subset]),
    )
    for arm, policy, until in arms:
        stop = _until(run, until)
        results[arm] = search(teacher.architecture, trainer, iterations=most, policy=policy, stop=stop)
        _history(run, "subset_history", results[arm], subset=subset, arm=arm)
        most = int(results[arm].history["iteration"].max()) + 1
    chosen = [({"subset": subset, "arm": "full policy", "iterations": 0}, full.keep)]
    for arm, found in results.items():  # both arms get as many iterations as the shorter one had
        keep = best(found.history, teacher.architecture, iterations=most)
        chosen.append(({"subset": subset, "arm": arm, "iterations": most}, keep))
    _final(run, "subsets", trainer, chosen)


def _until(run: _Run, share: float) -> Callable[[pd.DataFrame], bool]:
    return lambda _: run.over(share)


def _history(run: _Run, table: str, found: Found, **columns: Any) -> None:
    run.add(table, judged_history(found).assign(seed=0, **columns))


def _final(run: _Run, table: str, trainer: StudentTrainer, chosen: list[tuple[dict[str, Any], np.ndarray]]) -> None:
    trained = [(facts | {"seed": 0}, trainer.replicates(keep, runs=2)) for facts, keep in chosen]
    run.add(table, pd.DataFrame(judged(trainer, trained)))


def _placed(net: Network, device: str | torch.device, half: bool) -> Network:
    net = net.to(device)
    return net.to(memory_format=torch.channels_last) if half else net


def _times(teacher: Teacher, first: float, half: bool) -> pd.DataFrame:
    """Return seconds of the first pass of the process and of warm ones, for the teacher and the minimal student."""
    images = teacher.images
    small = _placed(networks.build(layers.minimal(teacher.architecture)), images.val_x.device, half)
    warm = seconds_of([teacher.net, small], images.val_x, half=half)
    row = {"first_pass_s": first, "teacher_s": warm[0], "minimal_s": warm[1], "images": len(images.val_y)}
    row["half"] = half  # a record without this column timed its first pass in float32
    row["teacher_test"] = accuracy(teacher.net, images.test_x, images.test_y, half=half)
    return pd.DataFrame([row])
