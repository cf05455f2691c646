"""The paper's networks and class subsets on CIFAR-10, as far as a time limit allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from lib.compression import data, layers, networks
from lib.compression.experiments import steps
from lib.compression.experiments.methods import MINIMAL, RANDOM, judged, judged_history
from lib.compression.measure import first_pass_seconds, seconds_of
from lib.compression.networks import Network
from lib.compression.policy import Policy
from lib.compression.search import Found, best, random_search, search
from lib.compression.students import StudentTrainer, Teacher, trained_teacher
from lib.compression.training import Recipe, accuracy

# Share of the time by which each part ends; a part that is early leaves its time to the next. On all classes the search
# and random search halve what there is, as neither is worth comparing where it trained far fewer students.
ENDS = {"ResNet-18": 0.62, "vehicles": 0.80, "animals": 0.97}
BOTH = {"ResNet-18": 0.46, "vehicles": 0.56, "animals": 0.66, "VGG-11": 0.97}
Write = Callable[[str, pd.DataFrame], None]


class _Run:
    """Clock and tables: `over` says whether a share of the time is used up, `add` keeps rows and hands tables on."""

    def __init__(self, seconds: float, write: Write | None) -> None:
        self.seconds, self.write, self.start = seconds, write, time.monotonic()
        self.final_epochs: int | None = None  # of the students that are judged; as in the search if None
        self.rows: dict[str, list[pd.DataFrame]] = {}

    def share(self) -> float:
        return (time.monotonic() - self.start) / self.seconds

    def over(self, share: float) -> bool:
        return self.share() > share

    def add(self, name: str, rows: pd.DataFrame) -> None:
        self.rows.setdefault(name, []).append(rows)
        self.hand_on(name)

    def hand_on(self, name: str, *more: pd.DataFrame) -> None:
        """Write the table with `more` rows that are not final, so that a run that is cut off keeps them."""
        if self.write is not None:
            self.write(name, pd.concat([*self.rows.get(name, []), *more], ignore_index=True))

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
    final_epochs: int | None = None,
    iterations: int = 30,
    budget: int = 10,
    width: float = 0.125,
    batch: int = 50,
    lr: float = 5e-3,
    vgg: bool = False,
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
        final_epochs: Epochs of the chosen students when they are trained anew and judged, as in the search if None or
            if steps are not recorded (`lib.compression.captured`), which would take too long.
        iterations: At most so many on all classes, five students each.
        budget: At most so many on each class subset.
        width: Multiplier of the networks' widths.
        batch: Images a minibatch.
        lr: First learning rate, which falls to zero.
        vgg: Whether VGG-11 follows ResNet-18, on all classes.
        write: Called with name and table whenever a table has grown.

    Returns ``times`` (first and warm passes, recorded steps on a CUDA device), ``history`` and ``final`` (all classes),
    ``subset_history`` and ``subsets``, and with `vgg` ``vgg_history`` and ``vgg_final``.
    """
    run, half, ends = _Run(60 * minutes, write), device.startswith("cuda"), BOTH if vgg else ENDS
    loaded = data.cifar10(images=images, tests=tests, views=max(epochs, 8), device=device)
    recipe = Recipe(epochs=epochs, lr=lr, batch=batch, decay=True, half=half)
    architecture = networks.narrowed(networks.resnet18(), width)
    with _first_algorithm():
        first = _first_pass(_placed(networks.build(architecture), device, half), loaded, half)
    tried = steps.trial(architecture, loaded, recipe) if half else {}
    recipe = replace(recipe, captured=bool(tried.get("captured", False)))
    trainer = _trainer(architecture, loaded, recipe, teacher_epochs)
    run.final_epochs = final_epochs if recipe.captured else None
    effort = {"epochs": epochs, "final_epochs": run.final_epochs or epochs, "teacher_epochs": teacher_epochs}
    with _first_algorithm():  # the warm passes too, so that like is compared with like
        times = _times(trainer.teacher, half)
    run.add("times", times.assign(**first, **effort, **tried))
    found = _all_classes(run, trainer, iterations, "", ends["ResNet-18"])
    for subset in ("vehicles", "animals"):
        _subset(run, trainer, found, subset, budget, ends[subset])
    if vgg:  # each student has maps of its own: to try algorithms for all of them would take longer than to train it
        with _first_algorithm():
            trainer = _trainer(networks.narrowed(networks.vgg11(), width), loaded, recipe, teacher_epochs)
            _all_classes(run, trainer, iterations, "vgg_", ends["VGG-11"])
    return {name: run.table(name) for name in run.rows}


@contextmanager
def _first_algorithm() -> Iterator[None]:
    """Let cuDNN take the algorithm that it expects to be fast, and try no others."""
    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, False
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def _trainer(architecture: layers.Architecture, images: data.Images, recipe: Recipe, epochs: int) -> StudentTrainer:
    """Return what trains students of `architecture` by `recipe`, after a teacher of so many epochs on labels."""
    teacher = trained_teacher(architecture, images, recipe=replace(recipe, epochs=epochs, soft=0.0))
    return StudentTrainer(teacher, recipe, batched=not recipe.half)


def _all_classes(run: _Run, trainer: StudentTrainer, iterations: int, prefix: str, until: float) -> Found:
    """Search on all classes, draw students at random, and judge both beside the smallest student.

    The search ends halfway to the share `until` of the time; random search ends when it has trained as many students,
    or has had all of the other half and as much time as the search: it may have trained fewer, as `trainings` tells.
    """
    architecture, history = trainer.teacher.architecture, f"{prefix}history"
    least = ({"method": MINIMAL, "trainings": 0}, layers.smallest_valid(architecture))
    _final(run, f"{prefix}final", trainer, [least])
    begin = run.share()
    stop = _until(run, (begin + until) / 2, history, method="DDC")
    found = search(architecture, trainer, iterations=iterations, stop=stop)
    _history(run, history, found, method="DDC")
    now = run.share()  # the last iteration of the search may have ended late
    stop = _until(run, max(until, now + (now - begin)), history, method=RANDOM)
    drawn = random_search(architecture, trainer, trainings=max(found.trainings, 1), keep=None, stop=stop)
    _history(run, history, drawn, method=RANDOM)
    both = {"DDC": found, RANDOM: drawn}
    chosen = [
        ({"method": name, "trainings": some.trainings}, some.keep) for name, some in both.items() if some.trainings
    ]
    run.rows.pop(f"{prefix}final")  # judged again with the others, so that all are timed in turns
    _final(run, f"{prefix}final", trainer, [least, *chosen])
    return found


def _subset(run: _Run, whole: StudentTrainer, full: Found, subset: str, budget: int, end: float) -> None:
    """Search on one class subset with the policy of all classes and from scratch, `budget` iterations each at most."""
    teacher = whole.teacher
    images = data.subset(teacher.images, data.SUBSETS[subset])
    trainer = StudentTrainer(teacher, whole.recipe, images=images, batched=whole.batched)
    begin, results, most = run.share(), {}, budget
    arms: tuple[tuple[str, Policy | None, float], ...] = (
        ("transfer", full.policy, begin + 0.4 * (end - begin)),
        ("scratch", None, end),
    )
    for arm, policy, until in arms:
        stop = _until(run, until, "subset_history", subset=subset, arm=arm)
        results[arm] = search(teacher.architecture, trainer, iterations=most, policy=policy, stop=stop)
        _history(run, "subset_history", results[arm], subset=subset, arm=arm)
        most = int(results[arm].history["iteration"].max()) + 1
    chosen = [({"subset": subset, "arm": "full policy", "iterations": 0}, full.keep)]
    for arm, found in results.items():  # both arms get as many iterations as the shorter one had
        keep = best(found.history, teacher.architecture, iterations=most)
        chosen.append(({"subset": subset, "arm": arm, "iterations": most}, keep))
    _final(run, "subsets", trainer, chosen)


def _until(run: _Run, share: float, table: str, **columns: Any) -> Callable[[pd.DataFrame], bool]:
    """Return what a search asks after each iteration: it hands the history on and says whether `share` is used up."""

    def stop(history: pd.DataFrame) -> bool:
        run.hand_on(table, judged_history(history).assign(seed=0, **columns))
        return run.over(share)

    return stop


def _history(run: _Run, table: str, found: Found, **columns: Any) -> None:
    run.add(table, judged_history(found.history).assign(seed=0, **columns))


def _final(run: _Run, table: str, trainer: StudentTrainer, chosen: list[tuple[dict[str, Any], np.ndarray]]) -> None:
    if run.final_epochs is not None:
        recipe = replace(trainer.recipe, epochs=run.final_epochs)
        trainer = StudentTrainer(trainer.teacher, recipe, images=trainer.images, batched=trainer.batched)
    trained = [(facts | {"seed": 0}, trainer.replicates(keep, runs=2)) for facts, keep in chosen]
    run.add(table, pd.DataFrame(judged(trainer, trained)))


def _placed(net: Network, device: str | torch.device, half: bool) -> Network:
    net = net.to(device)
    return net.to(memory_format=torch.channels_last) if half else net


def _first_pass(net: Network, images: data.Images, half: bool) -> dict[str, float | bool]:
    """Return seconds of the first pass of the process, and whether it tried cuDNN's algorithms, which takes far longer.

    What CUDA's libraries do when they are first used is a part of it, as in the released code.
    """
    tried = torch.backends.cudnn.benchmark
    return {"first_pass_s": first_pass_seconds(net, images.val_x, half=half), "algorithms_tried": tried}


def _times(teacher: Teacher, half: bool) -> pd.DataFrame:
    """Return seconds of warm passes, for the teacher and the minimal student."""
    images = teacher.images
    small = _placed(networks.build(layers.minimal(teacher.architecture)), images.val_x.device, half)
    warm = seconds_of([teacher.net, small], images.val_x, half=half)
    row = {"teacher_s": warm[0], "minimal_s": warm[1], "images": len(images.val_y)}
    row["half"] = half  # a record without this column timed its first pass in float32
    row["teacher_test"] = accuracy(teacher.net, images.test_x, images.test_y, half=half)
    return pd.DataFrame([row])
