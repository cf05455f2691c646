import ast
import re

import pytest

from lib import book_api

SOURCE = '''"""A module of *two* things."""
from x import y

def shown(a: int, *, b: str = "c|d") -> list[int]:
    """Return `a` times $b_i$ [note].

    Args:
        a: how many, see ``y``
            and more.
        b: which.

    Returns:
        One row a thing.
    """

def _hidden(): ...

class Thing(Base):
    """A thing."""

    def used(self, x): """Use `x`."""
    def bare(self): ...
'''


def test_a_module_shows_its_public_members_with_signature_and_docstring():
    text = "\n".join(book_api.module_text("lib.toy", ast.parse(SOURCE)))
    assert text.startswith("## lib.toy\n\nA module of \\*two\\* things.")
    assert (
        "(lib.toy.shown)=\n`shown(a: int, *, b: str='c|d') -> list[int]`\n:   Return `a` times \\$b\\_i\\$ \\[note\\]."
        in text
    )
    assert "    **Args**\n\n    - `a`: how many, see `y` and more.\n    - `b`: which.\n" in text
    assert "    **Returns**\n\n    One row a thing." in text
    assert "`class Thing(Base)`\n:   A thing." in text
    assert "`Thing.used(x)`\n:   Use `x`." in text
    assert "hidden" not in text and "bare" not in text


def test_a_module_with_nothing_to_show_is_left_out():
    assert book_api.module_text("lib.toy", ast.parse("def _f(): ...")) == []


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("`a_b` and ``c*d`` but e_f", "`a_b` and `c*d` but e\\_f"),
        ("- not a list", "\\- not a list"),
        ("2. not a list", "2\\. not a list"),
        ("<b> & {c}", "\\<b\\> & \\{c\\}"),
    ],
)
def test_words_keep_code_and_lose_markup(line, shown):
    assert book_api.words(line) == shown


def test_every_room_has_a_page_and_every_public_function_an_entry(tmp_path):
    rooms = book_api.write_reference(tmp_path / "reference")
    assert {"bslb", "data", "federated", "report", "command"} <= set(rooms)
    assert {path.stem for path in (tmp_path / "reference").iterdir()} == set(rooms)
    text = (tmp_path / "reference" / "report.md").read_text()
    addresses = [
        re.match(r"\((.+)\)=$", line)
        for page in (tmp_path / "reference").iterdir()
        for line in page.read_text().splitlines()
    ]
    names = [found[1].lower() for found in addresses if found]
    assert len(set(names)) == len(names) > 200
    assert "(lib.report.intervals.median_interval)=" in text and "(no docstring)" not in text
