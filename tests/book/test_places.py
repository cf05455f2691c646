"""The book wherever it is put: opened from a folder, below a path of a web server; and how much it weighs."""

import functools
import http.server
import threading
from urllib.parse import unquote, urlsplit

import pytest
from bookpages import HTML, built_pages
from conftest import Watch, load

SAMPLE = ["index.html", "book/scoreboard.html", "book/explore.html", "search.html"]


@pytest.fixture(scope="module")
def below_a_path(book_html, tmp_path_factory):
    """The address of the book as one folder among others of a web server."""
    root = tmp_path_factory.mktemp("server")
    (root / "some" / "where").mkdir(parents=True)
    (root / "some" / "where" / "book").symlink_to(book_html.resolve())

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=root)) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/some/where/book"
        server.shutdown()


def opened(browser, site, name):
    watch = Watch()
    page = load(browser, site, name, watch=watch)
    problems = watch.errors + watch.failed + watch.foreign
    links = page.evaluate("[...document.querySelectorAll('a[href]')].map(link => link.href)")
    home = page.url
    page.context.close()
    return problems, links, home


@pytest.mark.parametrize("name", SAMPLE)
def test_opens_below_a_path_of_a_web_server(browser, below_a_path, name):
    problems, links, home = opened(browser, below_a_path, name)
    assert problems == []
    inside = [link for link in links if link.startswith(below_a_path.split("/some")[0])]
    assert inside and all(link.startswith(below_a_path) for link in inside)
    assert home.startswith(below_a_path)


@pytest.mark.parametrize("name", SAMPLE)
def test_opens_by_double_click(browser, book_html, name):
    problems, links, _ = opened(browser, book_html.resolve().as_uri(), name)
    assert problems == []
    assert any(link.startswith(book_html.resolve().as_uri()) for link in links)


def test_the_first_page_weighs_less_than_a_megabyte(browser, site, book_html):
    context = browser.new_context()
    page, files = context.new_page(), set()
    page.on("response", lambda answer: files.add(unquote(urlsplit(answer.url).path).lstrip("/")))
    page.goto(f"{site}/index.html")
    page.wait_for_url(lambda url: not url.endswith("/index.html"))
    page.wait_for_load_state("networkidle")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")  # pictures that wait until they are seen
    page.wait_for_load_state("networkidle")
    context.close()
    sizes = {name: (book_html / name).stat().st_size for name in files if name}
    assert "book/intro.html" in sizes
    assert sum(sizes.values()) < 1_000_000, sizes


def test_the_book_weighs_less_than_sixty_megabytes(book_html):
    assert built_pages()
    assert sum(path.stat().st_size for path in HTML.rglob("*") if path.is_file()) < 60_000_000
