"""Measure everything and record ``results/benchmarks.json``, the table of the costs page."""

import os
from datetime import UTC, datetime

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from benchmarks import book, design, federated, federated_flower, forward_mode, profiling, regret  # noqa: E402  (threads are fixed before numpy is imported)
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


def federated_rows(found: dict) -> list[dict]:
    """Rows on the in-process federated engine against a plain loop, its growth and its memory."""
    growth, many, same = found["growth"], found["many"], f"weights within {found['worst_difference']:.0e}"
    rows = [
        peer(
            f"{row['network']}: a round of 25 clients, 10 steps each",
            "clients stacked",
            "one network and one loop a client (torch.optim.SGD)",
            same,
            f"{row['time_ratio']:.1f} times faster",
            "8 times" if row["network"].startswith("MLP") else "not slower",
            row["time_ratio"] >= (8 if row["network"].startswith("MLP") else 1),
        )
        for row in found["networks"]
    ]
    return [
        *rows,
        target(
            "Time of a round against cohort size, log-log slope", "run", f"{growth:.2f}", "at most 1.1", growth <= 1.1
        ),
        target(
            f"{many['clients']:,} clients in one round, the MLP",
            "run",
            f"{many['peak_mib']:.0f} MiB, {many['peak_over_needed']:.1f} times their data and updates",
            "at most 4 GiB",
            many["peak_mib"] <= 4096,
        ),
    ]


def flower_rows(found: dict) -> list[dict]:
    """Rows on the in-process engine against Flower's simulation with the same algorithm object, start excluded."""
    names = {"training": "training only", "training_and_evaluation": "with evaluation of all clients"}
    return [
        peer(
            f"FedAvg, 100 clients, 10 a round, {said}",
            "in-process engine",
            "Flower's simulation on Ray",
            f"weights within {found[key]['largest_difference']:.0e}",
            f"{found[key]['ratio']:.0f} times faster a round",
            "100 times",
            found[key]["ratio"] >= 100,
        )
        for key, said in names.items()
    ]


def forward_mode_rows(found: dict) -> list[dict]:
    """Rows on forward mode with frozen weights."""
    net, same = f"BERT of {found['layers']} layers with LoRA", f"derivatives within {found['difference']:.0e}"
    jvp, stock, step = found["jvp_forwards"], found["stock_forwards"], found["step_ratio"]
    k, together = found["k"], found["at_once_ratio"]
    growth, saving = found["memory_growth"], found["memory_ratio"]
    return [
        peer(
            f"{net}: a directional derivative, in forward passes",
            "layers that skip absent tangents",
            "PyTorch's own layers",
            same,
            f"{jvp:.1f}, PyTorch's {stock:.1f}",
            "at most 2.6",
            jvp <= 2.6,
        ),
        peer(
            f"{net}: a step of forward-gradient finetuning, K=1, AdamW",
            "forward mode",
            "backpropagation with PyTorch's own layers",
            same,
            f"{step:.2f} times its time",
            "at most 1.5 times",
            step <= 1.5,
        ),
        peer(
            f"{net}: {k} directional derivatives",
            "at once (vmap)",
            "one by one",
            "the same function",
            f"{together:.2f} times the time",
            "not slower",
            together <= 1,
        ),
        target(
            "Transient memory of forward mode, 24 over 2 layers, and of backpropagation over it at 24",
            "forward mode",
            f"{growth:.2f} times, {saving:.1f} times",
            "at most 1.10 and at least 7 times",
            growth <= 1.1 and saving >= 7,
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
    rows += federated_rows(federated.measure()) + flower_rows(federated_flower.measure())
    rows += forward_mode_rows(forward_mode.measure())
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
