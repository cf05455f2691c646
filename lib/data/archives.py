"""Members of an official tar archive, installed only after the archive's own checksum is verified."""

import hashlib
import tarfile
from pathlib import Path

from lib.data import store
from lib.data.errors import DataError
from lib.data.registry import DataFile, entry


def install_tar(name: str, archive: str | Path) -> list[Path]:
    """Install the files of data set `name` from its official tar `archive` on disk; return their paths.

    Raises DataError if the archive's MD5 is not the registered one, or a member is absent or of the wrong size.
    """
    dataset = entry(name)
    kind, _, wanted = (dataset.archive_hash or "").partition(":")
    with Path(archive).open("rb") as opened:
        found = hashlib.file_digest(opened, kind).hexdigest()
    if found != wanted:
        raise DataError(f"{archive} has {kind} {found}, the official archive {wanted}: download it again")
    files = [file for file in dataset.files if file.member]
    return extract_members(archive, files)


def extract_members(archive: str | Path, files: list[DataFile]) -> list[Path]:
    """Extract `files` from a tar whose checksum was verified; record theirs, and return their paths."""
    folder, installed = store.data_folder(), []
    try:
        with tarfile.open(archive) as opened:
            for file in files:
                content = opened.extractfile(opened.getmember(file.member)).read()
                if len(content) != file.bytes:
                    raise DataError(f"{file.member} in {archive} has {len(content):,} bytes, expected {file.bytes:,}")
                target = folder / file.path
                target.parent.mkdir(parents=True, exist_ok=True)
                part = target.with_name(f".{target.name}.part")
                part.write_bytes(content)
                part.replace(target)
                store.record_derived(folder, file.path, hashlib.sha256(content).hexdigest())
                installed.append(target)
    except (tarfile.TarError, KeyError, EOFError, OSError) as error:
        raise DataError(f"{archive} is not the expected archive ({error}): nothing more was installed") from error
    return installed
