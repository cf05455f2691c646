"""What every method costs in one place: time, memory, work and communication, from quick and recorded runs."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from lib.book_scoreboard import escape
from lib.book_status import used_gpu
from lib.jobs import make_job, papers, read_result
from lib.report.paths import RESULTS
from lib.report.published import published


@dataclass(frozen=True)
class Costs:
    """Where a paper's costs stand: a table, the column of the method, and which columns to show under which heading.

    `unit` says what is counted (one round of a client, one fit). `where` picks rows; "largest" keeps the rows with the
    largest value of a column. Several rows of a method are shown by their median, or by their sum if `total`. With
    `record` the table is that of the recorded run of this name, and the entry is left out where there is none.
    """

    paper: str
    table: str
    method: str
    unit: str
    shown: dict[str, str]
    where: dict[str, object] = field(default_factory=dict)
    total: bool = False
    record: str = ""


COSTS = (
    Costs(
        paper="bslb",
        table="costs",
        method="method",
        unit="one whole run",
        shown={
            "seconds": "time (s)",
            "extra_mib": "memory beyond the arms (MiB)",
            "expert_batches": "times that experts are asked",
        },
    ),
    Costs(
        paper="spry",
        table="depth",
        method="method",
        unit="a step of the deepest model in the table",
        shown={"measured": "peak memory (bytes), all categories"},
        where={"layers": "largest"},
        total=True,
    ),
    Costs(
        paper="spry",
        table="counted",
        method="method",
        unit="a round of the clients in the table",
        shown={
            "up_all": "numbers sent up, all clients",
            "down": "numbers sent down, a client",
            "forward": "forward passes",
            "backward": "backward passes",
        },
    ),
    Costs(
        paper="spry",
        table="texts",
        method="method",
        unit="one client and all rounds on SST-2",
        record="real",
        shown={
            "seconds": "time (s)",
            "operations": "passes, counted as forward ones",
            "kib_up": "sent (KiB)",
            "kib_down": "received (KiB)",
        },
        where={"data": "sst2", "round": "largest"},
    ),
    Costs(
        paper="spry",
        table="gpu_memory",
        method="method",
        unit="a step of Llama2-7B in bfloat16 on 8 texts of 256 tokens, all categories",
        record="gpu",
        shown={"measured": "peak memory (bytes)"},
        where={"shape": "Llama2-7B", "weights": "full", "length": 256},
        total=True,
    ),
    Costs(
        paper="spry",
        table="gpu_memory",
        method="method",
        unit="a step of Llama2-7B in bfloat16 on 8 texts of 256 tokens",
        record="gpu",
        shown={"seconds": "time (s)", "forward_seconds": "of which a forward pass (s)"},
        where={"shape": "Llama2-7B", "weights": "full", "length": 256},
    ),
    Costs(
        paper="fedper",
        table="round_costs",
        method="method",
        unit="a round of one client",
        shown={
            "milliseconds": "time (ms)",
            "mflop": "work (MFLOP)",
            "extra_kib": "memory beyond weights and data (KiB)",
            "kept_kib": "kept between rounds (KiB)",
            "down_kib": "received (KiB)",
            "up_kib": "sent (KiB)",
        },
    ),
    Costs(
        paper="flow",
        table="costs",
        method="method",
        unit="a round of one client",
        shown={
            "milliseconds": "time (ms)",
            "MFLOP": "work (MFLOP)",
            "extra KiB": "memory beyond weights and data (KiB)",
            "KiB sent": "sent (KiB)",
        },
    ),
    Costs(
        paper="poisoning",
        table="costs",
        method="rule",
        unit="one aggregation of the largest cohort and model in the table",
        shown={
            "milliseconds": "time (ms)",
            "received_mib": "updates received (MiB)",
            "extra_mib": "memory beyond the updates (MiB)",
        },
        where={"clients": "largest", "d": "largest"},
    ),
    Costs(
        paper="segmentation",
        table="costs",
        method="what",
        unit="the work that its row names",
        shown={"seconds": "processor time (s)"},
    ),
    Costs(
        paper="compression",
        table="edge",
        method="model",
        unit="one image on one thread, in ONNX Runtime",
        shown={
            "median_ms": "time (ms)",
            "activation_bytes": "activations (bytes)",
            "file_bytes": "file (bytes)",
            "flops": "work (FLOP)",
        },
        where={"precision": "float32"},
    ),
    Costs(
        paper="compression",
        table="history",
        method="method",
        unit="a student of ResNet-18 that a search drew, on a card: one pass of the validation images",
        record="gpu",
        shown={"seconds": "time (s)", "parameters": "parameters of the student"},
        where={"valid": True},
    ),
    Costs(
        paper="compression",
        table="final",
        method="method",
        unit="a whole search on ResNet-18 on a card",
        record="gpu",
        shown={"trainings": "times that a student is trained"},
    ),
)


def method_costs() -> str:
    """Return a section a paper that has a notebook, with one table an entry of `COSTS`."""
    parts = []
    for paper in papers():
        entries = [entry for entry in COSTS if entry.paper == paper]
        parts += [f"### {published(paper)['title']}", ""]
        for entry in entries:
            folder = RESULTS / paper / entry.record if entry.record else make_job(paper).folder
            path = folder / "tables" / f"{entry.table}.csv"
            if entry.record and not path.is_file():
                continue
            told = f"table `{entry.table}`{recorded_on(folder) if entry.record else ''}"
            parts += [f"For {entry.unit} ({told}).", "", *cost_table(entry, pd.read_csv(path)), ""]
        if not entries:
            parts += ["Nothing is listed here yet: see the section *Costs* of its page.", ""]
        parts += [f"More: the section *Costs* of [its page](/notebooks/{paper}.ipynb).", ""]
    return "\n".join(parts)


def recorded_on(folder: Path) -> str:
    """Return where and when the recorded run in `folder` was made, for the line above its table."""
    result = read_result(folder)
    machine = result["machine"]
    where = machine["accelerator" if used_gpu(result) else "processor"]
    return f" of the run recorded on {result['started'][:10]} on {where}"


def cost_table(entry: Costs, table: pd.DataFrame) -> list[str]:
    """Return the lines of the table of one entry, methods in the order of the run's table.

    Raises ValueError if the run's table lacks a column or any row that the entry asks for.
    """
    missing = [name for name in (entry.method, *entry.shown, *entry.where) if name not in table]
    for name, wanted in entry.where.items() if not missing else ():
        table = table[table[name] == (table[name].max() if wanted == "largest" else wanted)]
    if missing or table.empty:
        lack = f"no column {', '.join(missing)}" if missing else f"no row with {entry.where}"
        raise ValueError(f"table {entry.table} of {entry.paper} has {lack}: mend COSTS in lib/book_costs.py")
    grouped = table.groupby(entry.method, sort=False)[list(entry.shown)]
    values = grouped.sum() if entry.total else grouped.median()
    lines = ["| method | " + " | ".join(entry.shown.values()) + " |", "|---" + "|---:" * len(entry.shown) + "|"]
    for method, row in values.iterrows():
        lines.append(f"| {escape(method)} | " + " | ".join(number(value) for value in row) + " |")
    return lines


def number(value: float) -> str:
    """Return `value` with three significant digits, or as a whole number with separators from a thousand on."""
    if value != value:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"
