import pytest

from lib import book, book_fragments


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


def test_two_figures_in_one_cell_are_refused():
    with pytest.raises(ValueError, match="one figure a cell"):
        book.fill_cell({"metadata": {}, "source": ""}, figure_outputs() + figure_outputs(), "toy")


def test_tree_hash_follows_names_and_content(tmp_path):
    (tmp_path / "a").write_text("1")
    first = book.tree_hash(tmp_path)
    assert book.tree_hash(tmp_path) == first
    (tmp_path / "a").rename(tmp_path / "b")
    second = book.tree_hash(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({first, second, book.tree_hash(tmp_path)}) == 3


def test_verdict_counts_take_the_largest_scale_at_which_a_claim_was_judged():
    import pandas as pd

    rows = pd.DataFrame(
        [("p", "a", "not run here", "quick", "abstract"), ("p", "a", "reproduced", "real", "abstract"),
         ("p", "b", "close", "quick", "review"), ("p", "c", "reproduced", "quick", "abstract"),
         ("p", "c", "not reproduced", "real", "abstract"), ("p", "d", "reproduced", "quick", "companion")],
        columns=["paper", "id", "status", "scale", "source"],
    )  # fmt: skip
    counts = book_fragments.verdict_counts(rows, "p")
    assert counts == {"reproduced": 1, "close": 1, "not reproduced": 1, "not run here": 0}
    own = book_fragments.verdict_counts(rows, "p", companion=True)
    assert own == {"reproduced": 1, "close": 0, "not reproduced": 0, "not run here": 0}


def test_table_cells_cannot_break_the_table():
    assert book_fragments.escape("a|b\nc") == "a\\|b c"
