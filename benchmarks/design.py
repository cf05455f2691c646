"""Subset design against a general semidefinite solver, and its memory on a pool of a million arms."""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.agreement import require
from benchmarks.lines import peer, target
from lib.bslb.design_fw import frank_wolfe_design
from lib.bslb.design_sdp import sdp_design
from lib.bslb.pools import clustered_arms, isotropic_arms
from lib.bslb.subset import good_subset

POOLS = {"clustered": clustered_arms, "isotropic": isotropic_arms}
LEAST_VALUE = 0.95
ROOT = Path(__file__).resolve().parents[1]


def measure(*, sizes=(20, 40, 80), d=20, arms=500, repeats=3, million=True) -> dict:
    """Return value and time ratios against CLARABEL through cvxpy, and the million-arm case's memory ratio.

    Times are the best of `repeats` after one warm-up, which checks the values; CPU ratios are the steadier ones on a
    shared machine. Raises AssertionError if a value is below `LEAST_VALUE` of the exact one.
    """
    rows = []
    for kind, pool in POOLS.items():
        points = pool(arms, d, np.random.default_rng(0))
        for u in sizes:
            (_, fast, upper), (_, exact, _) = frank_wolfe_design(points, u), sdp_design(points, u)
            value = require(f"value of the design, {kind}, u={u}", fast / exact, low=LEAST_VALUE)
            fast_wall, fast_cpu = _best_of(lambda p=points, u=u: frank_wolfe_design(p, u), repeats)
            exact_wall, exact_cpu = _best_of(lambda p=points, u=u: sdp_design(p, u), repeats)
            row = {"pool": kind, "u": u, "value_ratio": value, "certificate_ratio": upper / exact}
            times = {"time_ratio": exact_wall / fast_wall, "cpu_ratio": exact_cpu / fast_cpu, "seconds": fast_wall}
            rows.append(row | times)
    result = {
        "small": rows,
        "worst_value_ratio": min(row["value_ratio"] for row in rows),
        "worst_time_ratio": min(row["time_ratio"] for row in rows),
        "worst_cpu_ratio": min(row["cpu_ratio"] for row in rows),
    }
    return result | ({"million": measure_million()} if million else {})


def rows(found: dict) -> list[dict]:
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


def measure_million(*, arms=1_000_000, d=64, u=192, iterations=30) -> dict:
    """Run the million-arm case in a fresh process, where the peak resident size belongs to it alone."""
    command = [sys.executable, "-m", "benchmarks.design", "--million", *map(str, (arms, d, u, iterations))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _best_of(function, repeats):
    wall, cpu = [], []
    for _ in range(repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        function()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    return min(wall), min(cpu)


def _million(arms, d, u, iterations) -> dict:
    rng = np.random.default_rng(0)
    # Eigenvalue routines allocate their workspaces on first use; they belong to the baseline, as do the imports.
    good_subset(rng.standard_normal((4 * d, d)).astype(np.float32), 2 * d, iterations=2, rng=rng)
    baseline = _peak_bytes()
    pool = np.empty((arms, d), dtype=np.float32)
    for start in range(0, arms, 10_000):
        rows = rng.standard_normal((min(10_000, arms - start), d), dtype=np.float32)
        # Nine of ten arms lie near a quarter of the dimensions.
        rows[rng.random(len(rows)) < 0.9, d // 4 :] *= 0.05
        pool[start : start + len(rows)] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    start = time.perf_counter()
    design = good_subset(pool, u, iterations=iterations, rng=rng)
    seconds = time.perf_counter() - start
    chosen = {"lambda_star": design.lam_star, "certificate": design.upper, "lambda_subset": design.lam_subset}
    memory = {"arms_mib": pool.nbytes / 2**20, "peak_over_arms": (_peak_bytes() - baseline) / pool.nbytes}
    return {"arms": arms, "d": d, "u": u, "seconds": seconds} | memory | chosen


def _peak_bytes() -> int:
    """Return this process's peak resident size in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss: on Linux a child starts with its parent's peak, which would inflate the baseline.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


if __name__ == "__main__":
    if sys.argv[1:2] == ["--million"]:
        print(json.dumps(_million(*map(int, sys.argv[2:]))))
    else:
        print(json.dumps(measure(), indent=2))
