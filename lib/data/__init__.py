"""Data sets in their official formats: verified on every read, downloaded only on request."""

from collections.abc import Iterable
from typing import Any

from lib.data.errors import DataError
from lib.data.registry import REGISTRY, DataFile, DataSet, entry
from lib.data.store import data_folder, note_used, used

__all__ = [
    "REGISTRY",
    "DataError",
    "DataFile",
    "DataSet",
    "data_folder",
    "embeddings",
    "fetch",
    "load",
    "note_used",
    "require",
    "status",
    "used",
]


def load(name: str, **options: Any) -> Any:
    """Return data set `name` as plain arrays and tables in a frozen dataclass (see `lib.data.loaders`).

    Names: ``digits`` (bundled), ``voc2012`` (option `scores`), ``movielens-small``, ``sst2``, ``ag-news`` (options
    `train`, `test`), ``multirc``, ``cifar10``, ``cifar100``, ``mnist``, ``femnist-digits`` (options `train`, `test`),
    ``flickr-aes``, ``tinyshakespeare``, and from files that the user names (options `train`, `test`) ``emnist``,
    ``stackoverflow``, ``shakespeare``, ``reddit``, and (option `path`) ``gstore``; ``online-shoppers``. Files are
    looked for in the data folder (``SCARCE_DATA``, default ``data`` beside the package), then in
    ``SCARCE_DATA_MIRROR``. Nothing is downloaded.

    Raises DataError, a ValueError, if a file is missing, truncated or altered.
    """
    from lib.data.loaders import LOADERS

    entry(name)
    return LOADERS[name](**options)


def require(*names: str, among: Iterable[str] = ()) -> None:
    """Raise a DataError that names the data sets of `names` that lack a file or hold a corrupt one, and the way out.

    With `among`, the names that the caller can use, any other is refused too.
    """
    from lib.data.needed import absent
    from lib.data.store import missing

    for name in names:
        if among and name not in among:
            raise DataError(f"data set {name!r} is not used here; choose from {', '.join(among)}")
    wanting = {name: absent(name) for name in names}
    problems = [str(missing(entry(name), files[0])) for name, files in wanting.items() if files]
    if problems:
        raise DataError(" ".join(problems))


def fetch(name: str) -> list:
    """Download data set `name` from its official source; see `lib.data.download.fetch`."""
    from lib.data.download import fetch as download

    return download(name)


def embeddings(path: Any, ids: Any) -> Any:
    """Read user-supplied features for `ids`; see `lib.data.loaders.embeddings`."""
    from lib.data.loaders import embeddings as read

    return read(path, ids)


def status() -> Any:
    """Return a table of all registered files: name, file, state, source, bytes, licence.

    `state` is ``ok``, ``derived`` (converted on this machine), ``missing`` or ``corrupt``; `source` the folder it was
    found in; `bytes` the size on disk. Every file found is hashed.
    """
    import pandas as pd

    from lib.data.store import state_of

    rows = []
    for dataset in REGISTRY.values():
        if not dataset.files:
            bundled = ["(by hand)", "not kept", "the user"] if dataset.by_hand else ["(bundled)", "ok", "scikit-learn"]
            rows.append([dataset.name, *bundled, 0, dataset.licence])
        for file in dataset.files:
            rows.append([dataset.name, file.path, *state_of(file), dataset.licence])
    return pd.DataFrame(rows, columns=["name", "file", "state", "source", "bytes", "licence"])
