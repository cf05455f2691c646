"""latency and fixed_threads: order, counts, threads restored."""

import subprocess
import sys
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from lib.profiling import edge_latency, fixed_threads, latency


def blas_threads():
    np.ones((2, 2)) @ np.ones((2, 2))
    return [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()]


def test_sleep_is_timed():
    timing = latency(lambda: time.sleep(0.005), warmup=0, repeats=5)
    assert 0.005 <= timing.min_s <= timing.median_s <= timing.p90_s
    assert timing.min_s < 0.05
    assert timing.row() == {
        "median_s": timing.median_s,
        "p90_s": timing.p90_s,
        "min_s": timing.min_s,
        "repeats": 5,
        "threads": 1,
    }


def test_longer_work_takes_longer():
    short, long = (latency(lambda s=s: time.sleep(s), repeats=3) for s in (0.001, 0.01))
    assert short.min_s < long.min_s


def test_slow_calls_show_in_the_p90_only():
    waits = iter([0.02, 0, 0, 0, 0, 0, 0, 0, 0.02, 0.02])
    timing = latency(lambda: time.sleep(next(waits)), warmup=0, repeats=10)
    assert timing.median_s < 0.01 <= timing.p90_s


def test_warmup_is_called_but_not_counted():
    calls = []
    latency(lambda: calls.append(1), warmup=4, repeats=6)
    assert len(calls) == 10
    first = iter([0.05, 0, 0])
    assert latency(lambda: time.sleep(next(first)), warmup=1, repeats=2).p90_s < 0.05


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_fixed_inside_and_restored(threads):
    torch = pytest.importorskip("torch")
    before, blas = torch.get_num_threads(), blas_threads()
    seen = []
    timing = latency(lambda: seen.append(torch.get_num_threads()), threads=threads, repeats=2)
    assert set(seen) == {threads} and timing.threads == threads
    assert torch.get_num_threads() == before and blas_threads() == blas
    with pytest.raises(KeyError), fixed_threads(threads):
        raise KeyError
    assert torch.get_num_threads() == before and blas_threads() == blas


@pytest.mark.parametrize("options", [{"warmup": -1}, {"repeats": 0}, {"threads": 0}])
def test_bad_options_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        latency(lambda: None, **options)


def test_edge_latency_names_the_extra_when_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # importing it now fails, installed or not
    with pytest.raises(ImportError, match=r"scarce\[edge\]"):
        edge_latency(None, None)


def test_edge_latency_runs_the_same_function():
    pytest.importorskip("onnxruntime", reason="the optional extra edge is not installed")
    pytest.importorskip("onnxscript", reason="the optional extra edge is not installed")
    code = """
import torch
from lib.profiling import edge_latency
net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 10))
net.train()
edge = edge_latency(net, torch.randn(2, 1, 8, 8), repeats=5)
assert net.training
assert edge.max_abs_difference < 1e-5, edge
assert 0 < edge.min_s <= edge.median_s <= edge.p90_s
parameters = sum(p.numel() for p in net.parameters())
assert 4 * parameters < edge.file_bytes < 4 * parameters + 20000, edge
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
