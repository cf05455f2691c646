"""What the registry says of a data set and of each of its files."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DataFile:
    """One file: path relative to the data folder, size in bytes, SHA-256, and its name inside the archive.

    `member` is empty where the file is not a plain member of the archive: then it is downloaded from its own `url`,
    made by a conversion (`derived`), or has to be supplied by hand. A `derived` file may have another SHA-256 than the
    registered one, if the data folder's manifest says that it was made there from a verified archive. `optional` files
    are read where they are; `instead` names a file that serves as well as this one.
    """

    path: str
    bytes: int
    sha256: str
    member: str = ""
    derived: bool = False
    url: str = ""
    optional: bool = False
    instead: str = ""


@dataclass(frozen=True)
class DataSet:
    """One data set; `archive` is the official download and `archive_hash` its checksum in pooch's form, or None."""

    name: str
    title: str
    licence: str
    page: str
    files: tuple[DataFile, ...] = ()
    archive: str = ""
    archive_hash: str | None = None
    by_hand: str = ""
