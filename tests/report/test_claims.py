import pandas as pd
import pytest

from lib.report import Claim, Verdict, claims_text, grade, judge
from lib.report.claims import CLOSE, NOT_REPRODUCED, NOT_RUN, REPRODUCED


def claim(id="c", needs=("t",), holds=lambda tables: Verdict(REPRODUCED, "1")):
    return Claim(id, "statement", "abstract", "direction only", "rule", needs, holds)


def test_verdict_is_computed_from_the_table():
    def holds(tables):
        mean = tables["t"]["x"].mean()
        return grade(mean, reproduced=mean > 2, close=mean > 1, measured=f"{mean:.1f}")

    for values, status in [([3, 3], REPRODUCED), ([1, 2], CLOSE), ([0, 0], NOT_REPRODUCED)]:
        assert judge([claim(holds=holds)], {"t": pd.DataFrame({"x": values})})["status"][0] == status


def test_nan_is_never_reproduced():
    assert grade(float("nan"), reproduced=True, close=True, measured="nan").status == NOT_REPRODUCED


@pytest.mark.parametrize("tables", [{}, {"t": pd.DataFrame({"x": []})}])
def test_missing_or_empty_table_is_not_run(tables):
    def holds(tables):
        raise AssertionError("must not be asked")

    judged = judge([claim(holds=holds)], tables)
    assert judged["status"][0] == NOT_RUN
    assert "t" in judged["detail"][0]


@pytest.mark.parametrize("lacking", [KeyError("k = 4"), IndexError("second round")])
def test_rows_that_a_rule_lacks_are_not_run(lacking):
    def holds(tables):
        raise lacking

    judged = judge([claim(holds=holds)], {"t": pd.DataFrame({"x": [1]})})
    assert judged["status"][0] == NOT_RUN
    assert str(lacking) in judged["detail"][0]


def test_scale_names_the_recorded_run():
    table = pd.DataFrame({"x": [1]})
    table.attrs["recorded"] = "real, 2026-01-02"
    assert judge([claim()], {"t": table})["scale"][0] == "real, 2026-01-02"
    assert judge([claim()], {"t": pd.DataFrame({"x": [1]})})["scale"][0] == ""


def test_unknown_status_and_double_id_are_refused():
    with pytest.raises(ValueError, match="unknown verdict"):
        Verdict("fine", "1")
    with pytest.raises(ValueError, match="share an id"):
        judge([claim(), claim()], {"t": pd.DataFrame({"x": [1]})})


def test_claims_text_has_one_line_a_claim():
    judged = judge([claim("a"), claim("b")], {"t": pd.DataFrame({"x": [1]})})
    assert [line.split()[0] for line in claims_text(judged).splitlines()] == ["a", "b"]
