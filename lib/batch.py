"""Execute jobs: one subprocess a run, a temporary folder, renamed when it is complete."""

import contextlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from lib.files import write_json
from lib.jobs import Job, read_result
from lib.report.paths import NOTEBOOKS, RESULTS, ROOT, runs_dir
from lib.report.provenance import git_state, versions

POLL_SECONDS = 0.2
ORPHAN_SECONDS = 10.0  # how long a worker without a parent may take to stop its kernel
WORKER = "worker.pid"
HOST = re.sub(r"\W", "-", platform.node()) or "here"  # in the name of a temporary folder, since machines may share it
# Two linear-algebra threads slow the small matrices of these notebooks down; the user's own setting wins.
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
QUIET = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


class RunFailed(RuntimeError):
    """A run ended without a result; the message names the error and the log.

    `worth_retrying` tells that the notebook itself raised nothing: its process or kernel died, or it took too long.
    """

    def __init__(self, message: str, *, worth_retrying: bool = False):
        super().__init__(message)
        self.worth_retrying = worth_retrying


def ensure(job: Job, *, force: bool = False, progress: Callable[[str], None] = lambda text: None) -> Path:
    """Return the folder of the finished run of `job`, executing it if there is none (or in any case, with `force`).

    Two processes that want the same run share one: the second waits for the first and takes its result.
    Raises as `execute`.
    """
    locks = runs_dir() / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    lock = FileLock(locks / job.hash)  # the operating system frees it when its holder dies
    while not lock.is_locked:
        try:
            lock.acquire(timeout=POLL_SECONDS)
        except Timeout:
            progress("another process runs it")
    try:
        if not job.done or force:
            execute(job, progress=progress)
        return job.folder
    finally:
        lock.release()


def execute(job: Job, *, progress: Callable[[str], None] = lambda text: None) -> Path:
    """Run the notebook of `job` and return the folder of the finished run.

    The run happens in a temporary folder beside its final place, which appears by one rename when everything is
    written; an interrupted run leaves nothing, a failed one leaves ``<hash>.failed`` with its log. The worker ends by
    itself, and removes the folder, should this process be killed. `progress` is called with a short text several
    times a second.

    Raises RunFailed if the notebook raised, OSError if the folder cannot be written.
    """
    final = job.folder
    final.parent.mkdir(parents=True, exist_ok=True)
    clean_leftovers(final.parent)
    work = final.with_name(f".{job.hash}.{HOST}.{os.getpid()}")
    work.mkdir()
    try:
        write_json(work / "job.json", {"job": vars(job), "started": datetime.now(UTC).isoformat(timespec="seconds")})
        code = watch(start_worker(work), work, progress)
        if read_result(work).get("status") != "ok":
            error = last_error(work)
            said = f"{job.paper} ({job.preset}) failed: {error or f'the worker ended with exit status {code}'}"
            raise RunFailed(said, worth_retrying=not error or "DeadKernelError" in error)
        for name in ("job.json", "progress", "kernel.json", WORKER):
            (work / name).unlink(missing_ok=True)
        replace_folder(work, final)
    except RunFailed as failure:
        failed = final.with_name(f"{job.hash}.failed")
        replace_folder(work, failed)
        said = f"{failure}; see {failed / 'log.txt'}"
        raise RunFailed(said, worth_retrying=failure.worth_retrying) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return final


def start_worker(work: Path) -> subprocess.Popen:
    """Start the process that lets papermill execute the notebook described in ``work/job.json``."""
    environment = THREADS | dict(os.environ) | QUIET | {"SCARCE_RUN_DIR": str(work)}
    with (work / "log.txt").open("w", encoding="utf-8") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "lib.batch", str(work)], cwd=ROOT, env=environment, stdout=log, stderr=log
        )


def watch(worker: subprocess.Popen, work: Path, progress: Callable[[str], None]) -> int:
    """Report what the worker is at until it ends; on any interruption stop it and its kernel first."""
    try:
        while worker.poll() is None:
            progress(current_step(work))
            time.sleep(POLL_SECONDS)
    except BaseException:
        worker.terminate()
        try:
            worker.wait(timeout=20)
        except subprocess.TimeoutExpired:
            worker.kill()
        raise
    return worker.returncode


def current_step(work: Path) -> str:
    """Return a short text such as "cell 7: regret 3/12" for the run in folder `work`."""
    try:
        cells = re.findall(r"Executing Cell (\d+)", (work / "log.txt").read_text(errors="replace"))
        step = (work / "progress").read_text() if (work / "progress").is_file() else ""
    except OSError:
        return ""
    return f"cell {cells[-1]}{': ' + step if step else ''}" if cells else "starting"


def last_error(work: Path) -> str:
    """Return the last line of the log that names an exception; empty if none does."""
    lines = (work / "log.txt").read_text(errors="replace").splitlines() if (work / "log.txt").is_file() else []
    errors = [line.strip() for line in lines if re.match(r"\s*[\w.]*(Error|Exception|Interrupt)\b", line)]
    wrapped = ("papermill.exceptions.PapermillExecutionError", "Exception encountered")
    errors = [line for line in errors if not line.startswith(wrapped)]
    return errors[-1] if errors else ""


def clean_leftovers(folder: Path) -> None:
    """Remove temporary folders that no live process writes: neither the one in the name nor the worker inside.

    Those of another machine that shares the file system stay: whether its processes live cannot be seen from here.
    """
    for leftover in folder.glob(".*.*"):
        host, begun = writer(leftover)
        writers = [begun]
        with contextlib.suppress(OSError):  # no worker has started there
            writers.append((leftover / WORKER).read_text(encoding="utf-8"))
        if host == HOST and leftover.is_dir() and begun.isdigit() and not any(map(alive, writers)):
            shutil.rmtree(leftover, ignore_errors=True)


def writer(temporary: Path) -> tuple[str, str]:
    """Return machine and process number in the name of a temporary folder; without a machine it is this one's."""
    parts = temporary.name.split(".")
    return (parts[-2] if len(parts) > 3 else HOST), parts[-1]


def alive(process: str) -> bool:
    """Return whether a process with this number exists."""
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        pass  # somebody else's
    return True


def replace_folder(source: Path, target: Path) -> None:
    """Move `source` to `target`; an older target is moved aside first and removed after, or back if that fails."""
    old = target.with_name(f".{target.name}.old.{HOST}.{os.getpid()}")
    if target.exists():
        target.rename(old)
    try:
        source.rename(target)
    except OSError:  # a full disk, say
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def record(job: Job, name: str | None = None) -> Path:
    """Copy result, tables and claims of a finished run into ``results/<paper>/<name>`` (default: the preset)."""
    if not job.done:
        raise ValueError(f"no finished run of {job.paper} ({job.preset}): run it first")
    target = RESULTS / job.paper / (name or job.preset)
    return copy_folder(job.folder, target, "*.ipynb", "figures", "log.txt", "parameters.yaml", "claims.json")


def copy_folder(source: Path, target: Path, *left_out: str) -> Path:
    """Copy `source` to `target`, in place of what is there, by one rename; names that match `left_out` stay behind."""
    target.parent.mkdir(parents=True, exist_ok=True)
    work = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copytree(source, work, ignore=shutil.ignore_patterns(*left_out))
        replace_folder(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def work_on(work: Path) -> None:
    """Execute the job described in ``work/job.json``; the body of the worker process."""
    import resource

    # jsonschema, which nbformat imports, would compile a grammar of web addresses for a second; notebooks hold none.
    sys.modules.setdefault("rfc3987_syntax", None)
    import papermill

    described = json.loads((work / "job.json").read_text(encoding="utf-8"))
    job, start = described["job"], time.monotonic()
    git = git_state()
    os.environ["SCARCE_PROVENANCE"] = json.dumps(
        {"paper": job["paper"], "run": job["hash"], "preset": job["preset"], **git}
    )
    papermill.execute_notebook(
        str(NOTEBOOKS / f"{job['paper']}.ipynb"),
        str(work / f"{job['paper']}.ipynb"),
        parameters=job["changed"],
        cwd=str(NOTEBOOKS),
        kernel_name="python3",
        progress_bar=False,
        log_output=True,
        request_save_on_cell_execute=False,
    )
    kernel = json.loads((work / "kernel.json").read_text(encoding="utf-8"))
    result: dict[str, Any] = {
        "status": "ok",
        "paper": job["paper"],
        "preset": job["preset"],
        "hash": job["hash"],
        "started": described["started"],
        "seconds": round(time.monotonic() - start, 2),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, 1),
        "parameters": job["parameters"],
        "versions": versions(),
        "git": git,
        **kernel,
    }
    (work / "parameters.yaml").write_text(yaml.safe_dump(job["parameters"], sort_keys=False), encoding="utf-8")
    write_json(work / "result.json", result)


def worker_process(work: Path) -> None:
    """Do the work in folder `work` until it is done, the process is told to end, or its parent is gone.

    Without its parent nobody would take the result or the folder away, so the worker removes the folder itself.
    """
    parent = int(writer(work)[1])
    # A polite termination must unwind papermill's clean-up, else the kernel would be orphaned.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    (work / WORKER).write_text(str(os.getpid()), encoding="utf-8")
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    try:
        work_on(work)
    finally:
        if os.getppid() != parent:
            shutil.rmtree(work, ignore_errors=True)


def end_with(parent: int) -> None:
    """End this process soon after `parent`, politely at first, so that its kernel is stopped, too."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_SECONDS)
    os._exit(130)


if __name__ == "__main__":
    import logging

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    worker_process(Path(sys.argv[1]))
