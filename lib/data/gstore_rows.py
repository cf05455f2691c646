"""One visit of the Google Merchandise Store from one line, in either published form. Values only, no files.

The competition's CSV has JSON in the columns ``device``, ``geoNetwork``, ``totals`` and ``trafficSource``, and in its
second version Python literals in ``hits`` and ``customDimensions``. The warehouse exports one JSON object a line. A
visit of the second version takes about 15 kB, nearly all of it in ``hits``. So that text is passed once and never
copied: its end is looked for from the right end of the line, pages are cut out of it, and it is parsed only where
cutting could go wrong. Cells keep their doubled quotes until somebody reads them.
"""

import ast
import json
from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Any

OFFICIAL = (
    "channelGrouping", "customDimensions", "date", "device", "fullVisitorId", "geoNetwork", "hits",
    "socialEngagementType", "totals", "trafficSource", "visitId", "visitNumber", "visitStartTime",
)  # fmt: skip
NEEDED = ("fullVisitorId", "visitId", "visitNumber", "visitStartTime", "totals", "device", "geoNetwork")
DEVICE = ("deviceCategory", "operatingSystem", "browser")
PLACE = ("continent", "subContinent", "country")
UNKNOWN = "(not set)"
PURCHASE = "6"  # action_type of a completed purchase
CACHED = 50_000
HIT, PAGE_PATH, TYPE, ACTION = b"[{'hitNumber': '", b"'page': {'pagePath': ", b"'type': '", b"'action_type': '"
APART = 1000  # bytes from one path to the next that are not looked at: the names of a hit's fields alone take more


# One visit: visitor, visit, number, start, transactions, revenue in millionths, device, place, pages in order, and for
# each whether it completed a purchase. Plain tuples, since millions of them are made.
Row = tuple[bytes, int, int, int, int, int, tuple[str, ...], tuple[str, ...], list[str], list[bool]]
# Its line cut up: the cells of `NEEDED`, quotes inside still doubled, and where the hits begin and end in the line.
Cut = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, int, int]


def csv_parser(header: bytes) -> Callable[[bytes], Row]:
    """Return the function that parses a line of a CSV with this header; raises ValueError if a column is absent."""
    names = [name.decode("utf-8", "replace") for name in split_csv(header.lstrip(b"\xef\xbb\xbf"))]
    absent = [name for name in NEEDED if name not in names]
    if absent:
        raise ValueError(f"the header lacks {', '.join(absent)}")
    wanted, width = itemgetter(*(names.index(name) for name in NEEDED)), len(names)
    hits, official = names.index("hits") if "hits" in names else None, names == list(OFFICIAL)

    def whole(line: bytes, *, braces: bool = False) -> Row:
        cells = split_csv(line, braces=braces)
        if len(cells) != width:
            raise ValueError(f"{len(cells)} columns, expected {width}")
        text = b"" if hits is None else cells[hits]
        return _row(text, (*wanted(cells), 0, len(text)))

    def parse(line: bytes) -> Row:
        try:
            return _row(line, cut_official(line)) if official else whole(line, braces=True)
        except ValueError:  # a form that only the scan of every quote can tell, or a broken row, which it refuses
            return whole(line)

    return parse


def _row(line: bytes, cut: Cut) -> Row:
    visitor, visit, number, start, totals, device, place, begin, end = cut
    if not (visitor and (visitor + visit + number + start).isdigit()):
        for value, name in zip(cut[:4], NEEDED[:4], strict=True):
            _digits(value, name)
    transactions, revenue = _totals_in(totals)
    pages, bought = read_hits(line, totals, begin, end) if begin < end else ([], [])
    return (
        visitor, int(visit), int(number), int(start), transactions, revenue, _device_of(device), _place_in(place),
        pages, bought,
    )  # fmt: skip


def json_parser(line: bytes) -> Row:
    """Return the visit of one line of the warehouse's export; numbers may be strings, absent fields are unknown."""
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    pages, bought = _pages_of(found.get("hits") or [])
    transactions, revenue = _bought_in(found.get("totals") or {})
    return (
        _digits(found["fullVisitorId"], "fullVisitorId"), _whole(found["visitId"]), _whole(found["visitNumber"]),
        _whole(found["visitStartTime"]), transactions, revenue, _fields(found.get("device") or {}, DEVICE),
        _fields(found.get("geoNetwork") or {}, PLACE), pages, bought,
    )  # fmt: skip


def split_csv(line: bytes, *, braces: bool = False) -> list[bytes]:
    """Return the cells of one CSV line (RFC 4180, no line break inside a cell) with quotes inside still doubled.

    The end of a quoted cell is a quote that no other one follows. With `braces`, the end of a cell that begins with a
    brace is looked for after another one, which passes the many doubled quotes of JSON by, and a cell that ends
    otherwise is not told from the next. Raises ValueError at a stray quote.
    """
    cells, at, end = [], 0, len(line)
    while end and line[end - 1] in b"\r\n":  # no copy of a long line
        end -= 1
    while True:
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


def cut_official(line: bytes) -> Cut:
    """Return what is read of a line whose columns are `OFFICIAL`, without looking into the ``[...]`` of its hits.

    A quote between a comma and a brace is no doubled one, so it begins or ends a cell: cells before the hits are told
    from the left, those after from the right. Raises ValueError where that cannot tell. Of the hits only the ends are
    looked at, and cells with braces are taken to hold JSON: whoever parses one refuses a wrong cut.
    """
    device = line.find(b',"{')
    visitor = _after_braces(line, device)
    place = line.find(b',"{', visitor)
    begin = _after_braces(line, place)
    last = line[-64:].rstrip(b"\r\n").rsplit(b",", 3)
    source = line.rfind(b',"{', begin)
    totals = line.rfind(b',"{', begin, source)
    end = line.rfind(b",", begin, totals)
    found = 0 <= device < visitor - 2 < place < begin - 2 and begin < end < totals < source
    if (
        not found
        or line[begin : begin + 2] != b'"['
        or line[end - 2 : end] != b']"'
        or line[source - 2 : source] != b'}"'
    ):
        raise ValueError("cells that cannot be told from the ends of the line")
    if len(last) != 4 or last[0][-2:] != b'}"' or not _three_cells(line[:device]):
        raise ValueError("another number of columns before or after")
    return (
        line[visitor:place], *last[1:], line[totals + 2 : source - 1], line[device + 2 : visitor - 2],
        line[place + 2 : begin - 2], begin + 1, end - 1,
    )  # fmt: skip


def _after_braces(line: bytes, at: int) -> int:
    """Where the cell begins that follows one with braces; a single character is looked for much faster than three."""
    at = line.find(b"}", at)
    return at + 3 if line.startswith(b'",', at + 1) else line.find(b'}",', at) + 3


@lru_cache(CACHED)
def _three_cells(head: bytes) -> bool:
    return len(split_csv(head)) == 3


def read_hits(line: bytes, totals: bytes = b"", begin: int = 0, end: int | None = None) -> tuple[list[str], list[bool]]:
    """Return the pages seen, and for each whether it completed a purchase, of a ``hits`` cell with doubled quotes.

    The cell is ``line[begin:end]``, a Python literal or JSON. Hits other than page views (events) are left out. It is
    cut at each path, and parsed as a whole unless there are as many paths as `totals` says there are hits. So a text
    inside a hit (a title, a product) that itself looks like a path is not taken for one, and no path is passed over.
    """
    end = len(line) if end is None else end
    find, rindex, startswith, pages, bought = line.find, line.rindex, line.startswith, [], []
    at, found = find(PAGE_PATH, begin, end) if totals and startswith(HIT, begin) else -1, 0
    try:
        while at >= 0:
            found += 1
            path = at + len(PAGE_PATH)
            at = find(PAGE_PATH, path + APART, end)
            kind = rindex(TYPE, path, at if at >= 0 else end)
            if startswith(b"PAGE'", kind + 9):
                pages.append(_page_at(line[path : line.index(b"'", path + 1, kind)]))
                bought.append(startswith(b"6'", rindex(ACTION, path, kind) + 16))
        if found and b'""hits"": ""%d""' % found in totals and line[end - 2 : end] == b"}]":
            return pages, bought
    except ValueError:  # a hit without a type or an action, or a path that is not plainly quoted
        pass
    text = line[begin:end]
    return ([], []) if text in (b"", b"[]") else _pages_of(_literal(text.replace(b'""', b'"')))


def normalised(path: str) -> str:
    """Return a page's path in lower case without query, fragment, doubled and closing slashes."""
    path = path.split("?", 1)[0].split("#", 1)[0].lower()
    return "/" + "/".join(piece for piece in path.split("/") if piece)


def forget() -> None:
    """Empty the caches of this module."""
    for cached in (_device_of, _place_of, _place_before, _page, _page_at, _three_cells):
        cached.cache_clear()


@lru_cache(CACHED)
def _device_of(cell: bytes) -> tuple[str, ...]:
    return _fields(_object(cell), DEVICE)


def _place_in(cell: bytes) -> tuple[str, ...]:
    """The place; the visitor's network, of which there are too many to remember, is cut off where it comes after it."""
    network = cell.find(b', ""networkDomain""')
    return (_place_before(cell[:network]) if network >= 0 else None) or _place_of(cell)


@lru_cache(CACHED)
def _place_before(head: bytes) -> tuple[str, ...] | None:
    """The place in the beginning of a cell, None if it is not all there."""
    return _fields(_object(head + b"}"), PLACE) if b'""country""' in head else None


@lru_cache(CACHED)
def _place_of(cell: bytes) -> tuple[str, ...]:
    return _fields(_object(cell), PLACE)


def _totals_in(cell: bytes) -> tuple[int, int]:
    """Transactions and revenue; a cell that names neither is not parsed."""
    if (b"ransactions" in cell or b"evenue" in cell) or cell[:1] != b"{" or cell[-1:] != b"}":
        return _bought_in(_object(cell))
    return 0, 0


_page = lru_cache(CACHED)(normalised)


@lru_cache(CACHED)
def _page_at(start: bytes) -> str:
    """The normalised path of a Python string up to its closing quote; ValueError if it holds escapes or is none."""
    if start[:1] != b"'" or b"\\" in start:
        raise ValueError("no plainly quoted path")
    return normalised(start[1:].replace(b'""', b'"').decode("utf-8"))


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
