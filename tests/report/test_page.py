import json

import pandas as pd
import pytest
from PIL import Image

from lib.report import (
    Claim,
    Verdict,
    describe,
    files,
    keep,
    new_figure,
    published,
    recorded,
    show,
    track,
    value_text,
    verdicts,
)
from lib.report import page as page_module


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("SCARCE_RUN_DIR", str(tmp_path))
    monkeypatch.setenv("SCARCE_PROVENANCE", '{"run": "abc"}')
    return tmp_path


@pytest.fixture
def displayed(monkeypatch):
    calls = []
    monkeypatch.setattr("IPython.display.display", lambda data, metadata, raw: calls.append((data, metadata)))
    return calls


def figure():
    fig, axes = new_figure()
    axes[0, 0].plot([1, 2])
    return describe(fig, caption="The line rises by 1.", alt="A rising line.")


def test_show_keeps_png_and_svg_with_provenance(run, displayed):
    show(figure(), "a-line")
    png = Image.open(run / "figures" / "a-line.png")
    assert json.loads(png.text["Comment"]) == {"run": "abc"}
    assert "abc" in (run / "figures" / "a-line.svg").read_text()
    assert json.loads((run / "figures" / "a-line.json").read_text())["alt"] == "A rising line."
    (image, metadata), (caption, marks) = displayed
    assert metadata["scarce"] == {"name": "a-line", "alt": "A rising line.", "width": "691px"}
    assert image["image/png"][1:4] == b"PNG"
    assert marks["scarce_caption"] == "The line rises by 1."
    assert caption["text/markdown"].startswith("**Figure.**")


def test_same_figure_same_svg(run, displayed):
    show(figure(), "one")
    first = (run / "figures" / "one.png").read_bytes()
    show(figure(), "one")
    assert (run / "figures" / "one.png").read_bytes() == first


def test_nothing_is_written_outside_a_run(tmp_path, monkeypatch, displayed):
    monkeypatch.delenv("SCARCE_RUN_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    show(figure(), "a-line")
    keep({"t": pd.DataFrame({"x": [1]})})
    assert list(tmp_path.iterdir()) == []


def test_show_refuses_bare_figures_and_odd_names(displayed):
    bare, _ = new_figure()
    with pytest.raises(ValueError, match="no caption"):
        show(bare, "a")
    with pytest.raises(ValueError, match="lower-case"):
        show(figure(), "A line")
    with pytest.raises(ValueError, match="caption"):
        describe(bare, caption=" ", alt="x")


def test_tables_come_back_from_a_record_with_their_scale(run, tmp_path, monkeypatch):
    keep({"t": pd.DataFrame({"x": [1.5, 2.0], "m": ["a", "b"]})})
    (run / "result.json").write_text(json.dumps({"preset": "real", "started": "2026-01-02T03:04:05"}))
    target = tmp_path / "results" / "p" / "real"
    target.parent.mkdir(parents=True)
    target.symlink_to(run)
    monkeypatch.setattr(page_module, "RESULTS", tmp_path / "results")
    table = recorded("p", "real")["t"]
    assert table["x"].tolist() == [1.5, 2.0]
    assert table.attrs["recorded"] == "real, 2026-01-02"
    assert recorded("p", "paper") == {}


def test_verdicts_are_kept(run, displayed):
    claim = Claim("c", "s", "abstract", "p", "r", ("t",), lambda tables: Verdict("close", "2"))
    verdicts([claim], {"t": pd.DataFrame({"x": [1]})})
    assert json.loads((run / "claims.json").read_text())[0]["status"] == "close"


def test_track_waits_for_nothing_that_is_still_at_work(run):
    class Lazy:
        done = 0

        def __len__(self):
            return 2

        def __iter__(self):
            for place in range(2):
                self.done += 1
                yield place

    work = Lazy()
    seen = []
    for item in track(work, "tables"):
        seen.append((item, work.done, (run / "progress").read_text()))
    assert seen == [(0, 1, "tables 0/2"), (1, 2, "tables 1/2")]


def test_track_reports_into_the_run_and_yields_everything(run):
    seen = []
    for item in track(range(3), "seeds"):
        seen.append((item, (run / "progress").read_text()))
    assert seen == [(0, "seeds 0/3"), (1, "seeds 1/3"), (2, "seeds 2/3")]


def test_published_values_say_how_they_are_known():
    for value in published("bslb")["values"].values():
        assert value["what"] and value["where"]
    assert value_text("bslb", "table-annotation") == "not known to us"
    with pytest.raises(ValueError, match="no published values"):
        published("nope")


def test_files_of_a_page_lie_in_its_run(run, monkeypatch):
    folder = files()
    assert folder == files() == run / "files" and folder.is_dir()
    monkeypatch.delenv("SCARCE_RUN_DIR")
    assert files() is None
