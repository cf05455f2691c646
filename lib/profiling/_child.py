"""The process that `process_peak` starts. Standard library only, so that it adds next to nothing itself."""

import contextlib
import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path


def status_bytes(field: str) -> int | None:
    """Return a kB field of this process's status in bytes (Linux); None where there is no such file."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    return next(
        (int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith(field)), None
    )


def rusage_bytes(maximum: int) -> int:
    """Return ru_maxrss in bytes: macOS gives bytes, other systems kB."""
    return maximum if sys.platform == "darwin" else maximum * 1024


def call(payload: str) -> dict:
    """Load function and arguments, forget the peak of the imports, run, read the peak."""
    import resource

    path, body = pickle.loads(Path(payload).read_bytes())
    sys.path[:] = path
    fn, args, kwargs = pickle.loads(body)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    own = rusage_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    before = status_bytes("VmRSS:") or own
    start = time.perf_counter()
    fn(*args, **kwargs)
    seconds = time.perf_counter() - start
    peak = status_bytes("VmHWM:") or rusage_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return {"peak_bytes": peak, "baseline_bytes": before, "seconds": seconds}


def command(arguments: list[str]) -> dict:
    """Run a command. Linux lets a child inherit its parent's high-water mark, hence this small parent in between."""
    start = time.perf_counter()
    child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{arguments[0]} ended with exit status {child.returncode}")
    seconds = time.perf_counter() - start
    return {"peak_bytes": rusage_bytes(usage.ru_maxrss), "baseline_bytes": None, "seconds": seconds}


if __name__ == "__main__":
    mode, answer, *rest = sys.argv[1:]
    result = call(rest[0]) if mode == "call" else command(rest)
    Path(answer).write_text(json.dumps(result))
