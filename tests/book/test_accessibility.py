"""Every page through axe, which checks accessibility: no violation of WCAG 2.2, levels A and AA, desk and phone."""

from importlib import resources

import pytest

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
SCAN = """async tags => {
  // Without preload axe fetches no style sheet again: the page's own requests are what other tests look at.
  const runOnly = {type: 'tag', values: tags};
  const found = await axe.run(document, {runOnly, resultTypes: ['violations'], preload: false});
  return found.violations.flatMap(violation =>
    violation.nodes.map(node => violation.id + ': ' + node.target.join(' ') + ' ' + node.html.slice(0, 120)));
}"""


@pytest.fixture(scope="session")
def axe():
    """The text of axe, which comes with the package axe-playwright-python."""
    package = pytest.importorskip("axe_playwright_python", reason="axe is not installed (extra dev)")
    return (resources.files(package) / "axe.min.js").read_text(encoding="utf-8")


def violations(page, axe):
    page.evaluate(axe)
    return page.evaluate(SCAN, TAGS)


def test_pages_have_no_violation(page_name, desktop, axe):
    page, _ = desktop(page_name)
    assert violations(page, axe) == []


def test_dark_pages_on_a_phone_have_no_violation(page_name, open_page, axe):
    assert violations(open_page(page_name, width=360, height=780, dark=True), axe) == []


def test_the_checker_finds_a_picture_without_text(open_page, axe):
    page = open_page("search.html")
    page.evaluate("document.querySelector('main').append(document.createElement('img'))")
    assert any(text.startswith("image-alt") for text in violations(page, axe))
