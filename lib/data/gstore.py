"""The Google Merchandise Store's visits, read as a stream: a file of 25 GB needs memory for ids and page numbers only.

Official sources: the competition "Google Analytics Customer Revenue Prediction" (rules, account, no redistribution),
and the public sample ``bigquery-public-data.google_analytics_sample``. Both are supplied by the user.
"""

import gzip
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import IO

import numpy as np

from lib.data import store
from lib.data.errors import DataError
from lib.data.gstore_rows import Row, csv_parser, forget, json_parser
from lib.data.registry import entry

LONGEST = 64 << 20  # bytes of one line; a longer one is no visit
REPORT = 50_000  # rows between two reports of progress
BATCH = 100  # rows that are put into the columns at once; more would wake the garbage collector
Source = str | Path | IO[bytes]


@dataclass(frozen=True, eq=False)
class Visits:
    """Visits in the order of the files, n of them with t pages in all.

    Attributes:
        visitor: number of the visitor, ``(n,)``, place in `visitors`.
        visitors: ids as they are written (leading zeros count), bytes.
        visit: the visit's id, unique within a visitor, ``(n,)``. Two rows may share one: a visit over midnight has two.
        number: the visitor's how-many-th visit it is, from 1, ``(n,)``.
        start: seconds since 1970, ``(n,)``.
        transactions: purchases in the visit, ``(n,)``.
        revenue: millionths of the shop's currency, ``(n,)``.
        device: place in `devices`, ``(n,)``; `devices` holds (category, operating system, browser).
        place: place in `places`, ``(n,)``; `places` holds (continent, subcontinent, country).
        page: place in `pages`, ``(t,)``; visit i has ``page[offset[i] : offset[i + 1]]``.
        bought: whether the page completed a purchase, ``(t,)``.
        offset: ``(n + 1,)``.
        pages: normalised paths.
        broken: rows left out.
        reasons: row and reason of the first of them.
    """

    visitor: np.ndarray
    visitors: np.ndarray
    visit: np.ndarray
    number: np.ndarray
    start: np.ndarray
    transactions: np.ndarray
    revenue: np.ndarray
    device: np.ndarray
    devices: tuple[tuple[str, ...], ...]
    place: np.ndarray
    places: tuple[tuple[str, ...], ...]
    page: np.ndarray
    bought: np.ndarray
    offset: np.ndarray
    pages: tuple[str, ...]
    broken: int
    reasons: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.visitor)


def gstore(
    *,
    path: Source | Sequence[Source] | None = None,
    sha256: str | None = None,
    broken_share: float = 0.0,
    progress: Callable[[int], None] | None = None,
) -> Visits:
    """Return the visits of one file, or of several that belong together (shards of an export).

    The form is told from the first line: the competition's CSV (first or second version), or the warehouse's JSON
    lines; plain, gzip or zip. Reading is a stream; memory grows with the numbers of visits, pages seen and different
    visitors only. The official files' checksums are not known to us: with `sha256` (of one file) the file is verified
    before it is read, without it nothing is hashed.

    Args:
        path: file, open binary stream, or several of them.
        sha256: checksum that a single file must have.
        broken_share: largest share of broken rows that is left out; with 0 the first one is refused.
        progress: called with the number of rows read, now and then.

    Raises:
        DataError: for a missing file, a wrong checksum, another form, or more broken rows than allowed.
    """
    if path is None:
        raise DataError(f"gstore is read from files that you supply: {entry('gstore').by_hand}")
    sources = list(path) if isinstance(path, Sequence) and not isinstance(path, str) else [path]
    if sha256 is not None:
        if len(sources) != 1 or not isinstance(sources[0], str | Path):
            raise DataError("sha256 is the checksum of one file: pass one path, or none of it")
        store.verify_user_file(sources[0], sha256)
    table = _Columns()
    try:
        for source in sources:
            _read(source, table, broken_share, progress)
    finally:
        forget()
    if table.broken > broken_share * table.rows:
        raise DataError(
            f"{table.broken:,} of {table.rows:,} rows are broken, more than the share {broken_share:g}: "
            f"{table.reasons[0]}; download the file again"
        )
    if not len(table.start):
        raise DataError("the files hold no visit: expected the competition's CSV or the warehouse's JSON lines")
    return table.visits()


class _Numbers(dict):
    """The number of each value; a new one gets the next."""

    def __missing__(self, value: object) -> int:
        number = self[value] = len(self)
        return number


class _Columns:
    """Growing columns, eight bytes or less a value."""

    def __init__(self):
        self.visitors, self.devices, self.places, self.pages = _Numbers(), _Numbers(), _Numbers(), _Numbers()
        self.visitor, self.device, self.place, self.page = array("i"), array("i"), array("i"), array("i")
        self.visit, self.start, self.revenue, self.offset = array("q"), array("q"), array("q"), array("q", [0])
        self.number, self.transactions, self.bought = array("i"), array("i"), array("b")
        self.rows, self.broken, self.reasons = 0, 0, []

    def extend(self, rows: list[Row]) -> None:
        """Append many rows at once, and empty the list."""
        if rows:
            visitor, visit, number, start, transactions, revenue, device, place, pages, bought = zip(*rows, strict=True)
            self.visit.extend(visit)
            self.number.extend(number)
            self.start.extend(start)
            self.transactions.extend(transactions)
            self.revenue.extend(revenue)
            self.visitor.extend(map(self.visitors.__getitem__, visitor))
            self.device.extend(map(self.devices.__getitem__, device))
            self.place.extend(map(self.places.__getitem__, place))
            self.page.extend(map(self.pages.__getitem__, chain.from_iterable(pages)))
            self.bought.extend(chain.from_iterable(bought))
            self.offset.extend(islice(accumulate(map(len, pages), initial=self.offset[-1]), 1, None))
            rows.clear()

    def visits(self) -> Visits:
        kinds = {"i": np.int32, "q": np.int64, "b": np.bool_}
        columns = {name: np.frombuffer(value, kinds[value.typecode]) for name, value in vars(self).items()
                   if isinstance(value, array)}  # fmt: skip
        names = {name: tuple(getattr(self, name)) for name in ("devices", "places", "pages")}
        ids = np.array(list(self.visitors), dtype=np.bytes_)
        return Visits(visitors=ids, broken=self.broken, reasons=tuple(self.reasons), **columns, **names)


def _read(source: Source, table: _Columns, broken_share: float, progress: Callable[[int], None] | None) -> None:
    name = str(getattr(source, "name", source))
    with _opened(source) as stream:
        lines = _lines(stream, name)
        line = next(lines, b"")
        if line.lstrip()[:1] == b"{":
            parse, lines = json_parser, chain([line], lines)
        else:
            try:
                parse = csv_parser(line)
            except ValueError as error:
                raise DataError(
                    f"{name} is neither the competition's CSV ({error}) nor the warehouse's JSON lines"
                ) from error
        rows = []
        for number, line in enumerate(lines, start=1):
            try:
                rows.append(_whole_row(parse(line)))
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
                _note(table, f"{name}, row {number}: {type(error).__name__}, {error}", broken_share)
            table.rows += 1
            if len(rows) == BATCH:
                table.extend(rows)
            if progress is not None and table.rows % REPORT == 0:
                progress(table.rows)
        table.extend(rows)


def _whole_row(row: Row) -> Row:
    """Refuse numbers that do not fit before any column has grown."""
    _, visit, number, start, transactions, revenue, *_ = row
    if not (number < 1 << 31 and transactions < 1 << 31 and max(visit, start, revenue) < 1 << 63):
        raise ValueError("a number is too large")
    return row


def _note(table: _Columns, reason: str, broken_share: float) -> None:
    if broken_share <= 0:
        raise DataError(f"{reason}; download the file again, or allow a share of broken rows with broken_share=0.001")
    table.broken += 1
    if len(table.reasons) < 10:
        table.reasons.append(reason)


def _lines(stream: IO[bytes], name: str) -> Iterator[bytes]:
    try:
        while line := stream.readline(LONGEST):
            if len(line) == LONGEST:
                raise DataError(f"{name} has a line of over {LONGEST >> 20} MiB: it is not in either published form")
            yield line
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{name} is damaged ({error}): download it again") from error


@contextmanager
def _opened(source: Source) -> Iterator[IO[bytes]]:
    """Open a path, plain, gzip or zip by its first bytes; a stream is taken as it is."""
    if not isinstance(source, str | Path):
        yield source
        return
    path = Path(source).expanduser()
    if not path.is_file():
        raise DataError(f"{path} does not exist: pass the path of an existing file")
    with path.open("rb") as plain:
        magic = plain.read(4)
    if magic[:2] == b"\x1f\x8b":
        with gzip.open(path) as stream:
            yield stream
    elif magic == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(path) as archive:
                members = [member for member in archive.namelist() if not member.endswith("/")]
                if len(members) != 1:
                    raise DataError(f"{path} holds {len(members)} files: unpack it and pass the one to read")
                with archive.open(members[0]) as stream:
                    yield stream
        except zipfile.BadZipFile as error:
            raise DataError(f"{path} is damaged ({error}): download it again") from error
    else:
        with path.open("rb", buffering=1 << 20) as stream:
            yield stream
