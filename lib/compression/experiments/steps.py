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
MOST = 0.05  # difference of two plain trainings above which nothing can be told
FEW = 6  # steps on each of two views, of which the first are not replayed (`lib.compression.captured`)


def trial(architecture: layers.Architecture, images: Images, recipe: Recipe) -> dict[str, float | bool]:
    """Try recorded steps on a CUDA device, as students are trained: on two views, with soft targets made up for it.

    Returns ``captured_error``, the relative difference of the outputs of the minimal student after a few steps with and
    without a recording, in float32, and ``repeated_error``, that of two trainings without, whose sums a device adds in
    an order of its own; both ending in ``_half``, the same in bfloat16 if `recipe` trains in it; ``fit_s`` and
    ``captured_fit_s``, the seconds that `recipe` takes for the whole `architecture`, recording included; and
    ``captured``, whether steps may be recorded: they can be, and do what plain ones do (`alike`) up to `TOLERANCE` and
    `ROUGH`. Why they cannot be is printed; a device without memory is an error.
    """
    images, plain = _with_targets(images), replace(recipe, captured=False)
    n = FEW * recipe.batch
    few = replace(images, train_x=images.train_x[:2, :n], train_y=images.train_y[:n], soft=images.soft[:2, :n])
    twice = replace(plain, epochs=2)
    fit(networks.build(architecture).to(images.train_y.device), few, twice)  # chooses the convolutions' algorithms
    found = {"fit_s": _seconds(architecture, images, plain), "captured": False}
    small = layers.minimal(architecture)
    try:
        exact, again = _differences(small, few, replace(twice, half=False))
        found |= {"captured_error": exact, "repeated_error": again}
        same = alike(exact, again, TOLERANCE)
        if recipe.half:
            rough, again = _differences(small, few, twice)
            found |= {"captured_error_half": rough, "repeated_error_half": again}
            same = same and alike(rough, again, ROUGH)
        found["captured_fit_s"] = _seconds(architecture, images, replace(plain, captured=True))
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # this version of CUDA or torch cannot record them
        print(f"training steps are not recorded: {error}", flush=True)
        return found
    return found | {"captured": same}


def alike(captured: float, repeated: float, tolerance: float) -> bool:
    """Return whether a recording is off by less than `tolerance`, or twice what two plain trainings differ by.

    The second counts below `MOST`, so that no recording passes that is off by 2 `MOST`, or by a larger `tolerance`.
    """
    return captured < max(tolerance, 2 * repeated) and repeated < MOST


def _with_targets(images: Images) -> Images:
    """Return `images` with logits of a teacher that there is not yet: on view v they are for the label plus v.

    Targets of another view are then far from those that a step should have read.
    """
    views = torch.arange(len(images.train_x), device=images.train_y.device)
    label = (images.train_y + views[:, None]) % images.classes
    return replace(images, soft=4.0 * torch.nn.functional.one_hot(label, images.classes))


def _differences(architecture: layers.Architecture, images: Images, recipe: Recipe) -> tuple[float, float]:
    """Return how far outputs after training are from plain training's: with a recording, and without one once more."""
    plain, replayed, again = (
        _outputs(architecture, images, replace(recipe, captured=how)) for how in (False, True, False)
    )
    return tuple(float((other - plain).norm() / plain.norm()) for other in (replayed, again))


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
