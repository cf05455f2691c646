"""One visit of the Google Merchandise Store from one line, in either published form. Values only, no files.

The competition's CSV has JSON in the columns ``device``, ``geoNetwork``, ``totals`` and ``trafficSource``, and in its
second version Python literals in ``hits`` and ``customDimensions``. The warehouse exports one JSON object a line. A
visit of the second version takes about 15 kB, nearly all of it in ``hits``. So that text is passed once: its end is
looked for from the right end of the line, pages are cut out of it, and it is parsed only where cutting could go wrong.
Cells keep their doubled quotes until somebody reads them.
"""

import ast
import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

NEEDED = ("device", "fullVisitorId", "geoNetwork", "totals", "visitId", "visitNumber", "visitStartTime")
DEVICE = ("deviceCategory", "operatingSystem", "browser")
PLACE = ("continent", "subContinent", "country")
UNKNOWN = "(not set)"
PURCHASE = "6"  # action_type of a completed purchase
CACHED = 50_000
HIT, PAGE_PATH, TYPE, ACTION = b"{'hitNumber': '", b"'page': {'pagePath': ", b"'type': '", b"'action_type': '"
HITS_IN_TOTALS = re.compile(rb'""hits"": ""(\d+)""')
TOKEN = re.compile(rb"'(?:[^'\\]|\\.)*'|\"\"(?:[^\"\\]|\\.)*\"\"", re.DOTALL)


class Row(NamedTuple):
    """One visit: ids, place in time, what was bought (revenue in millionths), static fields, pages in order."""

    visitor: bytes
    visit: int
    number: int
    start: int
    transactions: int
    revenue: int
    device: tuple[str, ...]
    place: tuple[str, ...]
    pages: list[str]
    bought: list[bool]


def csv_parser(header: bytes) -> Callable[[bytes], Row]:
    """Return the function that parses a line of a CSV with this header; raises ValueError if a column is absent."""
    names = [name.decode("utf-8", "replace") for name in split_csv(header.lstrip(b"\xef\xbb\xbf"))]
    absent = [name for name in NEEDED if name not in names]
    if absent:
        raise ValueError(f"the header lacks {', '.join(absent)}")
    device, visitor, place, totals, visit, number, start = (names.index(name) for name in NEEDED)
    hits, width = names.index("hits") if "hits" in names else None, len(names)

    def read(cells: list[bytes]) -> Row:
        if len(cells) != width:
            raise ValueError(f"{len(cells)} columns, expected {width}")
        pages, bought = ([], []) if hits is None else read_hits(cells[hits], cells[totals])
        return Row(
            _digits(cells[visitor], "fullVisitorId"),
            int(_digits(cells[visit], "visitId")),
            int(_digits(cells[number], "visitNumber")),
            int(_digits(cells[start], "visitStartTime")),
            *_totals_in(cells[totals]),
            _device_of(cells[device]),
            _place_in(cells[place]),
            pages,
            bought,
        )

    def parse(line: bytes) -> Row:
        try:
            return read(split_quickly(line, hits, width))
        except ValueError:  # a form that only the scan of every quote can tell, or a broken row, which it refuses
            return read(split_csv(line))

    return parse


def json_parser(line: bytes) -> Row:
    """Return the visit of one line of the warehouse's export; numbers may be strings, absent fields are unknown."""
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    pages, bought = _pages_of(found.get("hits") or [])
    return Row(
        _digits(found["fullVisitorId"], "fullVisitorId"),
        _whole(found["visitId"]),
        _whole(found["visitNumber"]),
        _whole(found["visitStartTime"]),
        *_bought_in(found.get("totals") or {}),
        _fields(found.get("device") or {}, DEVICE),
        _fields(found.get("geoNetwork") or {}, PLACE),
        pages,
        bought,
    )


def split_csv(line: bytes, most: int = -1, *, braces: bool = False) -> list[bytes]:
    """Return the cells of one CSV line (RFC 4180, no line break inside a cell) with quotes inside still doubled.

    The end of a quoted cell is a quote that no other one follows. With `braces`, the end of a cell that begins with a
    brace is looked for after another one, which passes the many doubled quotes of JSON by, and a cell that ends
    otherwise is not told from the next. After `most` cells the rest of the line is the last one, as it stands. Raises
    ValueError at a stray quote.
    """
    cells, at, end = [], 0, len(line)
    while end and line[end - 1] in b"\r\n":  # no copy of a long line
        end -= 1
    while len(cells) != most:
        if line[at : at + 1] == b'"':
            close, width = (b'}"', 2) if braces and line[at + 1 : at + 2] == b"{" else (b'"', 1)
            stop = line.find(close, at + 1)
            while stop >= 0 and line[stop + width : stop + width + 1] == b'"':
                stop = line.find(close, stop + width + 1)
            if stop < 0:
                raise ValueError("a quoted cell does not end")
            stop += width
            cells.append(line[at + 1 : stop - 1])
        else:
            stop = line.find(b",", at)
            stop = end if stop < 0 else stop
            cells.append(line[at:stop])
        if stop == end:
            return cells
        if line[stop : stop + 1] != b",":
            raise ValueError("text after the end of a quoted cell")
        at = stop + 1
    cells.append(line[at:end])
    return cells


def split_quickly(line: bytes, long: int | None, width: int) -> list[bytes]:
    """Return what `split_csv` returns for a line in the official form, without looking into the ``[...]`` at `long`.

    Cells after the long one are told from the right: a quote between a comma and a brace is no doubled one, so it
    begins a cell. Raises ValueError where that cannot tell. Of the long cell only the ends are looked at, and cells
    with braces are taken to hold JSON: whoever parses one refuses a wrong cut.
    """
    if long is None:
        return split_csv(line, braces=True)
    cells = split_csv(line, long, braces=True)
    rest, after = cells.pop(), []
    end = len(rest)
    while len(after) < width - long - 1:
        if rest[end - 2 : end] == b'}"':
            at = rest.rfind(b',"{', 0, end)
            after.append(rest[at + 2 : end - 1])
        else:
            at = rest.rfind(b",", 0, end)
            after.append(rest[at + 1 : end])
        if at < 0 or after[-1][-1:] == b'"':
            raise ValueError("a cell that cannot be told from the right")
        end = at
    if rest[:2] != b'"[' or rest[end - 2 : end] != b']"':
        raise ValueError("a long cell that holds no list")
    return [*cells, rest[1 : end - 1], *reversed(after)]


def read_hits(text: bytes, totals: bytes = b"") -> tuple[list[str], list[bool]]:
    """Return the pages seen, and for each whether it completed a purchase, of a ``hits`` cell with doubled quotes.

    Hits other than page views (events) are left out. The cell is a Python literal, or JSON. It is cut before each path,
    and parsed as a whole unless there are as many paths as `totals` says there are hits. So a text inside a hit (a
    title, a product) that itself looks like a path is not taken for one.
    """
    if text in (b"", b"[]"):
        return [], []
    parts, said = text.split(PAGE_PATH), HITS_IN_TOTALS.search(totals)
    alike = said is not None and int(said[1]) == len(parts) - 1
    if not alike or not text.startswith(b"[" + HIT) or text[-2:] != b"}]":
        return _pages_of(_literal(text.replace(b'""', b'"')))
    pages, bought = [], []
    for part in parts[1:]:
        kind = part.rfind(TYPE)
        if kind < 0:
            return _pages_of(_literal(text.replace(b'""', b'"')))
        if part[kind + 9 : kind + 14] == b"PAGE'":
            pages.append(_page(_string(part)))
            action = part.rfind(ACTION, 0, kind)
            bought.append(action >= 0 and part[action + 16 : action + 18] == b"6'")
    return pages, bought


def normalised(path: str) -> str:
    """Return a page's path in lower case without query, fragment, doubled and closing slashes."""
    path = path.split("?", 1)[0].split("#", 1)[0].lower()
    return "/" + "/".join(piece for piece in path.split("/") if piece)


def forget() -> None:
    """Empty the caches of this module."""
    for cached in (_device_of, _place_of, _page):
        cached.cache_clear()


@lru_cache(CACHED)
def _device_of(cell: bytes) -> tuple[str, ...]:
    return _fields(_object(cell), DEVICE)


def _place_in(cell: bytes) -> tuple[str, ...]:
    """The place; the visitor's network, of which there are too many to remember, is cut off where it comes after it."""
    head, network, _ = cell.partition(b', ""networkDomain""')
    return _place_of(head + b"}" if network and b'""country""' in head else cell)


@lru_cache(CACHED)
def _place_of(cell: bytes) -> tuple[str, ...]:
    return _fields(_object(cell), PLACE)


def _totals_in(cell: bytes) -> tuple[int, int]:
    """Transactions and revenue; a cell that names neither is not parsed."""
    if (b"ransactions" in cell or b"evenue" in cell) or cell[:1] != b"{" or cell[-1:] != b"}":
        return _bought_in(_object(cell))
    return 0, 0


@lru_cache(CACHED)
def _page(token: bytes | str) -> str:
    """The normalised path of a quoted Python string (with doubled quotes), or of a plain one."""
    if isinstance(token, str):
        return normalised(token)
    token = token.replace(b'""', b'"')
    return normalised(ast.literal_eval(token.decode("utf-8")) if b"\\" in token else token[1:-1].decode("utf-8"))


def _string(text: bytes) -> bytes:
    """The quoted Python string with which `text` begins, quotes still doubled."""
    if text[:1] == b"'":
        token = text[: text.find(b"'", 1) + 1]
        if len(token) > 1 and b"\\" not in token:
            return token
    found = TOKEN.match(text)
    if found is None:
        raise ValueError("a page without a path")
    return found.group()


def _object(cell: bytes) -> dict:
    found = json.loads(cell.replace(b'""', b'"'))
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    return found


def _literal(text: bytes) -> Any:
    try:
        return json.loads(text) if text[:3] == b'[{"' else ast.literal_eval(text.decode("utf-8"))
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"hits are no literal: {error}") from error


def _pages_of(hits: Any) -> tuple[list[str], list[bool]]:
    """Pages and purchases of parsed hits; a hit without a type or a page view counts as a page."""
    pages, bought = [], []
    for hit in hits:
        if hit.get("type", "PAGE") == "PAGE":
            page = hit.get("page")
            if page and page.get("pagePath") is not None:
                pages.append(_page(page["pagePath"]))
                action = hit.get("eCommerceAction")
                bought.append(bool(action) and str(action.get("action_type")) == PURCHASE)
    return pages, bought


def _fields(found: dict, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([str(found.get(name) or UNKNOWN) for name in names])


def _bought_in(totals: dict) -> tuple[int, int]:
    """Transactions and revenue; the first version of the CSV has no count, so revenue stands for one."""
    revenue = _whole(totals.get("totalTransactionRevenue") or totals.get("transactionRevenue") or 0)
    return _whole(totals.get("transactions") or (revenue > 0)), revenue


def _digits(value: Any, name: str) -> bytes:
    text = value if isinstance(value, bytes) else str(value).encode()
    if not text.isdigit():
        raise ValueError(
            f"{name} is {text[:30].decode('utf-8', 'replace')!r}, expected digits (ids are text, not numbers)"
        )
    return text


def _whole(value: Any) -> int:
    if isinstance(value, float) or int(value) < 0:
        raise ValueError(f"{value!r} is no whole number of at least 0")
    return int(value)
