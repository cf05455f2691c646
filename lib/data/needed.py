"""Which files of a data set are really wanting, given the optional ones and those that serve in place of others."""

from lib.data import store
from lib.data.registry import DataSet, entry


def absent(name: str) -> list[str]:
    """Return the relative names of the files of data set `name` that are needed and not there or corrupt.

    A file that is optional, or whose stand-in (`DataFile.instead`) is there, is not needed.
    """
    return wanting(entry(name))


def wanting(dataset: DataSet) -> list[str]:
    """Return what `absent` returns, for a registry entry."""
    good = {file.path for file in dataset.files if store.state_of(file)[0] in ("ok", "derived")}
    needed = [file for file in dataset.files if not file.optional and file.instead not in good]
    return [file.path for file in needed if file.path not in good]
