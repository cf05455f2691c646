"""What every method costs in one place: time, memory, work and communication, from the tables of the quick runs."""

from dataclasses import dataclass, field

import pandas as pd

from lib.book_scoreboard import escape
from lib.jobs import make_job, papers
from lib.report.published import published


@dataclass(frozen=True)
class Costs:
    """Where a paper's costs stand: a table, the column of the method, and which columns to show under which heading.

    `unit` says what is counted (one round of a client, one fit). `where` picks rows; "largest" keeps the rows with the
    largest value of a column. Several rows of a method are shown by their median, or by their sum if `total`.
    """

    paper: str
    table: str
    method: str
    unit: str
    shown: dict[str, str]
    where: dict[str, object] = field(default_factory=dict)
    total: bool = False


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
        paper="fedper",
        table="round_costs",
        method="method",
        unit="a round of one client",
        shown={
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
        shown={"MFLOP": "work (MFLOP)", "extra KiB": "memory beyond weights and data (KiB)", "KiB sent": "sent (KiB)"},
    ),
    Costs(
        paper="poisoning",
        table="costs",
        method="rule",
        unit="one aggregation of the largest cohort and model in the table",
        shown={"milliseconds": "time (ms)"},
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
)


def method_costs() -> str:
    """Return a section a paper that has a notebook, with one table an entry of `COSTS`."""
    parts = []
    for paper in papers():
        entries = [entry for entry in COSTS if entry.paper == paper]
        parts += [f"### {published(paper)['title']}", ""]
        for entry in entries:
            table = pd.read_csv(make_job(paper).folder / "tables" / f"{entry.table}.csv")
            parts += [f"For {entry.unit} (table `{entry.table}`).", "", *cost_table(entry, table), ""]
        if not entries:
            parts += ["Nothing is listed here yet: see the section *Costs* of its page.", ""]
        parts += [f"More: the section *Costs* of [its page](/notebooks/{paper}.ipynb).", ""]
    return "\n".join(parts)


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
