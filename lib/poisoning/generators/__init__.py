"""From the images of few clients to many: diffusion, an adversarial network, and controls without a model."""

import numpy as np
import torch

from lib.poisoning.generators.adversarial import fit_adversarial, sample_adversarial
from lib.poisoning.generators.diffusion import check_images, fit_diffusion, sample_diffusion

GENERATORS = ("ddpm", "dcgan", "bootstrap", "noise")


def synthesize(
    kind: str,
    images: torch.Tensor,
    labels: torch.Tensor,
    count: int,
    *,
    classes: int,
    rng: np.random.Generator,
    **training: object,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `count` images ``(count, c, h, w)`` with labels, made from `images` ``(n, c, h, w)`` in [-1, 1].

    Everything happens on the device of the images.

    Args:
        kind: "ddpm", "dcgan", "bootstrap" (real images drawn again) or "noise" (uniform pixels and labels).
        images: the real images.
        labels: their classes, shape ``(n,)``; new labels follow the same distribution.
        count: how many to make.
        classes: number of classes.
        rng: seeds everything.
        training: options of `fit_diffusion` or `fit_adversarial`.

    Raises ValueError for another kind or images out of range.
    """
    check_images(images, labels, classes)
    shape, seed, device = tuple(images.shape[1:]), int(rng.integers(2**31)), images.device
    if kind == "noise":
        pixels = rng.uniform(-1, 1, size=(count, *shape)).astype(np.float32)
        return torch.from_numpy(pixels).to(device), torch.from_numpy(rng.integers(classes, size=count)).to(device)
    rows = torch.from_numpy(rng.integers(len(images), size=count)).to(device)
    if kind == "bootstrap":
        return images[rows], labels[rows]
    wanted = labels[rows]
    if kind == "ddpm":
        steps = {"timesteps": training["timesteps"]} if "timesteps" in training else {}
        net = fit_diffusion(images, labels, classes=classes, seed=seed, **training)
        return sample_diffusion(net, wanted, shape, seed=seed + 1, **steps), wanted
    if kind == "dcgan":
        net = fit_adversarial(images, labels, classes=classes, seed=seed, **training)
        return sample_adversarial(net, wanted, seed=seed + 1), wanted
    raise ValueError(f"no generator {kind!r}: choose one of {', '.join(GENERATORS)}")


def nearest_distances(images: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
    """Return each image's Euclidean distance ``(n,)`` to the nearest of `references`: small ones are memorized."""
    return torch.cdist(images.flatten(1).double(), references.flatten(1).double()).min(dim=1).values
