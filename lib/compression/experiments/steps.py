"""Whether recorded training steps do what plain ones do, and how much faster they are: tried before a search relies
on them.
"""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from lib.compression import layers, networks
from lib.compression.data import Images
from lib.compression.networks import Network
from lib.compression.training import Recipe, fit, logits_of

TOLERANCE = 0.02  # of the outputs after a few steps, relative; a step that were not done would leave far more
FEW = 12  # steps, of which the first are not replayed (`lib.compression.captured`)


def trial(architecture: layers.Architecture, images: Images, recipe: Recipe) -> dict[str, float | bool]:
    """Try recorded steps on a CUDA device.

    Returns ``captured_error``, the relative difference of the outputs of the minimal student after a few steps with and
    without a recording, in float32; ``fit_s`` and ``captured_fit_s``, the seconds that `recipe` takes for the whole
    `architecture`, recording included; and ``captured``, whether steps may be recorded: they can be, and the
    difference is below `TOLERANCE`.
    """
    labels = replace(recipe, soft=0.0, captured=False)
    few = replace(
        images, train_x=images.train_x[:1, : FEW * recipe.batch], train_y=images.train_y[: FEW * recipe.batch]
    )
    once = replace(labels, epochs=1)
    fit(networks.build(architecture).to(images.train_y.device), few, once)  # chooses the convolutions' algorithms
    found = {"fit_s": _seconds(architecture, images, labels), "captured": False}
    try:
        small = layers.minimal(architecture)
        plain, replayed = (_outputs(small, few, replace(once, half=False, captured=how)) for how in (False, True))
        found["captured_error"] = float((replayed - plain).norm() / plain.norm())
        found["captured_fit_s"] = _seconds(architecture, images, replace(labels, captured=True))
    except RuntimeError:  # this version of CUDA or torch cannot record them
        return found
    return found | {"captured": found["captured_error"] < TOLERANCE}


def _outputs(architecture: layers.Architecture, images: Images, recipe: Recipe) -> torch.Tensor:
    return logits_of(_trained(architecture, images, recipe), images.val_x)


def _seconds(architecture: layers.Architecture, images: Images, recipe: Recipe) -> float:
    start = time.perf_counter()
    float(_trained(architecture, images, recipe).parts[0].weight.detach().sum())  # waits for the device
    return time.perf_counter() - start


def _trained(architecture: layers.Architecture, images: Images, recipe: Recipe) -> Network:
    net = networks.build(architecture).to(images.train_y.device)
    fit(net, images, recipe)
    return net
