from dataclasses import replace

import pandas as pd
import pytest

from lib.report import Claim, Verdict, claims_text, grade, judge
from lib.report.claims import CLOSE, NOT_REPRODUCED, NOT_RUN, REPRODUCED, Missing, at, need


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


def test_a_table_that_a_rule_only_uses_is_handed_over_where_it_is_at_hand():
    def holds(tables):
        return Verdict(REPRODUCED, ", ".join(sorted(tables)))

    one = replace(claim(holds=holds), uses=("more",))
    table = pd.DataFrame({"x": [1]})
    for given, seen in (({"t": table}, "t"), ({"t": table, "more": table, "other": table}, "more, t")):
        assert judge([one], given)["measured"][0] == seen
    assert judge([one], {"more": table})["status"][0] == NOT_RUN


@pytest.mark.parametrize(
    ("ask", "lacking"),
    [
        (lambda t: need(t["t"], x=1, y=("a", "c")), "y = c"),
        (lambda t: at(t["t"].set_index("x"), 4), "x 4"),
        (lambda t: at(t["t"]["y"], 4, "number of classes"), "number of classes 4"),
    ],
)
def test_rows_that_a_rule_lacks_are_not_run(ask, lacking):
    judged = judge([claim(holds=ask)], {"t": pd.DataFrame({"x": [1, 2], "y": ["a", "b"]})})
    assert judged["status"][0] == NOT_RUN
    assert f"the setting {lacking} that" in judged["detail"][0]


def test_selectors_return_what_is_there():
    table = pd.DataFrame({"x": [1, 2], "y": ["a", "b"]})
    need(table, x=(1, 2), y="b")
    assert at(table.set_index("y"), "b")["x"] == 2
    pairs = table.set_index(["x", "y"]).assign(value=[3, 4])["value"]
    assert at(pairs, (2, "b")) == 4
    with pytest.raises(Missing, match=r"\(2, 'a'\)"):
        at(pairs, (2, "a"))


@pytest.mark.parametrize("defect", [KeyError("acuracy"), IndexError("tenth round")])
def test_a_defect_of_a_rule_surfaces(defect):
    def holds(tables):
        raise defect

    with pytest.raises(type(defect)):
        judge([claim(holds=holds)], {"t": pd.DataFrame({"x": [1]})})


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


def test_a_verdict_that_rests_on_times_is_left_out_of_the_text_that_is_compared():
    timed = replace(claim("b"), timed=True)
    good, bad = ({"t": pd.DataFrame({"x": [1]})}, {})
    assert claims_text(judge([timed], good)) == claims_text(judge([timed], bad))
    assert claims_text(judge([claim("b")], good)) != claims_text(judge([claim("b")], bad))
