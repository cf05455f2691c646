"""Every page through axe, which checks accessibility: no violation of WCAG 2.2, levels A and AA, desk and phone."""

from importlib import resources

import pytest

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
# Contrast takes nine tenths of the time on long pages. It follows from an element's own look and from the grounds that
# it stands on, so the first three of all visible elements that share these stand for the rest.
LOOKS = """() => {
  const grounds = new Map([[null, '']]), seen = new Map();
  const look = (style, names) => names.map(name => style[name]).join(' ');
  const ground = element => {
    if (!grounds.has(element)) grounds.set(element, ground(element.parentElement) + '|' + look(
      getComputedStyle(element),
      ['backgroundColor', 'backgroundImage', 'opacity', 'filter', 'mixBlendMode', 'position', 'zIndex', 'overflow']));
    return grounds.get(element);
  };
  for (const element of document.body.querySelectorAll('*')) {
    const speaks = [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (element.matches('input, select, textarea, button, option, label')) element.dataset.look = 'own';
    else if (speaks && element.checkVisibility({visibilityProperty: true})) {
      const own = look(getComputedStyle(element), ['color', 'fontSize', 'fontWeight', 'textShadow', 'textIndent']);
      const key = own + ground(element), count = seen.get(key) ?? 0;
      seen.set(key, count + 1);
      if (count < 3) element.dataset.look = 'first';
    }
  }
  axe.configure({rules: [{id: 'color-contrast', selector: '[data-look]'}]});
}"""
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
    page.evaluate(LOOKS)
    return page.evaluate(SCAN, TAGS)


def test_pages_have_no_violation(page_name, desktop, axe):
    page, _ = desktop(page_name)
    assert violations(page, axe) == []


def test_dark_pages_on_a_phone_have_no_violation(page_name, phone, axe):
    page, _ = phone(page_name)
    assert violations(page, axe) == []


@pytest.mark.parametrize("name", ["book/intro.html", "book/explore.html", "book/laptop_to_cluster.html"])
def test_a_dark_page_on_a_desk_has_no_violation_in_any_element(open_page, axe, name):
    page = open_page(name, dark=True)
    page.evaluate(axe)  # all of it, not only what stands for the rest
    assert page.evaluate(SCAN, TAGS) == []


def test_the_checker_finds_a_picture_without_text(open_page, axe):
    page = open_page("search.html")
    page.evaluate("document.querySelector('main').append(document.createElement('img'))")
    assert any(text.startswith("image-alt") for text in violations(page, axe))


SPOILT = {  # what is made hard to read, by a script
    "the last word of its kind": "said('article em').at(-1).style.color = '#bbb'",
    "one cell among many": "said('article td').at(-2).style.opacity = 0.3",
    "the ground of a section": "document.querySelector('article section section').style.background = '#777'",
    "the ground of a cell": "said('article td').at(-1).style.background = '#777'",
    "a style sheet": "document.head.insertAdjacentHTML('beforeend', '<style>article em { color: #bbb }</style>')",
}


@pytest.mark.parametrize("how", SPOILT)
def test_the_checker_finds_text_that_is_hard_to_read(open_page, axe, how):
    page = open_page("book/scoreboard.html")
    said = "const said = like => [...document.querySelectorAll(like)].filter(e => e.innerText.trim())"
    page.evaluate(f"() => {{ {said}; {SPOILT[how]} }}")
    found = violations(page, axe)
    assert found and all(text.startswith("color-contrast") for text in found)
