"""Measure everything and record ``results/benchmarks.json``, the table of the costs page."""

import os
from datetime import UTC, datetime

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from benchmarks import book, design, profiling, regret  # noqa: E402  (threads are fixed before numpy is imported)
from lib.report.page import write_json  # noqa: E402
from lib.report.paths import RESULTS  # noqa: E402
from lib.report.provenance import machine, versions  # noqa: E402

PACKAGES = ("numpy", "scipy", "scikit-learn", "cvxpy", "clarabel", "torch")


def peer(what: str, ours: str, other: str, agreement: str, measured: str, aim: str, reached: bool) -> dict:
    """Return one line of the table of peers: a named peer on the same input, checked to agree before it was timed."""
    line = {"kind": "peers", "what": what, "ours": ours, "peer": other, "agreement": agreement, "measured": measured}
    return line | {"aim": aim, "reached": bool(reached)}


def target(what: str, ours: str, measured: str, aim: str, reached: bool) -> dict:
    """Return one line of the table of targets: a limit that we set for ourselves."""
    return {"kind": "targets", "what": what, "ours": ours, "measured": measured, "aim": aim, "reached": bool(reached)}


def design_rows(found: dict) -> list[dict]:
    """Rows on subset design."""
    value, speed, million = found["worst_value_ratio"], found["worst_cpu_ratio"], found["million"]
    return [
        peer(
            "Subset design: d=20, M=500, u=20, 40, 80, clustered and isotropic arms, worst case",
            "Frank-Wolfe",
            "semidefinite programme (cvxpy, CLARABEL)",
            f"{value:.3f} of its value (at least 0.95)",
            f"{speed:.0f} times faster",
            "30 times",
            speed >= 30,
        ),
        target(
            f"Subset design of a million arms, d={million['d']}, {million['seconds']:.0f} s",
            "Frank-Wolfe",
            f"peak memory {million['peak_over_arms']:.2f} times the arms",
            "at most 1.5 times",
            million["peak_over_arms"] <= 1.5,
        ),
    ]


def regret_rows(found: dict) -> list[dict]:
    """Rows on the regret experiments."""
    seconds, speed = found["figure_seconds"], found["time_ratio"]
    return [
        peer(
            "LinUCB with blocking, 12 seeds",
            "one product a round for all seeds (single precision)",
            "rank-one updates seed by seed (double precision)",
            f"{found['same_pulls']:.1%} same pulls, regret {found['regret_ratio']:.3f} of its regret",
            f"{speed:.0f} times faster",
            "3 times",
            speed >= 3,
        ),
        target(
            "Regret figure, 5 horizons, 12 seeds, 12 policies, one sparsity",
            "regret_by_horizon",
            f"{seconds:.0f} s of processor time",
            "at most 30 s",
            seconds <= 30,
        ),
    ]


def profiling_rows(found: dict) -> list[dict]:
    """Rows on measuring memory and operations."""
    exact, slow, log = (
        found[f"{name}_ratio"] for name in ("worst_bytes", "largest_model_time", "largest_model_profiler")
    )
    flops = max((row["flops_ratio"] for row in found["rows"]), key=lambda ratio: abs(ratio - 1))
    setting = "forward, backprop and forward mode"
    return [
        peer(
            f"Peak memory, cost of measuring, {setting}, largest width, worst case",
            "tracked storages",
            "torch's profiler, log of every block",
            f"{exact:.3f} of its bytes, three widths, worst case (0.99 to 1.01)",
            f"{slow:.2f} times the bare step, the profiler {log:.2f} times",
            "at most 2 times the bare step",
            slow <= 2,
        ),
        target(
            f"Operations counted over the closed form, {setting}, three widths, worst case",
            "count_flops",
            f"{flops:.3f}",
            "1.000",
            abs(flops - 1) < 5e-4,
        ),
    ]


def book_rows(found: dict) -> list[dict]:
    """Rows on building the book."""
    rows = [
        target(f"Notebook {paper} at quick", "whole run", f"{seconds:.0f} s", "at most 120 s", seconds <= 120)
        for paper, seconds in found["notebooks"].items()
    ]
    again = f"{found['again_seconds']:.1f} s, {found['ratio']:.1%} of {found['full_seconds']:.0f} s"
    aim = "at most 5 % of the first"
    return [*rows, target("Second build, nothing changed", "scarce book", again, aim, found["ratio"] <= 0.05)]


def main() -> None:
    """Measure, print and record."""
    rows = design_rows(design.measure()) + regret_rows(regret.measure()) + profiling_rows(profiling.measure())
    rows += book_rows(book.measure())
    content = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(PACKAGES),
        "rows": rows,
    }
    write_json(RESULTS / "benchmarks.json", content)
    for line in rows:
        print(f"{'ok ' if line['reached'] else 'NOT'} {line['what']}: {line['measured']} (aim {line['aim']})")


if __name__ == "__main__":
    main()
