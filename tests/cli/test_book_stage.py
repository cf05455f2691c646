from types import SimpleNamespace

import pytest
from pandas.testing import assert_frame_equal

from lib import book, book_fragments, book_scoreboard
from lib.report.claims import STATUSES


def display(data, metadata=None):
    return {"output_type": "display_data", "data": data, "metadata": metadata or {}}


def figure_outputs():
    image = display(
        {"image/png": "AAAA"},
        {"image/png": {"width": 500}, "scarce": {"name": "line", "alt": "A line.", "width": "500px"}},
    )
    caption = display({"text/markdown": "**Figure.** It rises."}, {"scarce_caption": "It rises."})
    return [{"output_type": "stream", "name": "stderr", "text": "noise"}, image, caption]


def test_a_figure_gets_caption_label_and_alternative_text():
    cell = {"metadata": {}, "source": "show()"}
    book.fill_cell(cell, figure_outputs(), "toy")
    assert cell["metadata"]["mystnb"] == {
        "figure": {"caption": "It rises.", "name": "fig-toy-line"},
        "image": {"alt": "A line.", "width": "500px"},
    }
    assert cell["metadata"]["tags"] == ["hide-input"]
    (only,) = cell["outputs"]
    assert only["metadata"] == {}


def test_tags_of_the_source_are_respected():
    cell = {"metadata": {"tags": ["remove-input"]}, "source": ""}
    book.fill_cell(cell, [display({"text/plain": "1"})], "toy")
    assert cell["metadata"]["tags"] == ["remove-input"]


def test_further_figures_of_a_cell_get_cells_of_their_own():
    text, first, second = display({"text/plain": "1"}), figure_outputs(), figure_outputs()
    second[1]["metadata"]["scarce"]["name"] = "other"
    cell = {"cell_type": "code", "metadata": {}, "source": "show_all()"}
    cells = book.filled(cell, [text, *first, *second], "toy")
    names = [one["metadata"]["mystnb"]["figure"]["name"] for one in cells]
    assert len(set(names)) == 2 and names[1] == "fig-toy-other"
    assert cells[0]["source"] == "show_all()" and cells[0]["outputs"][0] == text
    assert cells[1]["metadata"]["tags"] == ["remove-input"] and cells[1]["source"]
    assert book.filled({"cell_type": "code", "metadata": {}, "source": ""}, [text], "toy")[0]["outputs"] == [text]


def test_a_figure_with_two_captions_is_refused():
    _, figure, caption = figure_outputs()
    with pytest.raises(ValueError, match="has 2 captions"):
        book.fill_cell({"metadata": {}, "source": ""}, [figure, caption, caption], "toy")


def test_scripts_for_live_cells_are_taken_out_of_every_page(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "sphinx-thebe.js").write_text("let a")
    page = tmp_path / "page.html"
    page.write_text(
        """<head>
    <link rel="stylesheet" type="text/css" href="../_static/a.css" />
    <link rel="stylesheet" type="text/css" href="../_static/sphinx-thebe.css?v=4" />
    <script>const THEBE_JS_URL = "x"; const thebe_selector = "y"</script>
    <script async="async" src="../_static/sphinx-thebe.js?v=c"></script>
    <script src="../_static/b.js"></script>
    <script>const THEBE_JS_URL = "x"; const thebe_selector = "y"</script></head>
<body><p>THEBE_JS_URL</p>
    <script type="text/x-thebe-config">
    { requestKernel: true }
    </script>
    <script>kernelName = 'python3'</script></body>"""
    )
    book.strip_thebe(tmp_path)
    assert page.read_text() == (
        """<head>
    <link rel="stylesheet" type="text/css" href="../_static/a.css" />
    <script src="../_static/b.js"></script></head>
<body><p>THEBE_JS_URL</p></body>"""
    )
    assert list((tmp_path / "_static").iterdir()) == []


def test_verdict_counts_take_the_largest_scale_at_which_a_claim_was_judged():
    import pandas as pd

    rows = pd.DataFrame(
        [("p", "a", "not run here", "quick", "abstract"), ("p", "a", "reproduced", "real", "abstract"),
         ("p", "b", "close", "quick", "secondary (note)"), ("p", "c", "reproduced", "quick", "abstract"),
         ("p", "c", "not reproduced", "real", "abstract"), ("p", "d", "reproduced", "quick", "companion"),
         ("p", "e", "not judged", "real", "abstract, first version")],
        columns=["paper", "id", "status", "scale", "source"],
    ).assign(date="2030-01-02")  # fmt: skip
    bars = book_scoreboard.verdict_bars(rows)
    none = dict.fromkeys(STATUSES, 0)
    assert bars == {
        "p: the paper says": none | {"reproduced": 1, "not reproduced": 1, "not judged": 1},
        "p: others report": none | {"close": 1},
        "p: the companion adds": none | {"reproduced": 1},
    }


def test_table_cells_cannot_break_the_table():
    assert book_scoreboard.escape("a|b\nc") == "a\\|b c"


def test_the_scoreboard_has_one_row_a_claim_and_one_column_a_scale():
    import pandas as pd

    common = {"rule": "r", "detail": ""}
    rows = pd.DataFrame(
        [
            {"paper": "bslb", "id": "a", "statement": "A", "source": "abstract", "published": "1|2", "changed": "why",
             "measured": "0.9", "status": "close", "scale": "quick", "date": "2030-01-02", **common},
            {"paper": "bslb", "id": "b", "statement": "B", "source": "abstract", "published": "2", "changed": "",
             "measured": "2", "status": "reproduced", "scale": "quick", "date": "2030-01-02", **common},
            {"paper": "bslb", "id": "c", "statement": "C", "source": "companion", "published": "none", "changed": "",
             "measured": "3", "status": "reproduced", "scale": "quick", "date": "2030-01-02", **common},
            {"paper": "bslb", "id": "a", "statement": "A", "source": "abstract", "published": "1|2", "changed": "why",
             "measured": "1.0", "status": "reproduced", "scale": "real", "date": "2030-01-01", **common},
        ]
    )  # fmt: skip
    lines = [line for line in book_scoreboard.scoreboard_text(rows).splitlines() if line.startswith("|")]
    assert lines == [
        "| claim | published | quick, 2030-01-02 | real, 2030-01-01 |",
        "|---|---|---|---|",
        "| A *(abstract; changed later)* | [published]{.column-name .column-published} 1\\|2 "
        "| [quick]{.column-name .column-quick} [close]{.verdict-close} 0.9 "
        "| [real]{.column-name .column-real} [reproduced]{.verdict-reproduced} 1.0 |",
        "| B *(abstract)* | [published]{.column-name .column-published} 2 "
        "| [quick]{.column-name .column-quick} [reproduced]{.verdict-reproduced} 2 |  |",
        "| claim | quick, 2030-01-02 |",
        "|---|---|",
        "| C *(companion)* | [quick]{.column-name .column-quick} [reproduced]{.verdict-reproduced} 3 |",
    ]


def test_provenance_names_recorded_runs(tmp_path, monkeypatch):
    import json

    result = {
        "paper": "toy", "preset": "quick", "hash": "h", "started": "2030-01-02T03:04:05", "seconds": 1, "peak_mib": 2,
        "git": {"commit": "abc", "dirty": False}, "versions": {}, "data": {},
        "machine": {"processor": "P", "cores": 2, "accelerator": "none", "threads": {}},
    }  # fmt: skip
    monkeypatch.setattr(book_fragments, "RESULTS", tmp_path)
    assert "| Recorded runs | none |" in book_fragments.provenance(result, tmp_path)
    (tmp_path / "toy" / "real").mkdir(parents=True)
    kept = result | {"preset": "real", "git": {"commit": "def", "dirty": True}}
    (tmp_path / "toy" / "real" / "result.json").write_text(json.dumps(kept))
    text = book_fragments.provenance(result, tmp_path)
    assert "| Recorded runs | real, 2030-01-02, commit `def` with uncommitted changes, P |" in text
    assert "| Code | commit `abc` |" in text
    assert "Made by this page" not in text
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "small.onnx").write_bytes(b"x")
    assert "{download}`small.onnx <toy_files/files/small.onnx>`" in book_fragments.provenance(result, tmp_path)


def test_judged_records_are_kept_beside_a_finished_run_only(tmp_path, monkeypatch):
    job = SimpleNamespace(paper="bslb", preset="quick", folder=tmp_path, done=False)
    judged = book_scoreboard.judged_record(job, "real")
    assert len(judged) and not list(tmp_path.iterdir())
    job.done = True
    assert_frame_equal(book_scoreboard.judged_record(job, "real"), judged)
    monkeypatch.setattr(book_scoreboard, "judge", None)  # judged again, this would fail
    assert_frame_equal(book_scoreboard.judged_record(job, "real"), judged)
    with pytest.raises(TypeError):  # a run does not depend on the record of its own preset
        book_scoreboard.judged_record(SimpleNamespace(**vars(job) | {"preset": "real"}), "real")
