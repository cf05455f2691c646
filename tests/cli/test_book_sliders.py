import json

import pandas as pd
import pytest

from lib import book_sliders
from lib.book_sliders import SLIDERS, Slider
from lib.report.intervals import coverage
from lib.seeds import ENOUGH, over_seeds

KNOBS = Slider(
    paper="toy", table="t", title="T", text="Look.", figure="f", slides="share", slides_label="share of attackers",
    x="round", x_label="round", y="accuracy", y_label="accuracy", by="method", theory="exact", where={"beta": 1},
)  # fmt: skip


@pytest.fixture
def table():
    """Two methods, three seeds, two rounds, two shares; another beta that must not be shown."""
    rows = [
        {"beta": beta, "method": method, "share": share, "round": round_, "seed": seed, "exact": share + round_,
         "accuracy": 100 * beta + share + round_ + seed * (1 if method == "a" else 10)}
        for beta in (1, 2) for method in ("b", "a") for share in (0.4, 0.0) for round_ in (2, 1) for seed in (0, 1, 2)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_frame_has_median_range_and_theory_by_growing_x(table):
    data = book_sliders.frames(KNOBS, table)
    assert data["slider"]["stops"] == [0.0, 0.4]
    assert data["x"]["values"] == [1, 2]
    assert [one["name"] for one in data["series"]] == ["b", "a"]
    assert data["series"][1]["frames"] == [
        [[1, 102.0, 101.0, 103.0, 1.0], [2, 103.0, 102.0, 104.0, 2.0]],
        [[1, 102.4, 101.4, 103.4, 1.4], [2, 103.4, 102.4, 104.4, 2.4]],
    ]


def test_a_theory_that_is_not_known_is_null_and_the_axis_still_has_an_end(table):
    table.loc[table["round"] == 2, "exact"] = float("nan")
    data = book_sliders.frames(KNOBS, table)
    assert [point[4] for point in data["series"][1]["frames"][0]] == [1.0, None]
    assert data["y"]["high"] == 122.4
    json.dumps(data, allow_nan=False)


def test_the_range_of_the_axis_holds_every_point_of_every_stop(table):
    data = book_sliders.frames(KNOBS, table)
    values = [v for one in data["series"] for stop in one["frames"] for point in stop for v in point[1:]]
    assert data["y"]["low"] <= min(0, *values) and data["y"]["high"] == max(values)


@pytest.mark.parametrize(("log", "start"), [(False, 1), (True, 0)])
def test_a_slider_begins_where_its_curves_are_furthest_apart(log, start):
    """Apart by 1 and 3 in difference, by factors of 2 and 1.3 in ratio."""
    rows = [(0.1, "a", 1.0), (0.1, "b", 2.0), (0.5, "a", 10.0), (0.5, "b", 13.0)]
    table = pd.DataFrame(rows, columns=["share", "method", "accuracy"]).assign(seed=0, round=1)
    knobs = Slider(**{**vars(KNOBS), "theory": "", "where": {}, "log": log})
    assert book_sliders.frames(knobs, table)["slider"]["start"] == start
    alike = book_sliders.frames(knobs, table.assign(accuracy=0.0 if not log else 1.0))
    assert alike["slider"]["start"] == 0


def test_without_an_x_each_series_is_one_point(table):
    knobs = Slider(**{**vars(KNOBS), "x": "", "theory": "", "where": {"beta": 1, "round": 2}})
    data = book_sliders.frames(knobs, table)
    assert data["x"] is None
    assert data["series"][0]["frames"][0] == [[None, 112.0, 102.0, 122.0]]


def test_a_table_that_changed_is_refused_with_the_place_to_mend(table):
    with pytest.raises(ValueError, match=r"no column share: mend SLIDERS"):
        book_sliders.frames(KNOBS, table.drop(columns="share"))
    with pytest.raises(ValueError, match=r"no row with"):
        book_sliders.frames(KNOBS, table[table["beta"] == 2])


def test_a_section_holds_the_figure_and_a_table_that_cannot_end_its_script(table, tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "figures").mkdir()
    table.replace({"method": {"a": "</script>"}}).to_csv(tmp_path / "tables" / "t.csv", index=False)
    (tmp_path / "figures" / "f.json").write_text(json.dumps({"alt": "A line.", "caption": "It falls."}))
    text = book_sliders.section(KNOBS, tmp_path)
    assert ":alt: A line." in text and "It falls." in text and "/notebooks/toy_files/figures/f.png" in text
    assert "page](/notebooks/toy.ipynb); medians over 3 seeds with their range. The" in text
    embedded = text.split('<script type="application/json">')[1].split("</script>")[0]
    assert [one["name"] for one in json.loads(embedded)["series"]] == ["b", "</script>"]


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ((1, 1), "one seed"),
        ((4,), "medians over 4 seeds with their range"),
        ((5, 5), "medians over 5 seeds with 90 % intervals of the median"),
        ((3, 6), "medians over 3 to 6 seeds with 90 % intervals of the median (their range below 5)"),
    ],
)
def test_what_a_page_says_of_its_seeds_follows_from_their_number(counts, text):
    assert over_seeds(counts) == text
    assert coverage(ENOUGH, 1) >= 0.9 > coverage(ENOUGH - 1, 1)


def test_sliders_of_papers_without_a_notebook_are_left_out(monkeypatch):
    monkeypatch.setattr(book_sliders, "papers", lambda: [])
    assert book_sliders.sliders_text() == ""


def test_each_paper_has_one_slider():
    assert len({slider.paper for slider in SLIDERS}) == len(SLIDERS)
