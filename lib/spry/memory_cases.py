"""Many measurements of memory in turn: one that fails is a row like any other, and the table is always on the disk."""

import gc
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from lib.files import write_text
from lib.spry.memory_model import Shape, parameter_counts

OK, FULL, LATE, BUDGET = "ok", "out of memory", "time limit", "not begun in time"
COLUMNS = (
    "device", "shape", "weights", "dtype", "batch", "length", "rank", "method", "layers", "category", "measured",
    "predicted", "seconds", "forward_seconds", "status",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One bar of the memory figure."""

    name: str
    shape: Shape
    weights: str
    length: int
    method: str


def cases(
    shapes: Mapping[str, Shape], weights: Sequence[str], lengths: Sequence[int], methods: Sequence[str]
) -> list[Case]:
    """Return the cases, the smallest network first.

    Dequantized weights can only be kept for a backward pass, so "4bit kept" has no cases of the other methods.
    """
    names = sorted(shapes, key=lambda name: parameter_counts(shapes[name]).frozen)
    return [
        Case(name, shapes[name], kind, length, method)
        for name in names
        for kind in weights
        for length in lengths
        for method in methods
        if kind != "4bit kept" or "backprop" in method
    ]


def run_cases(
    todo: Sequence[Case],
    *,
    batch: int,
    rank: int,
    device: str,
    dtype: torch.dtype,
    repeats: int,
    limit: float,
    budget: float,
    out: Path | None = None,
) -> pd.DataFrame:
    """Measure all cases in turn, print a line for each, and write the table to `out` after each.

    Args:
        todo: from `cases`.
        batch: sequences in a minibatch.
        rank: LoRA's r.
        device: in torch's spelling.
        dtype: of all numbers.
        repeats: as for `lib.spry.memory.measure`.
        limit: seconds a case may take.
        budget: seconds after which no case is begun.
        out: a csv file.

    Returns:
        The rows of `measure` with what was asked and the name of the device in front, and status behind: `OK`, or in a
        single row without numbers why there is none.
    """
    start, tables = time.monotonic(), []
    plan = {"batch": batch, "rank": rank, "device": device, "dtype": dtype, "repeats": repeats}
    for case in todo:
        late = time.monotonic() - start > budget
        rows = _failed(case, BUDGET) if late else _rows(case, limit, plan)
        given = {"device": _name(device), "shape": case.name, "weights": case.weights, "length": case.length}
        given |= {"dtype": str(dtype).removeprefix("torch."), "batch": batch, "rank": rank}
        tables.append(rows.assign(**given).reindex(columns=list(COLUMNS)))
        print(f"{time.monotonic() - start:6.1f} s  {_line(case, rows)}", flush=True)
        table = pd.concat(tables, ignore_index=True)
        if out is not None:
            write_table(out, table)
        gc.collect()  # a failure's traceback, and with it the network, is gone only now
        if device.startswith("cuda"):
            torch.cuda.empty_cache()
    return table


def _rows(case: Case, limit: float, plan: Mapping[str, Any]) -> pd.DataFrame:
    from lib.spry.memory import measure

    try:
        with time_limit(limit):
            return measure(case.shape, case.method, length=case.length, weights=case.weights, **plan).assign(status=OK)
    except torch.OutOfMemoryError:
        return _failed(case, FULL)
    except TimeoutError:
        return _failed(case, LATE)
    except Exception as error:  # a defect of one case must not cost the others, on a machine that is lent
        text = str(error).strip().splitlines()
        return _failed(case, f"failed: {type(error).__name__}: {text[0] if text else ''}"[:200])


def _failed(case: Case, status: str) -> pd.DataFrame:
    row = {"method": case.method, "layers": case.shape.layers, "category": "none", "status": status}
    return pd.DataFrame([row]).reindex(columns=list(COLUMNS))


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError inside the block after `seconds`, where the system has such an alarm (not on Windows)."""

    def stop(*_) -> None:
        raise TimeoutError(f"more than {seconds:g} seconds")

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _line(case: Case, rows: pd.DataFrame) -> str:
    name = f"{case.name}, {case.weights}, length {case.length}, {case.method}: "
    if rows["status"].iloc[0] != OK:
        return name + rows["status"].iloc[0]
    gigabytes, seconds = rows["measured"].sum() / 1e9, rows.get("seconds", pd.Series([float("nan")])).iloc[0]
    return name + f"{gigabytes:.2f} GB ({rows['predicted'].sum() / 1e9:.2f} predicted), {1000 * seconds:.0f} ms a step"


def _name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def write_table(out: Path, table: pd.DataFrame) -> None:
    """Write `table` to `out` as CSV, whole or not at all."""
    write_text(out, table.to_csv(index=False))
