import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lib.report import fitted_slope, median_interval, summarize

finite = st.floats(-1e6, 1e6)


@given(st.lists(finite, min_size=1, max_size=30))
def test_interval_brackets_the_median_and_stays_within_the_data(values):
    middle, low, high = median_interval(np.array(values), resamples=100)
    assert min(values) <= low <= middle <= high <= max(values)
    assert middle == pytest.approx(np.median(values))


def test_interval_agrees_with_scipy_bootstrap():
    values = np.random.default_rng(0).normal(size=200)
    _, low, high = median_interval(values, level=0.9)
    reference = stats.bootstrap((values,), np.median, confidence_level=0.9, method="percentile", rng=1)
    assert low == pytest.approx(reference.confidence_interval.low, abs=0.03)
    assert high == pytest.approx(reference.confidence_interval.high, abs=0.03)


def test_nan_is_left_out_and_nothing_gives_nan():
    assert median_interval(np.array([1.0, np.nan, 1.0])) == (1.0, 1.0, 1.0)
    assert np.isnan(median_interval(np.array([np.nan]))).all()


def test_summarize_keeps_groups_apart():
    table = pd.DataFrame({"m": ["a", "a", "b"], "x": [1.0, 3.0, 7.0]})
    assert summarize(table, ["m"], "x")[["m", "median", "n"]].to_numpy().tolist() == [["a", 2.0, 2], ["b", 7.0, 1]]


@pytest.mark.parametrize("exponent", [-0.5, 2 / 3, 1.0])
def test_slope_recovers_a_power_law(exponent):
    x = np.array([50, 100, 200, 400])
    assert fitted_slope(x, 3 * x**exponent) == pytest.approx(exponent)
