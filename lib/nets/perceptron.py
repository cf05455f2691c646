"""Multilayer perceptrons."""

import itertools
from collections.abc import Sequence

from torch import nn

from lib.nets.units import UnitNet


def mlp(sizes: Sequence[int]) -> UnitNet:
    """Return a perceptron with ReLU between layers; ``sizes`` are inputs, hidden widths and classes.

    ``mlp((64, 64, 64, 32, 10))`` has three hidden units and the classifier: four units in all. Inputs have shape
    ``(batch, sizes[0])``. Raises ValueError for fewer than two sizes or a size below one.
    """
    sizes = tuple(int(size) for size in sizes)
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"sizes {sizes}: give inputs, hidden widths and classes, all positive")
    hidden = [nn.Sequential(nn.Linear(a, b), nn.ReLU()) for a, b in itertools.pairwise(sizes[:-1])]
    return UnitNet([*hidden, nn.Sequential(nn.Linear(*sizes[-2:]))])
