"""Where data files lie, and the rule that nothing is read before its checksum is verified."""

import hashlib
import json
import os
from pathlib import Path

from lib.data.errors import DataError
from lib.data.registry import DataFile, DataSet, entry
from lib.files import write_json

ROOT = Path(__file__).resolve().parents[2]
DERIVED = "derived.json"

# What this process has verified: (path, bytes, mtime in ns) -> SHA-256, and relative name -> SHA-256.
_VERIFIED: dict[tuple[str, int, int], str] = {}
_USED: dict[str, str] = {}


def data_folder() -> Path:
    """Return the data folder: environment variable ``SCARCE_DATA``, else ``data`` beside the package."""
    return Path(os.environ.get("SCARCE_DATA") or ROOT / "data").expanduser()


def mirror_folder() -> Path | None:
    """Return the folder named by ``SCARCE_DATA_MIRROR`` (same relative names), or None where it is not set."""
    value = os.environ.get("SCARCE_DATA_MIRROR")
    return Path(value).expanduser() if value else None


def locate(relative: str) -> tuple[Path, str] | None:
    """Return the file's path and ``"data"`` or ``"mirror"``; the data folder comes first, None if in neither."""
    for folder, label in ((data_folder(), "data"), (mirror_folder(), "mirror")):
        if folder is not None and (folder / relative).is_file():
            return folder / relative, label
    return None


def derived_checksums(folder: Path) -> dict[str, str]:
    """Return the checksums of files converted in `folder` on this machine (relative name -> SHA-256)."""
    manifest = folder / DERIVED
    if not manifest.is_file():
        return {}
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{manifest} is not valid JSON: delete it and run 'scarce data fetch' again") from error
    return {str(name): str(value) for name, value in found.items()}


def record_derived(folder: Path, relative: str, sha256: str) -> None:
    """Add one converted file's checksum to the manifest of `folder`, written whole and then renamed."""
    known = derived_checksums(folder) | {relative: sha256}
    write_json(folder / DERIVED, dict(sorted(known.items())))


def _folder_of(path: Path, relative: str) -> Path:
    return path.parents[len(Path(relative).parts) - 1]


def _state(content: bytes, path: Path, file: DataFile) -> tuple[str, str]:
    """Return (state, SHA-256) of the bytes of one file; state is ``ok``, ``derived`` or ``corrupt``."""
    stat = path.stat()
    key = (str(path.resolve()), len(content), stat.st_mtime_ns)
    digest = _VERIFIED.get(key) or hashlib.sha256(content).hexdigest()
    if digest == file.sha256 and len(content) == file.bytes:
        state = "ok"
    elif file.derived and derived_checksums(_folder_of(path, file.path)).get(file.path) == digest:
        state = "derived"
    else:
        return "corrupt", digest
    _VERIFIED[key] = digest
    return state, digest


def state_of(file: DataFile) -> tuple[str, str, int]:
    """Return (state, source folder, bytes on disk); state is ``ok``, ``derived``, ``missing`` or ``corrupt``."""
    found = locate(file.path)
    if found is None:
        return "missing", "", 0
    content = found[0].read_bytes()
    state, _ = _state(content, found[0], file)
    return state, str(_folder_of(found[0], file.path)), len(content)


def script_of(name: str) -> str:
    """Return the download script's path relative to the repository."""
    return f"data_scripts/{name.replace('-', '_')}.py"


def missing(dataset: DataSet, relative: str) -> DataError:
    """Return the error for a file that lies in neither folder, with what to do about it."""
    file = next((file for file in dataset.files if file.path == relative), None)
    mirror = "set SCARCE_DATA_MIRROR to a folder that holds it"
    if file and (file.url or file.member or file.derived) and relative not in dataset.by_hand:
        way = f"run 'scarce data fetch {dataset.name}' or {script_of(dataset.name)}, or {mirror}."
    else:
        way = f"it cannot be downloaded automatically; put it there, or {mirror}. {dataset.by_hand}."
    return DataError(f"{relative} is not in {data_folder()}: {way}")


def read(name: str, relative: str) -> bytes:
    """Return the whole content of one registered file of data set `name`, its checksum verified.

    Raises DataError if the file is missing, truncated or altered. A file verified once in this process is not hashed
    again while its size and modification time stay the same.
    """
    dataset = entry(name)
    file = next(item for item in dataset.files if item.path == relative)
    found = locate(relative)
    if found is None:
        raise missing(dataset, relative)
    content = found[0].read_bytes()
    state, digest = _state(content, found[0], file)
    if state == "corrupt":
        raise DataError(
            f"checksum mismatch of {found[0]} ({len(content):,} bytes; expected {file.bytes:,} bytes, SHA-256 "
            f"{file.sha256[:12]}...): delete it and run 'scarce data fetch {name}'"
        )
    _USED[relative] = digest
    return content


def read_user_file(path: str | Path) -> bytes:
    """Return the content of a file that the user supplies; its checksum is noted for run records, not verified."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise DataError(f"{path} does not exist: pass the path of an existing file")
    content = path.read_bytes()
    _USED[path.name] = hashlib.sha256(content).hexdigest()
    return content


def verify_user_file(path: str | Path, sha256: str) -> None:
    """Refuse a file that the user supplies unless it has this checksum, which is noted; it is hashed as a stream."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise DataError(f"{path} does not exist: pass the path of an existing file")
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256.lower():
        raise DataError(f"checksum mismatch of {path}: SHA-256 {found}, expected {sha256}; download it again")
    _USED[path.name] = found


def used() -> dict[str, str]:
    """Return {relative file name: SHA-256} of every file read so far in this process, for run records."""
    return dict(_USED)


def note_used(found: dict[str, str]) -> None:
    """Count files that another process has verified, as `used` gives them, among those read by this one."""
    _USED.update(found)
