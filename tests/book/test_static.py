"""The built pages as text, without a browser: nothing from elsewhere, every internal link, badge colours."""

import re
from functools import cache
from itertools import pairwise
from urllib.parse import unquote, urlsplit

import pytest
from bookpages import ROOT, built_pages
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont

LOADED = (("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("video", "src"))
VERDICTS = ("reproduced", "close", "not-reproduced", "not-run")


@cache
def parsed(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@cache
def anchors(path):
    return {tag[key] for key in ("id", "name") for tag in parsed(path).find_all(attrs={key: True})}


def test_the_book_has_pages(book_html):
    pages = built_pages()
    assert "index.html" in pages and "search.html" in pages
    assert sum(parsed(book_html / name).find("article") is not None for name in pages) >= 2


def test_nothing_is_loaded_from_elsewhere(page_name, book_html):
    page = parsed(book_html / page_name)
    outside = [
        tag[key]
        for name, key in LOADED
        for tag in page.find_all(name, attrs={key: True})
        if re.match(r"(https?:)?//", tag[key]) and "canonical" not in tag.get("rel", [])
    ]
    assert outside == []


def test_style_sheets_load_nothing_from_elsewhere(book_html):
    outside = [
        (path.name, hit)
        for path in book_html.rglob("*.css")
        for hit in re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^)\"']+)", path.read_text(encoding="utf-8"))
    ]
    assert outside == []


def test_internal_links_lead_somewhere(page_name, book_html):
    here = book_html / page_name
    page, broken = parsed(here), []
    links = [tag["href"] for tag in page.find_all(["a", "link"], href=True)]
    links += [tag["src"] for tag in page.find_all(["img", "script"], src=True)]
    for refresh in page.find_all("meta", attrs={"http-equiv": "Refresh"}):
        links.append(refresh["content"].split("url=")[1])
    for link in links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (here.parent / unquote(parts.path)).resolve() if parts.path else here
        target = target / "index.html" if target.is_dir() else target
        if not target.is_file():
            broken.append(f"{link}: no such file")
        elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in anchors(target):
            broken.append(f"{link}: no such place on the page")
    assert broken == []


def test_fonts_have_every_sign_that_style_sheets_set(book_html):
    sheets = [path.read_text(encoding="utf-8") for path in book_html.rglob("*.css")]
    signs = {ord(sign) for sheet in sheets for sign in re.findall(r"[\uf000-\uf8ff]", sheet)}
    fonts = [TTFont(path) for path in (book_html / "_static" / "vendor" / "fontawesome" / "webfonts").glob("*.woff")]
    assert signs and signs <= {point for font in fonts for point in font.getBestCmap()}


def test_mathematics_is_on_board(book_html):
    folder = book_html / "_static" / "mathjax"
    assert (folder / "tex-mml-chtml.js").stat().st_size > 10**6
    assert len(list((folder / "output" / "chtml" / "fonts" / "woff-v2").glob("*.woff"))) >= 20
    assert (folder / "LICENSE").is_file()


def test_headings_do_not_skip_a_level(page_name, book_html):
    article = parsed(book_html / page_name).find("article")
    levels = [int(tag.name[1]) for tag in article.find_all(re.compile("^h[1-6]$"))] if article else []
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels


def test_all_pages_count_the_same_claims(book_html):
    board, front, short = (
        parsed(book_html / "book" / f"{name}.html") for name in ("scoreboard", "intro", "not_reproduced")
    )
    rows = [row.text.strip() for row in board.select(".claims-table tbody tr")]
    assert rows and not [text for text in rows if text.lower().startswith(("with more seeds", "the same with more"))]
    counts = r"(\d+) (?:reproduced|close|not reproduced|not judged|not run here)"
    bars = front.find("img", alt=re.compile("^Stacked bars of verdicts"))["alt"]
    ours = " ".join(re.findall(r": the companion adds: ([^;.]+)", bars))
    badges = " ".join(badge.text for badge in front.select(".sd-card-footer [class^=verdict-]"))
    claims, listed, contradicted = re.search(r"Of (\d+) claims, (\d+) stand .*?run: (\d+)", short.text).groups()
    assert len(rows) == int(claims) == total(counts, bars) == total(counts, badges) + total(counts, ours)
    assert int(contradicted) == total(r"(\d+) not reproduced", bars)
    assert int(listed) == len(short.select("dl.simple > dt:has(strong)"))


def total(pattern, text):
    return sum(map(int, re.findall(pattern, text)))


@pytest.mark.parametrize("verdict", VERDICTS)
def test_verdict_badges_are_readable(verdict):
    css = (ROOT / "book" / "_static" / "scarce.css").read_text(encoding="utf-8")
    rule = re.search(rf"^\.verdict-{verdict} \{{([^}}]*background[^}}]*)\}}", css, flags=re.MULTILINE)[1]
    background, text = (re.search(rf"(?:^|[ ;]){key}: (#[0-9a-f]+)", rule)[1] for key in ("background", "color"))
    high, low = sorted((luminance(background), luminance(text)), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_verdict_badges_differ_in_sign_and_lightness():
    css = (ROOT / "book" / "_static" / "scarce.css").read_text(encoding="utf-8")
    signs = [re.search(rf"\.verdict-{verdict}::before {{ content: \"(\\[0-9a-f]+)", css)[1] for verdict in VERDICTS]
    assert len(set(signs)) == len(VERDICTS)


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
