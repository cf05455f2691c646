"""Peak resident memory of a fresh process: the independent check on `peak_memory`."""

import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_CHILD = Path(__file__).with_name("_child.py")


@dataclass(frozen=True)
class ProcessPeak:
    """Peak resident bytes of one process; `baseline_bytes` is what it held just before the function was called."""

    peak_bytes: int
    baseline_bytes: int | None  # None for a command: there is no "before"
    seconds: float

    @property
    def extra_bytes(self) -> int | None:
        """Resident bytes at the peak beyond the baseline (interpreter, imports, arguments); None for a command."""
        return None if self.baseline_bytes is None else self.peak_bytes - self.baseline_bytes

    def row(self) -> dict[str, Any]:
        """Return the fields as one table row."""
        return asdict(self) | {"extra_bytes": self.extra_bytes}


def process_peak(
    target: Callable[..., Any] | Sequence[str], *args: Any, mmap_threshold_bytes: int | None = 65536, **kwargs: Any
) -> ProcessPeak:
    """Run a function or a command in a fresh process and return its peak resident set size (Linux, macOS).

    `target` is a function that a fresh interpreter can import (it and its arguments are pickled), or a command as a
    list of strings. A function's peak is that of the call alone where the system can reset it (Linux), else of the
    process; a command's is that of its main process, about 10 MB at least.

    Resident memory holds the interpreter, loaded libraries, allocator slack and kernel-internal buffers, which
    `peak_memory` does not see; it depends on the machine. `mmap_threshold_bytes` makes glibc return every larger
    block at once (``MALLOC_MMAP_THRESHOLD_``), which takes most of the slack out at the price of slower allocation;
    None leaves the C library alone.

    Raises ``ValueError`` for a function that cannot be imported, ``RuntimeError`` with the last line of the error
    output when the process fails.
    """
    environment = dict(os.environ)
    if mmap_threshold_bytes is not None:
        environment["MALLOC_MMAP_THRESHOLD_"] = str(mmap_threshold_bytes)
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        if callable(target):
            payload = Path(folder, "payload.pickle")
            payload.write_bytes(_pickled(target, args, kwargs))
            arguments = ["call", str(answer), str(payload)]
        else:
            if args or kwargs or isinstance(target, str):
                raise ValueError("a command is one list of strings, such as ['python', 'script.py', '--fast']")
            arguments = ["command", str(answer), *target]
        done = subprocess.run(
            [sys.executable, str(_CHILD), *arguments], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0 or not answer.exists():
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise RuntimeError(f"the measured process failed: {lines[-1]}")
        return ProcessPeak(**json.loads(answer.read_text()))


def _pickled(fn: Callable[..., Any], args: tuple, kwargs: dict) -> bytes:
    if getattr(fn, "__module__", "__main__") == "__main__":
        raise ValueError("a fresh process cannot import a function of a notebook or script: move it into a module")
    try:
        return pickle.dumps((sys.path, pickle.dumps((fn, args, kwargs))))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(f"a fresh process cannot receive this function or its arguments: {error}") from error
