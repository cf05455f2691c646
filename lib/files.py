"""Files that are there whole or not at all: written under a temporary name beside their own, then renamed."""

import json
import os
from pathlib import Path
from typing import Any


def write_bytes(path: Path, content: bytes) -> Path:
    """Write `content` to `path`, whose folder is made if need be, and return `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        return temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, content: str) -> Path:
    """Write `content` to `path` in UTF-8, as `write_bytes` does."""
    return write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> Path:
    """Write `content` to `path` as JSON, what JSON does not know as text, as `write_bytes` does."""
    return write_text(path, json.dumps(content, indent=1, default=str) + "\n")
