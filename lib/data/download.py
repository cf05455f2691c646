"""Downloads from the official sources, only ever on request."""

import hashlib
import logging
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from lib.data import store
from lib.data.archives import extract_members
from lib.data.errors import DataError
from lib.data.needed import wanting
from lib.data.registry import DataFile, DataSet, entry
from lib.data.voc_boxes import convert


def fetch(name: str) -> list[Path]:
    """Download data set `name` from its official source into the data folder; return the paths of its files.

    Files that are already there and verified are kept, and a corrupt one is replaced. Downloads happen in a temporary
    folder and each file is renamed to its place only after its checksum is verified, so an interruption leaves
    nothing half-written. Raises DataError if the source cannot be reached, if the content is not the registered one,
    or, after everything else has been fetched, if a file has to be supplied by hand.
    """
    dataset = entry(name)
    if dataset.by_hand and not dataset.files:
        raise DataError(f"{name} cannot be downloaded automatically: {dataset.by_hand}")
    wanted = [file for file in dataset.files if store.state_of(file)[0] in ("missing", "corrupt")]
    folder = store.data_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for file in wanted:
        if file.url:
            _download(file.url, f"sha256:{file.sha256}", folder / file.path, dataset)
    from_archive = [file for file in wanted if dataset.archive and (file.member or file.derived)]
    if from_archive:
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:
            _install(dataset, from_archive, Path(scratch))
    by_hand = wanting(dataset)
    if by_hand:
        raise DataError(f"{', '.join(by_hand)} cannot be downloaded automatically: {dataset.by_hand}")
    return [found[0] for file in dataset.files if (found := store.locate(file.path))]


def _install(dataset: DataSet, files: list[DataFile], scratch: Path) -> None:
    """Download the archive of `dataset` and bring `files` to their places."""
    # An archive that is converted holds more than we keep (the images), so it stays beside the data.
    archive = _archive(dataset, scratch, keep=any(file.derived and not file.member for file in files))
    if all(file.derived and file.member for file in files):
        extract_members(archive, files)
        return
    for file in files:
        if file.derived:
            install_boxes(archive, file.path)
        else:
            _extract(dataset, archive, file, scratch)


def _archive(dataset: DataSet, scratch: Path, *, keep: bool) -> Path:
    """Return the downloaded archive; with `keep` beside the data, because it holds the images too."""
    filename = dataset.archive.rsplit("/", 1)[-1]
    folder = store.data_folder() / dataset.name if keep else scratch
    return _download(dataset.archive, dataset.archive_hash, folder / filename, dataset)


def _download(url: str, known_hash: str | None, target: Path, dataset: DataSet) -> Path:
    """Download `url` to `target`, which appears only when its checksum is verified, and return it."""
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        return Path(
            pooch.retrieve(
                url, known_hash=known_hash, fname=target.name, path=target.parent, progressbar=sys.stderr.isatty()
            )
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"{url} could not be fetched ({error}): try again, or download it by hand from {dataset.page}"
        ) from error
    finally:
        logger.setLevel(level)


def _extract(dataset: DataSet, archive: Path, file: DataFile, scratch: Path) -> None:
    """Take one member out of a zip archive, verify it and rename it to its place."""
    part = scratch / "member"
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(file.member) as source, part.open("wb") as sink:
            shutil.copyfileobj(source, sink)
    except (zipfile.BadZipFile, KeyError, EOFError, OSError) as error:
        raise DataError(f"{dataset.archive} is not the expected archive ({error}): nothing was installed") from error
    digest = hashlib.sha256(part.read_bytes()).hexdigest()
    if digest != file.sha256:
        raise DataError(
            f"checksum mismatch of {file.member} in {dataset.archive} (SHA-256 {digest[:12]}..., expected "
            f"{file.sha256[:12]}...): the source holds another version, nothing was installed"
        )
    target = store.data_folder() / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)


def install_boxes(archive: str | Path, relative: str = "voc2012/boxes_trainval.txt") -> Path:
    """Convert a VOC 2012 trainval archive that is already on disk; return the path of the box file.

    The derived file's SHA-256 goes to ``derived.json`` of the data folder, which verification accepts beside the
    registered one. Raises DataError if the archive is truncated or incomplete.
    """
    target = store.data_folder() / relative
    convert(Path(archive), target)
    store.record_derived(store.data_folder(), relative, hashlib.sha256(target.read_bytes()).hexdigest())
    return target
