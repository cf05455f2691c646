"""The built book, served on this machine, and one browser for the whole session.

SCARCE_BOOK may name another folder with built pages; SCARCE_CHROMIUM another browser. With SCARCE_SCREENSHOTS=1 every
page is also photographed, into _build/screenshots; no test needs the pictures, and long pages take seconds.
"""

import functools
import http.server
import os
import re
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bookpages import HTML, ROOT, built_pages

BROWSERS = (os.environ.get("SCARCE_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
)


def pytest_generate_tests(metafunc):
    """Run a test that asks for `page_name` for every page."""
    if "page_name" in metafunc.fixturenames:
        metafunc.parametrize("page_name", built_pages() or ["index.html"])


def page_of(test):
    """Return the page in the brackets of a test's name, or the name of the test's file."""
    found = re.search(r"\[(.+?\.html)", test)
    return found[1] if found else test.split("::")[0]


@pytest.hookimpl(trylast=True)  # after the order of files
def pytest_collection_modifyitems(items):
    """Put all tests of a page one after another: it is opened once for all of them."""
    pages = {page: number for number, page in enumerate(dict.fromkeys(page_of(item.nodeid) for item in items))}
    items.sort(key=lambda item: pages[page_of(item.nodeid)])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Where several processes share the tests, give all tests of a page to one."""
    from xdist.scheduler import LoadScopeScheduling

    class ByPage(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return page_of(nodeid)

    return ByPage(config, log)


@pytest.fixture(scope="session")
def book_html() -> Path:
    """The folder with the built pages."""
    if not (HTML / "index.html").is_file():
        pytest.fail(f"there is no book in {HTML}: run 'make book' first", pytrace=False)
    return HTML


@pytest.fixture(scope="session")
def site(book_html):
    """The address under which the pages are served."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            """Say nothing."""

    handler = functools.partial(Quiet, directory=book_html)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")
    executable = next((found for name in BROWSERS if name and (found := shutil.which(name))), None)
    if executable is None:
        pytest.skip("no Chromium found: apt-get install chromium, or name one in SCARCE_CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield chromium
        chromium.close()


@dataclass
class Watch:
    """What went wrong while a page was open."""

    errors: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def attach(self, page, site):
        """Listen to a page that is about to be opened."""
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(error.message))
        page.on("requestfailed", lambda request: self.failed.append(request.url))
        page.on("response", lambda response: response.status >= 400 and self.failed.append(response.url))
        page.on("request", lambda request: self._request(request.url, site))

    def _request(self, url, site):
        if not url.startswith((site + "/", "data:", "blob:")):
            self.foreign.append(url)


def load(browser, site, name, *, width=1280, height=900, dark=False, watch=None):
    """Open a page in a fresh profile and wait until its formulas and fonts are there."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    if dark:
        context.add_init_script("localStorage.setItem('mode', 'dark'); localStorage.setItem('theme', 'dark')")
    page = context.new_page()
    page.set_default_timeout(20_000)
    if watch is not None:
        watch.attach(page, site)
    page.goto(f"{site}/{name}")
    if name == "index.html":  # it only sends the reader on
        page.wait_for_url(lambda url: not url.endswith("/index.html"))
    page.wait_for_load_state("networkidle" if watch is not None else "load")
    page.evaluate("async () => { await window.MathJax?.startup?.promise; await document.fonts.ready }")
    return page


@pytest.fixture
def open_page(browser, site):
    """Return a function that opens a page anew: ``open_page("book/intro.html", width=360, dark=True)``."""
    pages = []

    def open_it(name, **options):
        pages.append(load(browser, site, name, **options))
        return pages[-1]

    yield open_it
    for page in pages:
        page.context.close()


@pytest.fixture(scope="session")
def desktop(browser, site):
    """Return a function that gives a page at desktop width, opened once, and the record of its opening."""

    def opening(name):
        watch = Watch()
        page = load(browser, site, name, watch=watch)
        photograph(page, name, "desktop")
        return page, watch

    yield from one_at_a_time(opening)


@pytest.fixture(scope="session")
def phone(browser, site):
    """Return a function that gives a page on a phone in dark mode, opened once, and how dark it was when it opened."""

    def opening(name):
        page = load(browser, site, name, width=360, height=780, dark=True)
        photograph(page, name, "phone-dark")
        shade = "[document.documentElement.dataset.theme, getComputedStyle(document.body).backgroundColor]"
        return page, page.evaluate(shade)

    yield from one_at_a_time(opening)


def one_at_a_time(opening):
    """Give a function that opens a page and closes the one before; tests of a page come one after another."""
    opened = {}

    def get(name):
        if name not in opened:
            close()
            opened[name] = opening(name)
        return opened[name]

    def close():
        for page, _ in opened.values():
            page.context.close()
        opened.clear()

    yield get
    close()


def photograph(page, name, kind):
    """Keep a picture of the whole page, if asked for."""
    if os.environ.get("SCARCE_SCREENSHOTS"):
        path = ROOT / "_build" / "screenshots" / f"{name.removesuffix('.html').replace('/', '-')}-{kind}.png"
        page.screenshot(path=path, full_page=True)
