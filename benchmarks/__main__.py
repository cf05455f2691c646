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


def row(what: str, ours: str, peer: str, measured: str, aim: str, reached: bool) -> dict:
    """Return one line of the table."""
    return {"what": what, "ours": ours, "peer": peer, "measured": measured, "aim": aim, "reached": bool(reached)}


def design_rows(found: dict) -> list[dict]:
    """Rows on subset design."""
    value, speed, million = found["worst_value_ratio"], found["worst_cpu_ratio"], found["million"]
    solver = "semidefinite programme (cvxpy, CLARABEL)"
    setting = "d=20, M=500, u=20, 40, 80, clustered and isotropic arms, worst case"
    return [
        row(
            f"Subset design, value: {setting}",
            "Frank-Wolfe",
            solver,
            f"{value:.3f} of its value",
            "0.95",
            value >= 0.95,
        ),
        row(f"Subset design, time: {setting}", "Frank-Wolfe", solver, f"{speed:.0f} times faster", "30", speed >= 30),
        row(
            f"Subset design of a million arms, d={million['d']}",
            "Frank-Wolfe",
            "size of the arms array",
            f"peak {million['peak_over_arms']:.2f} times the arms, {million['seconds']:.0f} s",
            "1.5 times",
            million["peak_over_arms"] <= 1.5,
        ),
    ]


def regret_rows(found: dict) -> list[dict]:
    """Rows on the regret experiments."""
    seconds, speed = found["figure_seconds"], found["time_ratio"]
    return [
        row(
            "Regret figure, 5 horizons, 12 seeds, 12 policies, one sparsity",
            "regret_by_horizon",
            "half a minute",
            f"{seconds:.0f} s",
            "30 s",
            seconds <= 30,
        ),
        row(
            "LinUCB with blocking, 12 seeds, same pulls",
            "one product a round for all seeds (single precision)",
            "rank-one updates seed by seed (double precision)",
            f"{speed:.0f} times faster",
            "3 times",
            speed >= 3,
        ),
    ]


def profiling_rows(found: dict) -> list[dict]:
    """Rows on measuring memory and operations."""
    exact, slow = found["worst_bytes_ratio"], found["largest_model_time_ratio"]
    flops = max((row["flops_ratio"] for row in found["rows"]), key=lambda ratio: abs(ratio - 1))
    setting = "forward, backprop and forward mode at three widths, worst case"
    return [
        row(
            f"Peak memory, bytes: {setting}",
            "tracked storages",
            "torch's allocator log",
            f"{exact:.3f}",
            "0.99 to 1.01",
            abs(exact - 1) <= 0.01,
        ),
        row(f"Operations: {setting}", "counted", "closed form", f"{flops:.3f}", "1.000", abs(flops - 1) < 5e-4),
        row(
            "Peak memory, time of the measured step at the largest width",
            "tracked storages",
            "bare step",
            f"{slow:.2f} times",
            "2 times",
            slow <= 2,
        ),
    ]


def book_rows(found: dict) -> list[dict]:
    """Rows on building the book."""
    rows = [
        row(f"Notebook {paper} at quick", "whole run", "two minutes", f"{seconds:.0f} s", "120 s", seconds <= 120)
        for paper, seconds in found["notebooks"].items()
    ]
    again = f"{found['again_seconds']:.1f} s, {found['ratio']:.1%} of {found['full_seconds']:.0f} s"
    rows.append(
        row("Second build, nothing changed", "scarce book", "first build", again, "5 %", found["ratio"] <= 0.05)
    )
    return rows


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
