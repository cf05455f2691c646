import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.report import fitted_slope, median_interval, summarize
from lib.report.intervals import coverage

finite = st.floats(-1e6, 1e6)


@given(st.lists(finite, min_size=1, max_size=30))
def test_interval_brackets_the_median_and_stays_within_the_data(values):
    middle, low, high = median_interval(np.array(values))
    assert min(values) <= low <= middle <= high <= max(values)
    assert middle == pytest.approx(np.median(values))


def test_ends_are_order_statistics_with_binomial_coverage():
    # n = 12: ranks 3 and 10 cover with 1 - 2 * (1 + 12 + 66) / 4096 = 0.961, ranks 4 and 9 with 0.854 only.
    assert median_interval(np.arange(1.0, 13.0)) == (6.5, 3.0, 10.0)
    assert coverage(12, 3) == pytest.approx(0.96142578125)
    assert coverage(12, 4) == pytest.approx(0.85400390625)
    # Below five values the range is all there is.
    assert median_interval(np.array([3.0, 1.0, 2.0])) == (2.0, 1.0, 3.0)
    assert coverage(5, 1) == pytest.approx(1 - 2 / 32)


@pytest.mark.parametrize("n", [5, 6, 9, 20])
def test_the_interval_covers_the_median_at_least_as_often_as_it_says(n):
    draws = np.random.default_rng(0).exponential(size=(2000, n))
    ends = np.array([median_interval(row)[1:] for row in draws])
    covered = ((ends[:, 0] <= np.log(2)) & (np.log(2) <= ends[:, 1])).mean()
    assert covered >= 0.9 - 3 * np.sqrt(0.9 * 0.1 / 2000)


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
