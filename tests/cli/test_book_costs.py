import re

import pandas as pd
import pytest

from lib.book_costs import COSTS, Costs, cost_table, number, recorded_on
from lib.report.paths import RESULTS


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "rule": ["b", "b", "a", "a", "a"],
            "clients": [10, 50, 10, 50, 50],
            "ms": [9.0, 1.5, 9.0, 2.0, 4.0],
            "bytes": [1, 2000, 1, 3, 4],
        }
    )


def test_methods_keep_their_order_and_show_the_median_of_the_rows_picked(table):
    entry = Costs("toy", "t", "rule", "a round", {"ms": "time (ms)", "bytes": "size"}, {"clients": "largest"})
    assert cost_table(entry, table) == [
        "| method | time (ms) | size |",
        "|---|---:|---:|",
        "| b | 1.5 | 2,000 |",
        "| a | 3 | 3.5 |",
    ]


def test_parts_of_a_method_may_be_added_up(table):
    entry = Costs("toy", "t", "rule", "a step", {"bytes": "size"}, {"clients": 50}, total=True)
    assert cost_table(entry, table)[2:] == ["| b | 2,000 |", "| a | 7 |"]


def test_a_table_that_changed_is_refused_with_the_place_to_mend(table):
    with pytest.raises(ValueError, match=r"no column watts: mend COSTS"):
        cost_table(Costs("toy", "t", "rule", "", {"watts": "power"}), table)
    with pytest.raises(ValueError, match=r"no row with \{'clients': 7\}"):
        cost_table(Costs("toy", "t", "rule", "", {"ms": "time"}, {"clients": 7}), table)


@pytest.mark.parametrize("entry", [one for one in COSTS if one.record], ids=lambda one: f"{one.paper}-{one.table}")
def test_costs_of_recorded_runs_are_there(entry):
    folder = RESULTS / entry.paper / entry.record
    lines = cost_table(entry, pd.read_csv(folder / "tables" / f"{entry.table}.csv"))
    assert len(lines) > 3 and "nan" not in "".join(lines)
    assert re.fullmatch(r" of the run recorded on \d{4}-\d\d-\d\d on \S.*", recorded_on(folder))


def test_parts_of_memory_are_added_up_once():
    """The sum over categories is one step's: no two rows of a method and category."""
    for entry in COSTS:
        if entry.record and entry.total:
            table = pd.read_csv(RESULTS / entry.paper / entry.record / "tables" / f"{entry.table}.csv")
            for name, value in entry.where.items():
                table = table[table[name] == value]
            assert not table.duplicated([entry.method, "category"]).any()


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0"), (1234567.0, "1,234,567"), (12.345, "12.3"), (3.0, "3"), (float("nan"), "")]
)
def test_numbers_have_three_digits_or_none_behind_the_point(value, shown):
    assert number(value) == shown


def test_every_heading_of_a_measure_names_its_unit_or_counts():
    counted = ("numbers", "parameters", "passes", "times")
    for entry in COSTS:
        for heading in entry.shown.values():
            assert "(" in heading or any(word in heading for word in counted), heading
