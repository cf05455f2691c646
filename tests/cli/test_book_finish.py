import re

import pytest
import yaml
from bs4 import BeautifulSoup

from lib import book, book_finish, book_fragments

PAGE = """<head><script defer src="../_static/scripts/fontawesome.js?digest=1"></script>
<script defer="defer" src="../_static/mathjax/tex-mml-chtml.js?v=1"></script>
    <script src="../_static/searchtools.js"></script>
    <script src="../_static/language_data.js"></script>
    <script src="../searchindex.js"></script>
<script src="../_static/own.js"></script></head><body class="mathjax_ignore">{}</body>"""


@pytest.mark.parametrize(
    ("body", "search", "kept"),
    [
        ("words", False, {"own"}),
        ('<span class="math notranslate">x</span>', False, {"own", "tex-mml-chtml"}),
        ('<div class="amsmath math">x</div>', False, {"own", "tex-mml-chtml"}),
        ("words", True, {"own", "searchtools", "language_data", "searchindex"}),
    ],
)
def test_a_page_keeps_the_scripts_that_it_uses(body, search, kept):
    light = book_finish.lighten_page(PAGE.format(body), search=search)
    assert set(re.findall(r'src="[^"]*?([\w-]+)\.js', light)) == kept
    assert body in light


def test_items_of_references_and_switches_of_the_navigation_are_named():
    page = '<div role="list"><div role="doc-biblioentry"><a role="doc-backlink"></a></div></div>'
    assert (
        book_finish.name_roles(page) == '<div role="list"><div role="listitem"><a role="doc-backlink"></a></div></div>'
    )
    switch = '<summary><span class="toctree-toggle" role="presentation"></span></summary><summary>own</summary>'
    named = BeautifulSoup(book_finish.name_roles(switch), "html.parser").find_all("summary")
    assert [tag.get("aria-label") for tag in named] == ["pages below", None]


def test_icons_that_no_page_shows_leave_style_sheet_and_fonts(tmp_path):
    import pydata_sphinx_theme
    from fontTools.ttLib import TTFont

    theme = book.Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static"
    book.shutil.copytree(theme, tmp_path / "_static")
    (tmp_path / "page.html").write_text('<i class="fa-solid fa-bars"></i><i class="fas fa-expand"></i>')
    book_finish.finish(tmp_path)
    css = (tmp_path / "_static" / "styles" / "pydata-sphinx-theme.css").read_text()
    assert ".fa-bars:before" in css and ".fa-expand:before" in css and ".fa-anchor:before" not in css
    fonts = tmp_path / "_static" / "vendor" / "fontawesome" / "webfonts"
    assert {path.suffix for path in fonts.iterdir()} == {".woff"}
    with TTFont(fonts / "fa-solid-900.woff") as font:
        signs = font.getBestCmap()
    assert {0xF0C9, 0xF065} <= set(signs) and 0xF13D not in signs
    for name in re.findall(r"webfonts/([\w.-]+)", css):
        assert (fonts / name).is_file()
    assert not list(tmp_path.rglob("fontawesome.js*"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [("at $k=2$ and $d$", "at *k=2* and *d*"), ("a bound $\\beta_k$", "a bound $\\beta_k$"), ("5 $ each", "5 $ each")],
)
def test_simple_formulas_of_cards_need_no_mathjax(text, shown):
    assert book_fragments.plain_formulas(text) == shown


def test_buttons_are_off_until_a_repository_is_named(tmp_path):
    path = tmp_path / "_config.yml"
    book.shutil.copy(book.ROOT / "_config.yml", path)
    before = path.read_text()
    book.configure(path, "")
    assert path.read_text() == before
    for wrong in ("example.org/a/b", "https://example.org/a", "https://example.org/a/b c", "javascript:alert(1)"):
        with pytest.raises(ValueError, match="expected https://HOST/OWNER/NAME"):
            book.configure(path, wrong)
    book.configure(path, "https://example.org/owner/name")
    config = yaml.safe_load(path.read_text())
    assert config["repository"]["url"] == "https://example.org/owner/name"
    assert config["html"]["use_edit_page_button"] and config["html"]["use_issues_button"]
    assert config["launch_buttons"]["binderhub_url"].startswith("https://")
    assert config["sphinx"] == yaml.safe_load(before)["sphinx"]
