"""Aggregation rules against Flower's and byzfl's: time in one run, peak memory, rounding where clients are alike."""

import functools
import importlib
import json
import subprocess
import sys
import time
import types
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from benchmarks.agreement import require
from benchmarks.design import _peak_bytes
from benchmarks.lines import peer, target
from lib.poisoning import aggregation as ours
from lib.poisoning.aggregation.distances import squared_distances
from lib.poisoning.experiments.costs import search_cost

ROOT = Path(__file__).resolve().parents[1]
RULES = ("krum", "multi_krum", "bulyan", "median", "trimmed_mean")
NAMES = dict(zip(RULES, ("Krum", "Multi-Krum", "Bulyan", "Coordinate-wise median", "Trimmed mean"), strict=True))
# Whose memory is measured: mixing returns a second matrix, all others one vector.
MEASURED = (*RULES, "norm_bound", "geometric_median", "centred_clipping", "divide_and_conquer", "adaptive_averaging")
MEASURED += ("foolsgold", "mixed")
OPTIONS = {"divide_and_conquer": lambda: {"rng": np.random.default_rng(0)}}
AIMS = {("krum", "Flower"): 5, ("multi_krum", "Flower"): 5, ("krum", "byzfl"): 2, ("multi_krum", "byzfl"): 2}


def measure(*, n: int = 100, d: int = 1_000_000, f: int = 20, repeats: int = 3, memory: bool = True) -> dict:
    """Return, per rule and peer, how many times longer the peer takes (processor time, best of `repeats`).

    Results are compared on the same input before anything is timed; raises AssertionError where they differ.
    """
    torch.set_num_threads(1)
    values = np.random.default_rng(0).standard_normal((n, d), dtype=np.float32)
    updates, found = torch.from_numpy(values), []
    pairs = {"Flower": _flower(values, f), "byzfl": _byzfl(updates, f)}
    for rule in RULES:
        for other, functions in pairs.items():
            if rule not in functions:
                continue
            mine, theirs = functions[rule]
            gap = float(np.abs(np.asarray(mine(updates)) - np.asarray(theirs())).max())
            require(f"{rule} and {other}'s", gap, high=1e-4)
            seconds, longer = _best(lambda run=mine: run(updates), repeats), _best(theirs, repeats)
            row = {"rule": rule, "peer": other, "difference": gap, "seconds": seconds, "peer_seconds": longer}
            found.append(row | {"ratio": longer / seconds})
    times = search_cost().set_index("way")["milliseconds"]
    search = float(times["the rule at each probe"] / times["inner products"])
    result = {"n": n, "d": d, "rows": found, "alike": alike(), "search_ratio": search}
    return result | ({"peak_over_updates": {rule: _peak(rule, n, d, f) for rule in MEASURED}} if memory else {})


def rows(found: dict) -> list[dict]:
    """Rows on aggregation rules and on the search for an attack's strength."""
    lines = [
        peer(
            f"{NAMES[row['rule']]}, {found['n']} updates of {found['d']:,} numbers",
            "lib.poisoning.aggregation",
            row["peer"],
            f"within {row['difference']:.0e}",
            f"{row['ratio']:.1f} times faster",
            f"{AIMS.get((row['rule'], row['peer']), 1)} times",
            row["ratio"] >= AIMS.get((row["rule"], row["peer"]), 1),
        )
        for row in found["rows"]
    ]
    off, search, peaks = found["alike"], found["search_ratio"], dict(found["peak_over_updates"])
    mixing = peaks.pop("mixed")
    worst = max(peaks, key=peaks.get)
    exact = "Relative error of squared distances, updates with a common part 10,000 times their spread, worst pair"
    return [
        *lines,
        target(
            exact,
            "mean-centred Gram matrix",
            f"{off['ours']:.0e} (Flower {off['flower']:.0f})",
            "1e-5",
            off["ours"] <= 1e-5,
        ),
        target(
            "Search against Multi-Krum over re-running it",
            "inner products",
            f"{search:.0f} times faster",
            "10 times",
            search >= 10,
        ),
        target(
            f"Memory of a rule, updates included, worst of {len(peaks)} ({worst.replace('_', ' ')})",
            "blocks of coordinates",
            f"{peaks[worst]:.2f} times the updates",
            "at most 2 times",
            peaks[worst] <= 2,
        ),
        target(
            "Memory of nearest-neighbour mixing, updates and the mixed updates included",
            "blocks of coordinates",
            f"{mixing:.2f} times the updates",
            "at most 2.1 times",
            mixing <= 2.1,
        ),
    ]


def alike(*, n: int = 20, d: int = 100_000, common: float = 10.0, spread: float = 1e-3) -> dict:
    """Return the worst Relative error of squared distances, ours and Flower's, where clients have much in common."""
    from flwr.app import Array, ArrayRecord
    from flwr.serverapp.strategy.multikrum import compute_distances

    rng = np.random.default_rng(0)
    rows = (common * rng.standard_normal(d) + spread * rng.standard_normal((n, d))).astype(np.float32)
    exact = np.array([np.square(rows.astype(float) - row.astype(float)).sum(axis=1) for row in rows])
    off = ~np.eye(n, dtype=bool)
    theirs = compute_distances([ArrayRecord({"w": Array(row)}) for row in rows])
    errors = {
        name: float(np.abs(value / np.where(off, exact, 1) - 1)[off].max())
        for name, value in (("ours", squared_distances(torch.from_numpy(rows)).numpy()), ("flower", theirs))
    }
    return errors | {"flower_negative": int((theirs[off] < 0).sum()), "pairs": int(off.sum())}


def _flower(values: np.ndarray, f: int) -> dict[str, tuple[Callable, Callable]]:
    from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict
    from flwr.serverapp.strategy.bulyan import aggregate_n_closest_weights
    from flwr.serverapp.strategy.fedtrimmedavg import trim_mean
    from flwr.serverapp.strategy.multikrum import select_multikrum
    from flwr.serverapp.strategy.strategy_utils import aggregate_arrayrecords

    n = len(values)
    replies = [
        RecordDict({"arrays": ArrayRecord({"w": Array(row)}), "metrics": MetricRecord({"num-examples": 1})})
        for row in values
    ]

    def arrays() -> np.ndarray:
        return np.stack([reply["arrays"]["w"].numpy() for reply in replies])

    def krum(keep: int) -> np.ndarray:
        return aggregate_arrayrecords(select_multikrum(replies, f, keep), "num-examples")["w"].numpy()

    def bulyan() -> np.ndarray:
        chosen = [reply["arrays"]["w"].numpy() for reply in select_multikrum(replies, f, n - 2 * f)]
        return aggregate_n_closest_weights([np.median(chosen, axis=0)], [[row] for row in chosen], n - 4 * f)[0]

    one_pass = functools.partial(ours.bulyan, f=f, selection="one pass")
    return {
        "krum": (functools.partial(ours.krum, f=f), lambda: krum(1)),
        "multi_krum": (functools.partial(ours.multi_krum, f=f), lambda: krum(n - f)),
        "bulyan": (one_pass, bulyan),
        "median": (ours.median, lambda: np.median(arrays(), axis=0)),
        "trimmed_mean": (functools.partial(ours.trimmed_mean, f=f), lambda: trim_mean(arrays(), (f + 0.5) / n)),
    }


def _byzfl(rows: torch.Tensor, f: int) -> dict[str, tuple[Callable, Callable]]:
    """Return byzfl's rules, without its package's own import, which needs torchvision; none if it is not installed."""
    spec = find_spec("byzfl")
    if spec is None:
        return {}
    package = sys.modules["byzfl"] = types.ModuleType("byzfl")
    package.__path__ = list(spec.submodule_search_locations)
    theirs, n = importlib.import_module("byzfl.aggregators.aggregators"), len(rows)
    near = functools.partial(ours.krum, f=f, neighbours=n - f - 1)
    many = functools.partial(ours.multi_krum, f=f, variant="byzfl")
    return {
        "krum": (near, lambda: theirs.Krum(f)(rows)),
        "multi_krum": (many, lambda: theirs.MultiKrum(f)(rows)),
        # its median of a tensor is a quantile, which torch refuses for this many values
        "median": (ours.median, lambda: theirs.Median()(rows.numpy())),
        "trimmed_mean": (functools.partial(ours.trimmed_mean, f=f), lambda: theirs.TrMean(f)(rows)),
    }


def _best(function: Callable, repeats: int) -> float:
    found = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        found.append(time.process_time() - start)
    return min(found)


def _peak(rule: str, n: int, d: int, f: int) -> float:
    """Return the peak memory of one call over the size of the updates, in a process of its own, updates included."""
    command = [sys.executable, "-m", "benchmarks.poisoning", "--peak", rule, *map(str, (n, d, f))]
    return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def _peak_of(rule: str, n: int, d: int, f: int) -> float:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    run = functools.partial(getattr(ours, rule), f=f)
    options = OPTIONS.get(rule, dict)
    run(torch.randn(4 * f + 3, 4096, generator=generator), **options())  # workspaces belong to the baseline
    baseline = _peak_bytes()
    rows = torch.randn(n, d, generator=generator)
    run(rows, **options())
    return (_peak_bytes() - baseline) / (rows.nbytes)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        print(json.dumps(_peak_of(sys.argv[2], *map(int, sys.argv[3:]))))
    else:
        print(json.dumps(measure(), indent=2))
