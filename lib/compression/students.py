"""What a search asks for: a trained teacher, and the metrics of students after training them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lib.compression.data import Images
from lib.compression.layers import Architecture, parameter_count
from lib.compression.measure import seconds_of
from lib.compression.networks import Network, build
from lib.compression.search import Metrics
from lib.compression.stacked import train_students
from lib.compression.training import Recipe, accuracy, fit, with_teacher

TEACHER = Recipe(epochs=20, soft=0.0)


@dataclass(frozen=True)
class Teacher:
    """A trained teacher with the images it was trained on, its outputs on them included."""

    architecture: Architecture
    net: Network
    images: Images


def trained_teacher(architecture: Architecture, images: Images, *, recipe: Recipe = TEACHER, seed: int = 0) -> Teacher:
    """Return `architecture` trained on the labels of `images`."""
    net = build(architecture, seed=seed).to(images.train_y.device)
    fit(net, replace(images, soft=None), recipe, seed=seed)
    return Teacher(architecture, net, with_teacher(images, net, half=recipe.half))


class StudentTrainer:
    """Trains students of `teacher` on `images` and measures them: an evaluator for `lib.compression.search`.

    Accuracies are those of the validation part; `a`, `t` and `c` are relative to the teacher's on the same images. The
    test part is looked at by `test` alone, for the students that a search has chosen. Initial weights differ from call
    to call.
    """

    def __init__(
        self, teacher: Teacher, recipe: Recipe, *, images: Images | None = None, seed: int = 0, batched: bool = True
    ) -> None:
        self.teacher, self.recipe, self.batched = teacher, recipe, batched
        self.images = teacher.images if images is None else images
        self.rng = np.random.default_rng(seed)
        self.accuracy = accuracy(teacher.net, self.images.val_x, self.images.val_y, half=recipe.half)
        self.tested = accuracy(teacher.net, self.images.test_x, self.images.test_y, half=recipe.half)
        if not self.accuracy or not self.tested:
            raise ValueError("the teacher labels no image correctly: train it for more epochs or on more images")
        self.parameters = parameter_count(teacher.architecture)

    def train(self, keeps: np.ndarray) -> list[Network]:
        """Return trained students, one a row of `keeps`."""
        seeds = self.rng.integers(2**31, size=len(keeps)).tolist()
        architecture = self.teacher.architecture
        return train_students(architecture, keeps, self.images, self.recipe, seeds=seeds, batched=self.batched)

    def __call__(self, keeps: np.ndarray) -> list[Metrics]:
        """Return for each row of `keeps` what `measure` returns of a student trained for it."""
        return self.measure(self.train(keeps))

    def measure(self, nets: Sequence[Network]) -> list[Metrics]:
        """Return of each of `nets` validation accuracy, masked accuracy, seconds, parameters, and a, t, c."""
        images, half = self.images, self.recipe.half
        seconds = seconds_of([self.teacher.net, *nets], images.val_x, half=half)
        rows = []
        for net, time in zip(nets, seconds[1:], strict=True):
            found = accuracy(net, images.val_x, images.val_y, half=half)
            masked = accuracy(net, images.val_x, images.val_y, among=images.members, half=half)
            size = parameter_count(net.architecture)
            row = {"accuracy": found, "masked": masked, "seconds": time, "parameters": size}
            relative = {"a": found / self.accuracy, "t": time / seconds[0], "c": size / self.parameters}
            rows.append({name: float(value) for name, value in (row | relative).items()})
        return rows

    def replicates(self, keep: np.ndarray, *, runs: int = 3) -> list[Network]:
        """Return `runs` students of `keep`, trained anew."""
        return self.train(np.tile(keep, (runs, 1)))

    def judge(self, groups: Sequence[Sequence[Network]], *, repeats: int = 31) -> list[Metrics]:
        """Judge each group, trained replicates of one network, on the test part.

        Returns mean test accuracy, full (`test`) and masked, the teacher's, the ratios `a` (of test accuracies), `t`
        and `c`, and the number of parameters. All networks and the teacher are timed in turns on the test part, equal
        architectures once: their times differ by what the machine does meanwhile, not by chance.
        """
        images, half = self.images, self.recipe.half
        distinct = {group[0].architecture: group[0] for group in groups}
        seconds = seconds_of([self.teacher.net, *distinct.values()], images.test_x, repeats=repeats, half=half)
        times = dict(zip(distinct, seconds[1:] / seconds[0], strict=True))
        rows = []
        for group in groups:
            full = [accuracy(net, images.test_x, images.test_y, half=half) for net in group]
            masked = [accuracy(net, images.test_x, images.test_y, among=images.members, half=half) for net in group]
            size = parameter_count(group[0].architecture)
            row = {"test": np.mean(full), "test_masked": np.mean(masked), "test_teacher": self.tested}
            row |= {"parameters": size, "a": np.mean(full) / self.tested, "t": times[group[0].architecture]}
            rows.append({name: float(value) for name, value in (row | {"c": size / self.parameters}).items()})
        return rows
