"""The ends of a grid of settings."""

import pandas as pd
import pytest

from lib.report.grids import ends_of


@pytest.mark.parametrize("kind", [list, tuple, pd.Series, iter])
def test_the_least_and_the_most_are_named(kind):
    assert ends_of(kind([float("nan"), 0.1, 1.0, 0.01, 1.0])) == {0.01: "lowest", 1.0: "highest"}


@pytest.mark.parametrize("values", [[], [0.1], [0.1, 0.1], [float("nan"), 0.1]])
def test_a_grid_of_one_value_has_no_ends(values):
    assert ends_of(values) == {}
