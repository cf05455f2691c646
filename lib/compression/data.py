"""Images for teachers and students: training, validation and test, class subsets, the teacher's outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from lib import data as store
from lib.data.loaders_images import CIFAR10_CLASSES

# Class subsets of the paper on CIFAR-10, and their mirror on digits: six and four classes.
SUBSETS = {
    "animals": tuple(map(CIFAR10_CLASSES.index, ("bird", "cat", "deer", "dog", "frog", "horse"))),
    "vehicles": tuple(map(CIFAR10_CLASSES.index, ("airplane", "automobile", "ship", "truck"))),
    "A": (0, 1, 2, 3, 4, 5),
    "B": (6, 7, 8, 9),
}


@dataclass(frozen=True)
class Images:
    """Images ``(n, channels, pixels, pixels)`` float32 and labels ``(n,)`` in three parts, on one device.

    `train_x` has views in front, ``(views, n, ...)``: the same images augmented anew for each epoch, or one view.
    `soft` are the teacher's logits on them ``(views, n, classes)``; `classes` is the number of outputs and `members`
    the labels that occur.
    """

    train_x: torch.Tensor
    train_y: torch.Tensor
    val_x: torch.Tensor
    val_y: torch.Tensor
    test_x: torch.Tensor
    test_y: torch.Tensor
    classes: int
    members: tuple[int, ...]
    soft: torch.Tensor | None = None


def digits(*, seed: int = 0, device: str = "cpu") -> Images:
    """Return scikit-learn's digits, 8 x 8: 56 % to train, 19 % to validate, 25 % to test, stratified by `seed`."""
    from sklearn.model_selection import train_test_split

    loaded = store.load("digits")
    x = (loaded.features.astype(np.float32).reshape(-1, 1, 8, 8) - 0.3) / 0.37
    y = np.asarray(loaded.labels, dtype=np.int64)
    rest, test = train_test_split(np.arange(len(y)), test_size=0.25, stratify=y, random_state=seed)
    train, val = train_test_split(rest, test_size=0.19 / 0.75, stratify=y[rest], random_state=seed)
    split = [torch.as_tensor(part[rows], device=device) for rows in (train, val, test) for part in (x, y)]
    return Images(split[0][None], *split[1:], classes=10, members=tuple(range(10)))


def cifar10(
    *, images: int | None = None, tests: int | None = None, views: int = 1, seed: int = 0, device: str = "cpu"
) -> Images:
    """Return CIFAR-10 from those official batches that are at hand, scaled to [-1, 1], a tenth to validate.

    `images` and `tests` limit the number of training (with validation) and test images; `views` is the number of
    augmented copies: random crops of images padded by four pixels, and flips (the authors' augmentation).
    """
    from sklearn.model_selection import train_test_split

    loaded = store.load("cifar10")
    total = len(loaded.train_y) if images is None else min(images, len(loaded.train_y))
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(loaded.train_y))[:total]
    y = loaded.train_y[chosen]
    train, val = train_test_split(np.arange(total), test_size=0.1, stratify=y, random_state=seed)
    tested = slice(0, tests)

    def put(array: np.ndarray) -> torch.Tensor:
        return torch.tensor(np.array(array), device=device)

    def scaled(array: np.ndarray) -> torch.Tensor:
        return put(array).float() / 127.5 - 1

    x = loaded.train_x[chosen]
    generator = torch.Generator(device).manual_seed(seed)
    train_x = scaled(x[train])
    train_x = torch.stack([augmented(train_x, generator) for _ in range(views)]) if views > 1 else train_x[None]
    val_x, test_x = scaled(x[val]), scaled(loaded.test_x[tested])
    labels = put(y[train]), put(y[val]), put(loaded.test_y[tested])
    return Images(train_x, labels[0], val_x, labels[1], test_x, labels[2], 10, tuple(range(10)))


def augmented(x: torch.Tensor, generator: torch.Generator, *, padding: int = 4) -> torch.Tensor:
    """Return each of `x` ``(n, channels, size, size)`` padded, cropped at random to its size, and flipped or not."""
    n, _, size, _ = x.shape
    shift = torch.randint(0, 2 * padding + 1, (2, n, 1), generator=generator, device=x.device)
    flip = torch.rand(n, 1, generator=generator, device=x.device) < 0.5
    line = torch.arange(size, device=x.device)
    rows, columns = line + shift[0], torch.where(flip, line.flip(0), line) + shift[1]
    padded = torch.nn.functional.pad(x, (padding,) * 4)
    place = torch.arange(n, device=x.device)[:, None, None]
    return padded[place, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()


def subset(images: Images, members: Sequence[int]) -> Images:
    """Return the images whose label is in `members`; labels and the number of outputs stay (specification 3.9)."""
    wanted = tuple(sorted({int(label) for label in members}))
    if not wanted or not set(wanted) <= set(images.members):
        raise ValueError(f"classes {wanted}: choose some of {images.members}")
    known = torch.tensor(wanted, device=images.train_y.device)
    train, val, test = (torch.isin(y, known) for y in (images.train_y, images.val_y, images.test_y))
    return replace(
        images,
        train_x=images.train_x[:, train],
        train_y=images.train_y[train],
        val_x=images.val_x[val],
        val_y=images.val_y[val],
        test_x=images.test_x[test],
        test_y=images.test_y[test],
        members=wanted,
        soft=None if images.soft is None else images.soft[:, train],
    )


def sliced(images: Images) -> Images:
    """Return `images` with outputs for their `members` alone: labels renumbered, the teacher's logits sliced."""
    members = torch.tensor(images.members, device=images.train_y.device)
    labels = [torch.searchsorted(members, y) for y in (images.train_y, images.val_y, images.test_y)]
    return replace(
        images,
        train_y=labels[0],
        val_y=labels[1],
        test_y=labels[2],
        classes=len(members),
        members=tuple(range(len(members))),
        soft=None if images.soft is None else images.soft[..., members],
    )
