"""Attacks on the training data alone: the client stays honest, its labels do not."""

import numpy as np
import torch


def flipped_labels(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Return ``classes - 1 - y`` for each label y in `labels` ``(n,)``: the static label flip."""
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"labels run from {int(labels.min())} to {int(labels.max())}; expected 0 .. {classes - 1}")
    return classes - 1 - labels


def least_likely_labels(logits: torch.Tensor) -> torch.Tensor:
    """Return the class ``(n,)`` that the global model finds least likely, given its `logits` ``(n, classes)``.

    The dynamic label flip of Shejwalkar et al., arXiv 2108.10241: labels follow the model from round to round.
    """
    return logits.argmin(dim=-1)


def noise_images(
    examples: int, shape: tuple[int, ...], classes: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images of uniform noise in [-1, 1], float32 ``(examples, *shape)``, and uniform labels ``(examples,)``.

    A fake client that trains on them has an optimizer but no data: the companion's control.
    """
    images = rng.uniform(-1, 1, size=(examples, *shape)).astype(np.float32)
    return torch.from_numpy(images), torch.from_numpy(rng.integers(classes, size=examples))
