"""Federated data sets by user, in the official files of TensorFlow Federated (HDF5) and of LEAF (JSON).

The files are large and come from the user. TensorFlow Federated keeps one group a client, ``examples/<client>``, with
one array a feature; LEAF keeps ``users``, ``num_samples`` and ``user_data``.
"""

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lib.data import store
from lib.data.errors import DataError
from lib.data.loaders_images import UserImages
from lib.data.registry import entry

if TYPE_CHECKING:
    import pandas as pd

PathLike = str | Path
STACK_OVERFLOW = ("tokens", "title", "tags", "creation_date", "type", "score")


def read_tff(path: PathLike, features: Sequence[str], users: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """Return {user: {feature: array}} of a TensorFlow Federated HDF5 file, of all its users or of those named.

    The file is read user by user and never as a whole, so its checksum is not taken. Raises DataError if it is absent,
    no HDF5 file, lacks a user or a feature, or if features of a user differ in length.
    """
    try:
        import h5py
    except ImportError as error:
        raise DataError("HDF5 files need the package h5py: pip install 'scarce[hdf5]'") from error
    path = Path(path).expanduser()
    if not path.is_file():
        raise DataError(f"{path} does not exist: pass the path of an existing file")
    try:
        with h5py.File(path, "r") as file:
            examples = file["examples"]
            names = list(examples) if users is None else list(users)
            found = {user: {name: examples[user][name][()] for name in features} for user in names}
    except (OSError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not in the form examples/<client>/({', '.join(features)}): {error}") from error
    for user, columns in found.items():
        if len({len(np.atleast_1d(values)) for values in columns.values()}) > 1:
            raise DataError(f"{path}: the features of user {user} differ in length; the file is damaged")
    return found


def read_leaf(path: PathLike) -> dict[str, tuple[list, list]]:
    """Return {user: (x, y)} of a LEAF JSON file, gzip or plain; raises DataError if its counts disagree."""
    content = store.read_user_file(path)
    try:
        table = json.loads(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
        found = {}
        for user, count in zip(table["users"], table["num_samples"], strict=True):
            x, y = table["user_data"][user]["x"], table["user_data"][user]["y"]
            if len(x) != count or len(y) != count:
                raise ValueError(f"{user} has {len(x)} inputs and {len(y)} targets, expected {count}")
            found[user] = (x, y)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not in LEAF's form (users, num_samples, user_data): {error}") from error
    return found


def emnist(
    *, train: PathLike | None = None, test: PathLike | None = None, users: Sequence[str] | None = None
) -> UserImages:
    """Return federated EMNIST by writer from ``fed_emnist_train.h5`` and ``fed_emnist_test.h5``.

    `users` reads those writers only. An image is 28 x 28 with white at one, as the file has it.
    """
    x, y, user, is_test, names = [], [], [], [], {}
    for held, part in _both("emnist", train, test):
        for name, columns in read_tff(part, ("pixels", "label"), users).items():
            images = np.asarray(columns["pixels"], dtype=np.float32)
            if images.shape[1:] != (28, 28):
                raise DataError(f"{part}: images of writer {name} have shape {images.shape[1:]}, expected 28 x 28")
            place = names.setdefault(name, len(names))
            x.append(images[:, None])
            y.append(np.asarray(columns["label"], dtype=np.int64))
            user += [place] * len(images)
            is_test += [held] * len(images)
    return UserImages(np.concatenate(x), np.concatenate(y), np.array(user), np.array(is_test), tuple(names))


def stack_overflow(
    *, train: PathLike | None = None, test: PathLike | None = None, users: Sequence[str] | None = None
) -> "pd.DataFrame":
    """Return Stack Overflow by user: user, test, and the text columns of `STACK_OVERFLOW`, one row a sentence.

    The files are those of TensorFlow Federated; their training file has 342,477 users, so name the `users` to read.
    """
    import pandas as pd

    parts = []
    for held, part in _both("stackoverflow", train, test):
        for user, columns in read_tff(part, STACK_OVERFLOW, users).items():
            plain = {name: [_text(value) for value in values] for name, values in columns.items()}
            parts.append(pd.DataFrame({"user": user, "test": held, **plain}))
    return pd.concat(parts, ignore_index=True)


def shakespeare(*, train: PathLike | None = None, test: PathLike | None = None) -> "pd.DataFrame":
    """Return Shakespeare by role: user, test, context and target, one row an example.

    From LEAF's JSON files the context has 80 characters and the target is the next one; from the HDF5 files of
    TensorFlow Federated (names that end in ``.h5``) the context is a snippet and the target is empty.
    """
    import pandas as pd

    rows = []
    for held, part in _both("shakespeare", train, test):
        if str(part).endswith(".h5"):
            for user, columns in read_tff(part, ("snippets",)).items():
                rows += [(user, held, _text(snippet), "") for snippet in columns["snippets"]]
        else:
            for user, (x, y) in read_leaf(part).items():
                rows += [(user, held, *_characters(part, *pair)) for pair in zip(x, y, strict=True)]
    return pd.DataFrame(rows, columns=["user", "test", "context", "target"])


def reddit(*, train: PathLike | None = None, test: PathLike | None = None) -> "pd.DataFrame":
    """Return LEAF's Reddit by user: user, test, tokens and targets (lists of words), one row a sequence of ten words.

    A sample of the file is a comment of several sequences; a target is the word that follows its token.
    """
    import pandas as pd

    rows = []
    for held, part in _both("reddit", train, test):
        for user, (x, y) in read_leaf(part).items():
            for sequences, targets in zip(x, y, strict=True):
                rows += [(user, held, *pair) for pair in _sequences(part, sequences, targets)]
    return pd.DataFrame(rows, columns=["user", "test", "tokens", "targets"])


def _both(name: str, train: PathLike | None, test: PathLike | None) -> Iterator[tuple[bool, PathLike]]:
    if train is None or test is None:
        raise DataError(f"{name} is read from files that you supply: {entry(name).by_hand}")
    yield from ((False, train), (True, test))


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _characters(path: PathLike, context: Any, target: Any) -> tuple[str, str]:
    if not (isinstance(context, str) and isinstance(target, str) and len(target) == 1):
        raise DataError(f"{path}: expected a text and its next character, found {context!r:.40} and {target!r:.10}")
    return context, target


def _sequences(path: PathLike, sequences: Any, targets: Any) -> Iterator[tuple[list[str], list[str]]]:
    try:
        following = targets["target_tokens"]
        pairs = list(zip(sequences, following, strict=True))
        if any(len(words) != len(after) for words, after in pairs):
            raise ValueError("a sequence and its targets differ in length")
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: expected sequences of words with target_tokens: {error}") from error
    yield from pairs
