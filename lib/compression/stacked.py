"""Students of one iteration trained at once: where their feature maps agree in shape they become one network.

The maps of S students stand beside one another as channels, convolutions become grouped ones, and batch normalization
needs no change. A leaf is computed for those students alone that keep it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lib.compression.data import Images
from lib.compression.layers import Architecture, Block, Leaf, after, free, student
from lib.compression.networks import Network, build
from lib.compression.training import Recipe, fit


def shapes(teacher: Architecture, keep: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Return channels and side length of the student's feature map behind each place, removed ones included."""
    flags, now, trace = iter(keep), (teacher.channels, teacher.pixels), []
    for part in teacher.parts:
        for leaf in (part,) if isinstance(part, Leaf) else part.main:
            now = after(leaf, *now) if next(flags) else now
            trace.append(now)
    return tuple(trace)


def train_students(
    teacher: Architecture,
    keeps: np.ndarray,
    images: Images,
    recipe: Recipe,
    *,
    seeds: Sequence[int],
    batched: bool = True,
) -> list[Network]:
    """Return trained students of `teacher`, one a row of `keeps` ``(n, places)``, with initial weights by `seeds`.

    With `batched`, students whose `shapes` agree are trained together: all of them for residual networks, those with
    the same convolutions and poolings for a VGG. The order of minibatches is that of the first of `seeds`.
    """
    keeps = np.asarray(keeps, dtype=bool) | ~free(teacher)
    device = images.train_y.device
    nets = [build(student(teacher, keep), seed=seed).to(device) for keep, seed in zip(keeps, seeds, strict=True)]
    groups: dict[object, list[int]] = defaultdict(list)
    for i, keep in enumerate(keeps):
        groups[shapes(teacher, keep) if batched else i].append(i)
    for members in groups.values():
        if len(members) == 1:
            fit(nets[members[0]], images, recipe, seed=seeds[0])
            continue
        stack = Stack(teacher, keeps[members], [nets[i] for i in members])
        fit(stack, images, recipe, seed=seeds[0])
        stack.give_back()
    return nets


class Stack(nn.Module):
    """The students `nets` of `teacher` side by side: from images ``(batch, ...)`` logits ``(nets, batch, classes)``."""

    def __init__(self, teacher: Architecture, keeps: np.ndarray, nets: Sequence[Network]) -> None:
        super().__init__()
        self.count = len(nets)
        flags, sources = iter(keeps.T), [iter(_leaf_modules(net)) for net in nets]
        self.parts = nn.ModuleList()
        for part in teacher.parts:
            if isinstance(part, Leaf):
                self.parts.append(_Row(part.kind, next(flags), sources))
                continue
            shortcut = [_Row(leaf.kind, np.ones(self.count, bool), sources) for leaf in part.shortcut]
            main = [_Row(leaf.kind, next(flags), sources) for leaf in part.main]
            self.parts.append(_StackedBlock(main, shortcut, self.count))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the logits of every student on the same `inputs`."""
        x = inputs.repeat(1, self.count, 1, 1)
        for part in self.parts:
            x = part(x)
        return x

    def give_back(self) -> None:
        """Copy the trained weights and running statistics into the single networks, and set these to evaluate."""
        for module in self.modules():
            if isinstance(module, _Row):
                module.give_back()


class _StackedBlock(nn.Module):
    """ReLU of main plus shortcut for the students whose block has any layer; the others' maps pass unchanged."""

    def __init__(self, main: list[_Row], shortcut: list[_Row], count: int) -> None:
        super().__init__()
        self.main, self.shortcut = nn.Sequential(*main), nn.Sequential(*shortcut)
        present = np.any([row.kept for row in main], axis=0) | bool(shortcut)
        self.everyone, self.nobody = bool(present.all()), not present.any()
        self.register_buffer("present", torch.as_tensor(present)[:, None, None, None], persistent=False)
        self.count = count

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.nobody:
            return inputs
        outputs = torch.relu(self.main(inputs) + self.shortcut(inputs))
        if self.everyone:
            return outputs
        here = self.present.to(outputs.device)
        apart = (each.unflatten(1, (self.count, -1)) for each in (outputs, inputs))
        return torch.where(here, *apart).flatten(1, 2)


class _Row(nn.Module):
    """One leaf of the teacher for the students that keep it."""

    def __init__(self, kind: str, kept: np.ndarray, sources: Sequence[Iterator[nn.Module]]) -> None:
        super().__init__()
        self.kind, self.kept = kind, np.asarray(kept, dtype=bool)
        self.members = np.flatnonzero(self.kept).tolist()
        self.singles = [next(sources[i]) for i in self.members]  # a list: not part of this module's parameters
        if self.singles and kind in ("conv", "linear"):
            self.weight = nn.Parameter(torch.stack([m.weight.detach() for m in self.singles]))
            bias = self.singles[0].bias is not None
            self.bias = nn.Parameter(torch.stack([m.bias.detach() for m in self.singles])) if bias else None
        elif self.singles and kind == "batchnorm":
            first = self.singles[0]
            self.norm = nn.BatchNorm2d(first.num_features * len(self.singles)).to(first.weight.device)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.members:
            return x
        if len(self.members) == len(self.kept):
            return self._apply_all(x)
        apart = x.unflatten(1, (len(self.kept), -1))
        part = self._apply_all(apart[:, self.members].flatten(1, 2)).unflatten(1, (len(self.members), -1))
        return apart.index_copy(1, torch.tensor(self.members, device=x.device), part.to(x.dtype)).flatten(1, 2)

    def _apply_all(self, x: torch.Tensor) -> torch.Tensor:
        single = self.singles[0]
        if self.kind == "conv":
            bias = None if self.bias is None else self.bias.flatten()
            return functional.conv2d(
                x, self.weight.flatten(0, 1), bias, single.stride, single.padding, groups=len(self.members)
            )
        if self.kind == "linear":
            apart = x.flatten(1).unflatten(1, (len(self.members), -1)).transpose(0, 1)
            return torch.baddbmm(self.bias[:, None], apart, self.weight.transpose(1, 2))
        return self.norm(x) if self.kind == "batchnorm" else single(x)

    def give_back(self) -> None:
        with torch.no_grad():
            for place, single in enumerate(self.singles):
                single.eval()
                if self.kind in ("conv", "linear"):
                    single.weight.copy_(self.weight[place])
                    if self.bias is not None:
                        single.bias.copy_(self.bias[place])
                elif self.kind == "batchnorm":
                    channels = slice(place * single.num_features, (place + 1) * single.num_features)
                    for name in ("weight", "bias", "running_mean", "running_var"):
                        getattr(single, name).copy_(getattr(self.norm, name)[channels])


def _leaf_modules(net: Network) -> Iterator[nn.Module]:
    """Yield the modules of the network's leaves, of a block those of the shortcut first."""
    for part, module in zip(net.architecture.parts, net.parts, strict=True):
        paths = (module.shortcut, module.main) if isinstance(part, Block) else (module,)
        for path in paths:
            for leaf in path if isinstance(path, nn.Sequential) else (path,):
                if not isinstance(leaf, nn.Identity | nn.Flatten):
                    yield leaf
