"""Every page of the book in a browser: no errors, nothing from elsewhere, mathematics, pictures, phone, keyboard."""

import re

import pytest

# Text that a reader sees as prose: code, scripts and what MathJax made of a formula are left out.
PROSE = """() => {
  const skip = 'script, style, pre, code, mjx-container, .highlight, .MathJax, .headerlink';
  const main = document.querySelector('main') ?? document.body;
  const walker = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
  const parts = [];
  while (walker.nextNode()) if (!walker.currentNode.parentElement.closest(skip)) parts.push(walker.currentNode.data);
  return parts.join('\\u2063');
}"""

IMAGES = """async () => {
  const wrong = [];
  for (const image of document.images) {
    image.loading = 'eager';
    if (!image.complete) await new Promise(done => { image.onload = image.onerror = done });
    const name = image.getAttribute('src');
    if (!image.naturalWidth) wrong.push('broken: ' + name);
    // In the article every image says something; outside it (logo) an empty text means decoration.
    const alt = image.getAttribute('alt');
    if (alt === null || (image.closest('article') && !alt.trim())) wrong.push('no alternative text: ' + name);
    if (image.closest('article') && alt && /\\.(png|svg|jpe?g)$/i.test(alt)) wrong.push('file name as text: ' + name);
    if (image.clientHeight > 20) {
      const drawn = image.clientWidth / image.clientHeight, own = image.naturalWidth / image.naturalHeight;
      const fitted = getComputedStyle(image).objectFit === 'contain';
      if (!fitted && Math.abs(drawn / own - 1) > 0.08) wrong.push('distorted: ' + name);
    }
  }
  return wrong;
}"""

# Wider than the window and in no box of its own that scrolls: it would be cut off or make the page scroll sideways.
CUT_OFF = """() => {
  const scrolls = element => {
    for (let box = element.parentElement; box && box !== document.body; box = box.parentElement)
      if (['auto', 'scroll'].includes(getComputedStyle(box).overflowX) && box.clientWidth <= innerWidth
          && box.getBoundingClientRect().right <= innerWidth + 1 && box.clientWidth < box.scrollWidth) return true;
    return false;
  };
  return [...document.querySelectorAll('article *')].filter(element => {
    const box = element.getBoundingClientRect();
    if (box.width < 2 || box.height < 2 || box.right <= innerWidth + 1) return false;
    return !element.closest('mjx-assistive-mml, .visually-hidden') && element.checkVisibility() && !scrolls(element);
  }).slice(0, 5).map(element => element.tagName + '.' + element.className);
}"""


def test_opens_without_errors_or_outside_requests(page_name, desktop):
    _, watch = desktop(page_name)
    assert watch.errors == []
    assert watch.failed == []
    assert watch.foreign == []


def test_title_language_and_landmarks(page_name, desktop):
    page, _ = desktop(page_name)
    assert page.title().strip()
    assert page.locator("html").get_attribute("lang")
    assert page.locator("main").count() == 1
    assert page.locator("h1:visible").count() == 1


def test_mathematics_and_markup_are_rendered(page_name, desktop):
    page, _ = desktop(page_name)
    assert page.locator("mjx-merror").count() == 0
    assert page.locator(".math:not(:has(mjx-container))").count() == 0, "a formula that MathJax left alone"
    prose = page.evaluate(PROSE)
    raw = re.findall(r"\\[(\[].{0,40}|\$\$.{0,40}|\$[^\s$\u2063][^$\u2063]*[\\_^{][^$\u2063]*\$", prose)
    assert raw == [], "raw TeX in the text"
    # The backticks of a role that was not recognised become a code element, so that the text ends in its name.
    roles = re.findall(r"\{(?:cite|ref|numref|doc|term|eq|download|math)(?::\w)?\}", prose)
    assert roles == [], "a MyST role that was not rendered"
    assert re.findall(r"^:{3,}.*", prose, flags=re.MULTILINE) == [], "a MyST directive that was not rendered"


def test_images_load_and_speak(page_name, desktop):
    page, _ = desktop(page_name)
    assert page.evaluate(IMAGES) == []
    bare = page.locator("article div.cell_output img:not(figure:has(figcaption) img)")
    assert bare.count() == 0, "a figure without a caption"


def test_hidden_code_opens_with_the_keyboard(page_name, desktop):
    page, _ = desktop(page_name)
    cells = page.locator("article details.hide")
    if cells.count() == 0:
        return  # a page without code
    cells.first.locator("summary").focus()
    assert not cells.first.evaluate("e => e.open")
    page.keyboard.press("Enter")
    assert cells.first.evaluate("e => e.open")
    assert cells.first.locator("pre").first.is_visible()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_phone(page_name, phone, theme):
    page, _ = phone(page_name)
    shown = page.evaluate("document.documentElement.dataset.theme")
    page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
    try:
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate(CUT_OFF) == []
        assert page.evaluate(IMAGES) == []
    finally:
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", shown)


def test_wide_tables_scroll_in_their_boxes_on_a_desk(page_name, desktop):
    page, _ = desktop(page_name)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert page.evaluate(CUT_OFF) == []


def test_dark_mode(page_name, phone):
    _, (theme, background) = phone(page_name)
    assert theme == "dark"
    assert max(int(value) for value in re.findall(r"\d+", background)[:3]) < 80


def test_search_finds_a_word_of_a_title(open_page, site):
    page = open_page("index.html")
    page.locator(".bd-sidebar-primary .caption ~ ul a.reference.internal").first.evaluate("e => e.click()")
    page.wait_for_url(lambda url: not url.endswith("intro.html"))
    title = page.locator("article h1").evaluate("e => e.firstChild.textContent")
    word = max(re.findall(r"[A-Za-z]+", title), key=len)
    page.goto(f"{site}/search.html")
    page.locator("input[name=q]:visible").first.fill(word)
    page.keyboard.press("Enter")
    page.locator("#search-results li > a").first.wait_for()
    found = page.locator("#search-results li > a").all_inner_texts()
    assert any(title.strip() in text for text in found), (word, found)


def test_tab_reaches_the_skip_link_and_the_navigation(open_page):
    page = open_page("index.html")
    page.keyboard.press("Tab")
    focus = "document.activeElement"
    assert page.evaluate(f"!!{focus}.closest('#pst-skip-link')"), "the first stop skips the navigation"
    assert page.evaluate(f"{focus}.getBoundingClientRect().height > 0 && {focus}.checkVisibility()")
    for _ in range(25):
        page.keyboard.press("Tab")
        if page.evaluate(f"!!{focus}.closest('nav') && {focus}.matches('a[href]')"):
            break
    else:
        raise AssertionError("no link of the navigation within 25 steps")
    target = page.evaluate(f"{focus}.href")
    page.keyboard.press("Enter")
    page.wait_for_url(target)


def test_skip_link_leads_to_the_article(open_page):
    page = open_page("index.html")
    for key in ("Tab", "Enter", "Tab"):
        page.keyboard.press(key)
    assert page.evaluate("!!document.activeElement.closest('main')")
