"""What JavaScript adds, by keyboard alone: the scoreboard's filter and the sliders; and what stays without it."""

import json

import pytest

SCOREBOARD, EXPLORE = "book/scoreboard.html", "book/explore.html"
VISIBLE = ".claims-table tbody tr:visible"


def filter_by(page, name, label):
    """Choose an option of the field `name` by its keys: Tab leads there, its first letters choose it."""
    page.locator(f".scoreboard-filter select[name={name}]").focus()
    page.keyboard.type(label)
    page.keyboard.press("Tab")


def count(page):
    return page.locator(".scoreboard-filter output").inner_text()


def test_the_scoreboard_shows_all_claims_at_first(open_page):
    page = open_page(SCOREBOARD)
    rows = page.locator(".claims-table tbody tr")
    assert rows.count() > 20
    assert page.locator(VISIBLE).count() == rows.count()
    assert count(page) == f"{rows.count()} of {rows.count()} claims"


def test_the_filter_narrows_by_verdict_paper_and_scale(open_page):
    page = open_page(SCOREBOARD)
    every = page.locator(".claims-table tbody tr").count()
    filter_by(page, "verdict", "not reproduced")
    shown = page.locator(VISIBLE)
    assert 0 < shown.count() < every
    assert count(page) == f"{shown.count()} of {every} claims"
    assert all("not reproduced" in text for text in shown.all_inner_texts())
    by_verdict = shown.count()
    title = page.locator(".scoreboard-filter select[name=paper] option").nth(1)
    filter_by(page, "paper", title.inner_text()[:12])
    assert 0 < shown.count() < by_verdict
    boxes = page.locator(f".claims-table.paper-{title.get_attribute('value')}")
    assert boxes.locator("tbody tr:visible").count() == shown.count()
    assert page.locator("article h2:visible").count() == 1, "papers without a row are hidden"
    filter_by(page, "scale", "quick")
    at_quick = "tr => [...tr.cells].some((cell, i) => cell.querySelector('.verdict-not-reproduced') && "
    at_quick += "tr.closest('table').tHead.rows[0].cells[i].textContent.startsWith('quick'))"
    assert all(row.evaluate(at_quick) for row in shown.all())


def test_show_all_brings_every_row_back(open_page):
    page = open_page(SCOREBOARD)
    every = page.locator(".claims-table tbody tr").count()
    filter_by(page, "verdict", "close")
    page.locator(".scoreboard-filter button").focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"document.querySelector('.scoreboard-filter output').value === '{every} of {every} claims'")
    assert page.locator(VISIBLE).count() == every


def test_a_filter_is_part_of_the_address(open_page, site):
    page = open_page(SCOREBOARD)
    filter_by(page, "verdict", "close")
    shown = page.locator(VISIBLE).count()
    assert page.url.endswith("scoreboard.html?verdict=close")
    page.goto(f"{site}/{SCOREBOARD}?verdict=close&paper=no-such-paper")
    assert page.locator(VISIBLE).count() == shown


def test_every_slider_moves_with_the_arrow_keys(open_page):
    page = open_page(EXPLORE)
    widgets = page.locator(".scarce-slider")
    assert widgets.count() >= 1
    for widget in widgets.all():
        data = json.loads(widget.locator("script").inner_text() or widget.locator("script").text_content())
        stops, handle = data["slider"]["stops"], widget.locator("input[type=range]")
        assert len(stops) >= 2
        assert handle.input_value() == str(data["slider"]["start"])
        handle.focus()
        page.keyboard.press("Home")
        before = widget.locator("svg[role=img]").get_attribute("aria-label")
        page.keyboard.press("ArrowRight")
        assert widget.locator("output").inner_text() == str(stops[1])
        assert handle.get_attribute("aria-valuetext") == str(stops[1])
        assert widget.locator("svg[role=img]").get_attribute("aria-label") != before
        page.keyboard.press("End")
        assert widget.locator("output").inner_text() == f"{stops[-1]:g}"


def test_a_slider_draws_the_medians_of_its_table(open_page):
    page = open_page(EXPLORE)
    for widget in page.locator(".scarce-slider").all():
        data = json.loads(widget.locator("script").text_content())
        start = data["slider"]["start"]
        points = sum(len(one["frames"][start]) for one in data["series"])
        assert widget.locator(".scarce-slider-plot svg > [transform^=translate]:not(text)").count() == points
        widget.locator("summary").focus()
        page.keyboard.press("Enter")
        assert widget.locator("tbody tr").count() == points
        place = 2 if data["x"] else 1
        shown = widget.locator("tbody tr").first.locator("td").nth(place).inner_text()
        assert float(shown) == data["series"][0]["frames"][start][0][1]


def test_a_slider_fits_a_phone(open_page):
    page = open_page(EXPLORE, width=360, height=780)
    for widget in page.locator(".scarce-slider").all():
        assert widget.locator("svg[role=img]").bounding_box()["width"] <= 360
        assert not widget.locator("figure").first.is_visible()


def test_a_phone_shows_every_verdict_of_a_claim_at_once(open_page):
    page = open_page(SCOREBOARD, width=360, height=780)
    rows = page.locator(".claims-table tbody tr").filter(has=page.locator(".column-quick"))
    rows = rows.filter(has=page.locator(".column-real"))
    assert rows.count() > 20
    for row in rows.all():
        boxes = row.evaluate("""row => [...row.querySelectorAll('.column-name, [class^="verdict-"]')]
          .filter(e => !e.matches('.column-published')).map(e => e.getBoundingClientRect().toJSON())""")
        assert len(boxes) >= 4
        assert all(box["width"] > 0 and box["left"] >= 0 and box["right"] <= 360 for box in boxes)
        assert max(box["bottom"] for box in boxes) - min(box["top"] for box in boxes) < 780


@pytest.fixture
def without_javascript(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    yield lambda name: page.goto(f"{site}/{name}") and page
    context.close()


def test_without_javascript_the_whole_table_and_the_figures_show(without_javascript):
    page = without_javascript(SCOREBOARD)
    rows = page.locator(".claims-table tbody tr")
    assert rows.count() > 20 and page.locator(VISIBLE).count() == rows.count()
    assert page.locator(".scoreboard-filter").count() == 0
    page = without_javascript(EXPLORE)
    widgets = page.locator(".scarce-slider")
    assert widgets.count() >= 1
    assert page.locator(".scarce-slider figure img:visible").count() == widgets.count()
