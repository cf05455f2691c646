"""Architectures as data, the enumeration of their layers, and the student that keeps a part of them.

The paper decides on every leaf of the network (convolution, normalization, ReLU, pooling) by itself. An `Architecture`
lists the leaves without any weights, so that students can be compared, hashed and counted before one is built.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

# Position of a kind in this tuple is its type number in the policy's input, as in the authors' code.
KINDS = ("unknown", "conv", "maxpool", "relu", "batchnorm", "linear", "dropout", "logsoftmax", "avgpool")
MAX_LINEAR_INPUTS = 50_000


@dataclass(frozen=True)
class Leaf:
    """One layer: `kind` of `KINDS`, and `kernel`, `stride`, `padding`, `outputs`, `bias` where the kind has them."""

    kind: str
    kernel: int = 0
    stride: int = 1
    padding: int = 0
    outputs: int = 0
    bias: bool = False


@dataclass(frozen=True)
class Block:
    """A residual block: ReLU of the sum of `main` and `shortcut`; an empty shortcut is the identity."""

    main: tuple[Leaf, ...]
    shortcut: tuple[Leaf, ...] = ()


@dataclass(frozen=True)
class Architecture:
    """Leaves and blocks in order, for images of shape ``(channels, pixels, pixels)``."""

    parts: tuple[Leaf | Block, ...]
    channels: int
    pixels: int

    @property
    def classes(self) -> int:
        """Return the number of outputs."""
        last = self.parts[-1]
        return last.outputs if isinstance(last, Leaf) else 0


@dataclass(frozen=True)
class Place:
    """A leaf that the policy decides on: its `leaf`, whether it is `free`, and its place in a residual block.

    `skip_start` counts leaves from the start of the block's main path, `skip_end` those that follow in it; both are 0
    outside blocks. `unit` numbers groups of a convolution with its normalization and activation.
    """

    leaf: Leaf
    free: bool
    skip_start: int
    skip_end: int
    unit: int


def places(teacher: Architecture) -> list[Place]:
    """Return the leaves that decisions are made on, in order; leaves of shortcuts are not among them.

    Kept whatever is decided (`free` is False): the first leaf, convolutions with a stride above one, linear layers,
    average pooling (specification 3.2).
    """
    found, unit = [], -1
    for leaf, start, end in _decided(teacher):
        unit += leaf.kind in ("conv", "maxpool", "avgpool", "linear")
        forced = not found or leaf.kind in ("linear", "avgpool") or (leaf.kind == "conv" and leaf.stride > 1)
        found.append(Place(leaf, not forced, start, end, unit))
    return found


def free(teacher: Architecture) -> np.ndarray:
    """Return for each place whether its leaf may be removed."""
    return np.array([place.free for place in places(teacher)])


def units(teacher: Architecture) -> np.ndarray:
    """Return the number of the unit (convolution, normalization, activation; or a pooling) of each place."""
    return np.array([place.unit for place in places(teacher)])


def by_unit(teacher: Architecture, keep_units: Sequence[bool]) -> np.ndarray:
    """Return the decisions on leaves that keep or remove whole units; a unit with a leaf that must stay is kept."""
    of, wanted = units(teacher), np.asarray(keep_units, dtype=bool)
    if wanted.shape != (of.max() + 1,):
        raise ValueError(f"{wanted.size} decisions on {of.max() + 1} units: give one for each")
    wanted = wanted.copy()
    wanted[of[~free(teacher)]] = True
    return wanted[of]


def leaf_count(teacher: Architecture) -> int:
    """Return the number of all leaves, those of shortcuts included."""
    return sum(1 if isinstance(part, Leaf) else len(part.main) + len(part.shortcut) for part in teacher.parts)


def student(teacher: Architecture, keep: Sequence[bool]) -> Architecture:
    """Return the architecture that keeps those leaves of `teacher` for which `keep` is true.

    `keep` has one entry a place; leaves that are not free stay whatever it says. A block whose main path is empty and
    that has no shortcut layers becomes the identity and vanishes. Raises ValueError if `keep` has another length.
    """
    decided = places(teacher)
    if len(keep) != len(decided):
        raise ValueError(f"{len(keep)} decisions on {len(decided)} layers: give one for each, see places()")
    flags = iter([bool(flag) or not place.free for flag, place in zip(keep, decided, strict=True)])
    parts: list[Leaf | Block] = []
    for part in teacher.parts:
        if isinstance(part, Leaf):
            if next(flags):
                parts.append(part)
            continue
        main = tuple(leaf for leaf in part.main if next(flags))
        if main or part.shortcut:
            parts.append(Block(main, part.shortcut))
    return replace(teacher, parts=tuple(parts))


def minimal(teacher: Architecture) -> Architecture:
    """Return the smallest student: every free leaf removed ("min-arch")."""
    return student(teacher, ~free(teacher))


def smallest_valid(teacher: Architecture) -> np.ndarray:
    """Return the decisions that remove all free leaves but those without which a linear layer grows too wide.

    Equal to removing everything for residual networks. Without its pooling a VGG has too many inputs of the classifier,
    so as many poolings stay, from the first on, as the limit asks for.
    """
    keep = ~free(teacher)
    for index, place in enumerate(places(teacher)):
        if invalid(student(teacher, keep), teacher) is None:
            break
        keep[index] |= place.leaf.kind == "maxpool"
    return keep


def invalid(candidate: Architecture, teacher: Architecture, *, smaller: bool = True) -> str | None:
    """Return why `candidate` is rejected without training (reward -1), or None if it is not.

    Without `smaller` it may have as many parameters as the teacher, of which removing a ReLU alone takes none.
    """
    if linear_inputs(candidate) > MAX_LINEAR_INPUTS:
        return f"a linear layer would have more than {MAX_LINEAR_INPUTS:,} inputs"
    if smaller and parameter_count(candidate) >= parameter_count(teacher):
        return "it has no fewer parameters than the teacher"
    return None


def parameter_count(architecture: Architecture) -> int:
    """Return the number of weights, biases, scales and shifts (no running statistics) without building a network."""
    return sum(_leaf_parameters(leaf, inputs) for leaf, inputs in with_inputs(architecture))


def linear_inputs(architecture: Architecture) -> int:
    """Return the largest number of inputs of a linear layer."""
    return max((inputs for leaf, inputs in with_inputs(architecture) if leaf.kind == "linear"), default=0)


def with_inputs(architecture: Architecture) -> Iterator[tuple[Leaf, int]]:
    """Yield each leaf, those of shortcuts included, with its input channels (features of a linear layer)."""
    channels, pixels = architecture.channels, architecture.pixels
    for part in architecture.parts:
        if isinstance(part, Leaf):
            yield part, channels * pixels**2 if part.kind == "linear" else channels
            channels, pixels = after(part, channels, pixels)
            continue
        start = channels, pixels
        for path in (part.shortcut, part.main):
            channels, pixels = start
            for leaf in path:
                yield leaf, channels
                channels, pixels = after(leaf, channels, pixels)


def after(leaf: Leaf, channels: int, pixels: int) -> tuple[int, int]:
    """Return channels and side length of a square feature map behind `leaf`."""
    if leaf.kind == "linear":
        return leaf.outputs, 1
    if leaf.kind in ("conv", "maxpool", "avgpool"):
        pixels = (pixels + 2 * leaf.padding - leaf.kernel) // leaf.stride + 1
    return (leaf.outputs if leaf.kind == "conv" else channels), pixels


def features(teacher: Architecture) -> np.ndarray:
    """Return the policy's input ``(places, 7)``: type, kernel, stride, outputs, padding, skip start, skip end.

    Raw numbers without scaling, as in the authors' code; scale them in the policy.
    """
    rows = [
        (KINDS.index(leaf.kind), leaf.kernel, leaf.stride, leaf.outputs, leaf.padding, place.skip_start, place.skip_end)
        for place in places(teacher)
        for leaf in [place.leaf]
    ]
    return np.array(rows, dtype=np.float32)


def _decided(teacher: Architecture) -> Iterator[tuple[Leaf, int, int]]:
    for part in teacher.parts:
        if isinstance(part, Leaf):
            yield part, 0, 0
        else:
            for place, leaf in enumerate(part.main):
                yield leaf, place, len(part.main) - place - 1


def _leaf_parameters(leaf: Leaf, inputs: int) -> int:
    if leaf.kind == "conv":
        return leaf.outputs * (inputs * leaf.kernel**2 + leaf.bias)
    if leaf.kind == "linear":
        return leaf.outputs * (inputs + leaf.bias)
    return 2 * inputs if leaf.kind == "batchnorm" else 0
