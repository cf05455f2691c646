"""Loaders of the image data sets: verified bytes in, plain arrays out."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.data import store
from lib.data.errors import DataError
from lib.data.registry import entry

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True)
class Images:
    """Images and labels of a training and a test set.

    `train_x` ``(n, channels, height, width)`` uint8 grey levels, `train_y` ``(n,)`` int64 labels, `test_x` and
    `test_y` alike; `classes` their number; `complete` whether this is the whole official data set.
    """

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    classes: int
    complete: bool


@dataclass(frozen=True)
class UserImages:
    """Images that belong to users, as LEAF keeps them.

    `x` ``(n, 1, 28, 28)`` float32 in [0, 1], one is white; `y` ``(n,)`` int64; `user` ``(n,)`` int64, the place of the
    image's owner in `users`; `test` ``(n,)`` bool, the official test images.
    """

    x: np.ndarray
    y: np.ndarray
    user: np.ndarray
    test: np.ndarray
    users: tuple[str, ...]


def parse_records(content: bytes, *, labels: int, classes: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images ``(n, 3, 32, 32)`` uint8 and labels ``(n,)`` int64 of a CIFAR binary file.

    A record is `labels` label bytes, of which the last one counts, and 3,072 pixel bytes: red, green and blue planes.
    Raises DataError if the length is no multiple of a record or a label is not below `classes`.
    """
    size = labels + 3072
    if not content or len(content) % size:
        raise DataError(f"{name}: {len(content):,} bytes are no whole number of records of {size:,}: fetch it again")
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, size)
    found = records[:, labels - 1].astype(np.int64)
    if found.max() >= classes:
        raise DataError(f"{name}: label {found.max()} in a data set of {classes} classes: fetch it again")
    return records[:, labels:].reshape(-1, 3, 32, 32), found


def cifar10() -> Images:
    """Return those official batches of CIFAR-10 that are there (the first and the test batch at least)."""
    dataset = entry("cifar10")
    train = [file for file in dataset.files[:-1] if not file.optional or store.locate(file.path)]
    parts = [_cifar(dataset.name, file.path, labels=1, classes=10) for file in train]
    x, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    test_x, test_y = _cifar(dataset.name, dataset.files[-1].path, labels=1, classes=10)
    return Images(x, y, test_x, test_y, 10, complete=len(train) == 5)


def cifar100() -> Images:
    """Return CIFAR-100 with its 100 fine labels: the official files where they are there, else the subset."""
    whole = all(store.locate(f"cifar100/cifar-100-binary/{part}.bin") for part in ("train", "test"))
    folder = "cifar100" if whole else "cifar100-subset"
    parts = [
        _cifar("cifar100", f"{folder}/cifar-100-binary/{part}.bin", labels=2, classes=100) for part in ("train", "test")
    ]
    return Images(*parts[0], *parts[1], 100, complete=whole)


def _cifar(name: str, path: str, *, labels: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    return parse_records(store.read(name, path), labels=labels, classes=classes, name=path)


def parse_idx(content: bytes, *, name: str) -> np.ndarray:
    """Return the uint8 array of a gzip-compressed IDX file; raise DataError if it is damaged or of another kind."""
    try:
        raw = gzip.decompress(content)
        dimensions = raw[3]
        shape = np.frombuffer(raw, dtype=">u4", count=dimensions, offset=4)
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise DataError(f"{name} is no gzip-compressed IDX file ({error}): fetch it again") from error
    start = 4 + 4 * dimensions
    if raw[:3] != b"\x00\x00\x08" or len(raw) - start != int(np.prod(shape, dtype=np.int64)):
        raise DataError(f"{name}: expected unsigned bytes of shape {tuple(map(int, shape))}: fetch it again")
    return np.frombuffer(raw, dtype=np.uint8, offset=start).reshape(tuple(map(int, shape)))


def mnist() -> Images:
    """Return MNIST, images of shape ``(n, 1, 28, 28)``."""
    arrays = []
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            path = f"mnist/{part}-{kind}-ubyte.gz"
            arrays.append(parse_idx(store.read("mnist", path), name=path))
    train_x, train_y, test_x, test_y = arrays
    if len(train_x) != len(train_y) or len(test_x) != len(test_y):
        raise DataError("MNIST: images and labels differ in number: fetch it again")
    labels = (train_y.astype(np.int64), test_y.astype(np.int64))
    return Images(train_x[:, None], labels[0], test_x[:, None], labels[1], 10, complete=True)


def parse_leaf(content: bytes, *, name: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return {user: (images ``(n, 784)`` float32, labels ``(n,)`` int64)} of a LEAF json file, gzip or plain.

    Raises DataError if it is no such file or its counts disagree.
    """
    try:
        table = json.loads(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
        counts = dict(zip(table["users"], table["num_samples"], strict=True))
        found = {}
        for user, count in counts.items():
            x = np.array(table["user_data"][user]["x"], dtype=np.float32)
            y = np.array(table["user_data"][user]["y"], dtype=np.int64)
            if x.shape != (count, 784) or y.shape != (count,):
                raise ValueError(f"{user} has images {x.shape} and labels {y.shape}, expected {count}")
            found[user] = (x, y)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{name} is not in LEAF's form (users, num_samples, user_data): {error}") from error
    return found


def femnist_digits(*, train: str | Path | None = None, test: str | Path | None = None) -> UserImages:
    """Return the digits of FEMNIST by user; `train` and `test` are paths of own LEAF files in place of the sample."""
    if (train is None) != (test is None):
        raise DataError("give both LEAF files, train= and test=, or neither")
    paths = [file.path for file in entry("femnist-digits").files]
    contents = [store.read("femnist-digits", path) for path in paths] if train is None else [
        store.read_user_file(path) for path in (train, test)
    ]  # fmt: skip
    parts = [parse_leaf(content, name=name) for content, name in zip(contents, ("train", "test"), strict=True)]
    users = tuple(parts[0])
    if set(parts[1]) != set(users):
        raise DataError("the LEAF files name different users: make both with the same preprocessing")
    rows = [(place, is_test, *part[user]) for is_test, part in enumerate(parts) for place, user in enumerate(users)]
    sizes = [len(y) for _, _, _, y in rows]
    x = np.concatenate([x for _, _, x, _ in rows]).reshape(-1, 1, 28, 28)
    y = np.concatenate([y for _, _, _, y in rows])
    keep = y < 10  # LEAF's full files hold letters too
    user = np.repeat([place for place, _, _, _ in rows], sizes)
    return UserImages(x[keep], y[keep], user[keep], np.repeat([bool(t) for _, t, _, _ in rows], sizes)[keep], users)
