import time

import pytest

from lib.profiling import processor_seconds


def test_the_least_time_of_the_calls_and_the_last_result(monkeypatch):
    clock, calls = iter([0.0, 3.0, 10.0, 11.5, 20.0, 22.0]), iter("abc")
    monkeypatch.setattr(time, "process_time", lambda: next(clock))
    assert processor_seconds(lambda: next(calls), repeats=3) == (1.5, "c")


def test_sleep_takes_no_processor_time():
    assert processor_seconds(lambda: time.sleep(0.05))[0] < 0.04


def test_no_call_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        processor_seconds(int, repeats=0)
