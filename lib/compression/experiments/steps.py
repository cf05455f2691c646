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
ROUGH = 0.1  # the same in bfloat16, whose rounding a few steps of Adam make larger
FEW = 6  # steps on each of two views, of which the first are not replayed (`lib.compression.captured`)


def trial(architecture: layers.Architecture, images: Images, recipe: Recipe) -> dict[str, float | bool]:
    """Try recorded steps on a CUDA device, as students are trained: on two views, with soft targets made up for it.

    Returns ``captured_error``, the relative difference of the outputs of the minimal student after a few steps with and
    without a recording, in float32; ``captured_error_half``, the same in bfloat16 if `recipe` trains in it; ``fit_s``
    and ``captured_fit_s``, the seconds that `recipe` takes for the whole `architecture`, recording included; and
    ``captured``, whether steps may be recorded: they can be, and the differences are below `TOLERANCE` and `ROUGH`.
    Why they cannot be is printed; a device without memory is an error.
    """
    images, plain = _with_targets(images), replace(recipe, captured=False)
    n = FEW * recipe.batch
    few = replace(images, train_x=images.train_x[:2, :n], train_y=images.train_y[:n], soft=images.soft[:2, :n])
    twice = replace(plain, epochs=2)
    fit(networks.build(architecture).to(images.train_y.device), few, twice)  # chooses the convolutions' algorithms
    found = {"fit_s": _seconds(architecture, images, plain), "captured": False}
    small = layers.minimal(architecture)
    try:
        found["captured_error"] = exact = _difference(small, few, replace(twice, half=False))
        alike = exact < TOLERANCE
        if recipe.half:
            found["captured_error_half"] = rough = _difference(small, few, twice)
            alike = alike and rough < ROUGH
        found["captured_fit_s"] = _seconds(architecture, images, replace(plain, captured=True))
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # this version of CUDA or torch cannot record them
        print(f"training steps are not recorded: {error}", flush=True)
        return found
    return found | {"captured": alike}


def _with_targets(images: Images) -> Images:
    """Return `images` with logits of a teacher that there is not yet: on view v they are for the label plus v.

    Targets of another view are then far from those that a step should have read.
    """
    views = torch.arange(len(images.train_x), device=images.train_y.device)
    label = (images.train_y + views[:, None]) % images.classes
    return replace(images, soft=4.0 * torch.nn.functional.one_hot(label, images.classes))


def _difference(architecture: layers.Architecture, images: Images, recipe: Recipe) -> float:
    """Return the relative difference of the outputs after training with and without a recording."""
    plain, replayed = (_outputs(architecture, images, replace(recipe, captured=how)) for how in (False, True))
    return float((replayed - plain).norm() / plain.norm())


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
