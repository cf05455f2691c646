"""process_peak: resident memory of a fresh process against sizes known in advance."""

import sys

import numpy as np
import pytest

from lib.profiling import peak_memory, process_peak

MIB = 2**20
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the system does not report peak resident memory")


def allocate(mib):
    block = bytearray(mib * MIB)
    for i in range(0, len(block), 4096):
        block[i] = 1


def allocate_arrays(mib):
    first = np.ones(mib * MIB // 8)
    return (first + first).sum()


def fail():
    raise KeyError("told so")


@pytest.mark.parametrize("mib", [32, 96])
def test_function_that_touches_known_memory(mib):
    peak = process_peak(allocate, mib)
    assert peak.extra_bytes == pytest.approx(mib * MIB, abs=6 * MIB)
    assert peak.peak_bytes - peak.baseline_bytes == peak.extra_bytes == peak.row()["extra_bytes"]
    assert peak.seconds > 0


def test_agrees_with_tracemalloc():
    with peak_memory(kind="numpy") as m:
        allocate_arrays(40)
    assert process_peak(allocate_arrays, 40).extra_bytes == pytest.approx(m.extra_bytes, abs=6 * MIB)


def test_command_does_not_inherit_this_process():
    ballast = np.ones(300 * MIB // 8)  # makes this process larger than the child may be
    peak = process_peak([sys.executable, "-c", "x = bytearray(50_000_000); x[::4096] = x[::4096]"])
    assert ballast.nbytes == 300 * MIB
    assert 50e6 < peak.peak_bytes < 150 * MIB
    assert peak.baseline_bytes is None and peak.extra_bytes is None


def test_failures_are_one_line():
    with pytest.raises(RuntimeError, match="told so"):
        process_peak(fail)
    with pytest.raises(RuntimeError, match="exit status 3"):
        process_peak([sys.executable, "-c", "raise SystemExit(3)"])


def test_what_cannot_travel_is_refused():
    with pytest.raises(ValueError, match="fresh process"):
        process_peak(lambda: None)
    with pytest.raises(ValueError, match="list of strings"):
        process_peak("python script.py")
