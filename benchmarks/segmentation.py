"""The allocation of a million users, and the loaders of visits: seconds of one thread, and memory."""

import io
import time

import numpy as np

from benchmarks.lines import target
from benchmarks.visit_files import csv_bytes, json_lines, made_visits
from lib.data.gstore import gstore
from lib.profiling import fixed_threads, process_peak
from lib.segmentation.allocation import allocate, count_users, segment_totals
from lib.segmentation.budget_curve import budget_curve
from lib.segmentation.media import draw_media, full_price

SEGMENTS, MEDIA, CELLS = 20, 5, 64
FORMS = {
    "competition's CSV, second version": csv_bytes,
    "competition's CSV, first version": lambda visits, **header: csv_bytes(visits, first=True, **header),
    "warehouse's export of the fields that are read": lambda visits, **_: json_lines(visits, lean=True),
}


def measure(*, users=1_000_000, repeats=3, visits=8000, long=1_700_000) -> dict:
    """Return seconds of processor time to aggregate and solve, the gain's distance from the exact curve, and memory.

    Also visits read in a second of processor time in each published form, the best of `repeats` over `visits` made-up
    ones from memory, and the memory that a file of `long` visits takes (1.7 million: the largest official one).
    """
    with fixed_threads(1):
        hard, soft = (min(_seconds(users, kind) for _ in range(repeats)) for kind in (False, True))
    peaks = {count: process_peak(one_allocation, count).extra_bytes / count for count in (users, 4 * users)}
    return {
        "users": users,
        "seconds": hard,
        "soft_seconds": soft,
        "difference": _difference(users),
        "bytes_a_user": peaks[users],
        "memory_growth": peaks[4 * users] / peaks[users],
        "forms": {name: _reading(write, visits, repeats) for name, write in FORMS.items()},
        "long": {"visits": long, "peak_mib": process_peak(read_long, long).extra_bytes / 2**20},
    }


def rows(found: dict) -> list[dict]:
    """Rows on the allocation and on the loader."""
    forms = [
        target(
            f"Google Merchandise Store, {name}, {form['bytes']:,.0f} bytes a visit",
            "load('gstore')",
            f"{form['rate']:,.0f} visits/s, {form['rate'] * form['bytes'] / 1e6:.0f} MB/s",
            "50,000 visits/s",
            form["rate"] >= 50_000,
        )
        for name, form in found["forms"].items()
    ]
    long = found["long"]
    size = f"{found['users']:,} users, {SEGMENTS} segments, {MEDIA} media, {CELLS} static cells"
    return [
        target(
            f"Budgeted allocation, aggregation and linear program: {size}",
            "allocate",
            f"{found['seconds']:.2f} s, {found['soft_seconds']:.2f} s with soft segments, gain within "
            f"{found['difference']:.0e} of the exact curve",
            "under 5 s",
            max(found["seconds"], found["soft_seconds"]) < 5 and found["difference"] < 1e-6,
        ),
        target(
            "The same with four times the users: memory a user",
            "count_users",
            f"{found['bytes_a_user']:.0f} bytes a user with the input, {found['memory_growth']:.2f} times that",
            "at most 1.1 times",
            found["memory_growth"] <= 1.1,
        ),
        *forms,
        target(
            f"A stream of {long['visits']:,} visits of nearly as many visitors",
            "load('gstore')",
            f"{long['peak_mib']:.0f} MiB",
            "at most 1 GiB",
            long["peak_mib"] <= 1024,
        ),
    ]


def one_allocation(users: int) -> None:
    """Draw users, aggregate them and solve, in one process."""
    segment, cell, media = _users(users, soft=False)
    _solve(segment, cell, media)


def _users(users: int, *, soft: bool):
    rng = np.random.default_rng(0)
    segment = rng.integers(SEGMENTS, size=users, dtype=np.int32)
    cell = rng.integers(CELLS, size=users, dtype=np.int32)
    # Segments lean to cells of their own, so that the program has something to choose.
    cell = np.where(rng.random(users, dtype=np.float32) < 0.5, segment * 3, cell).astype(np.int32)
    if soft:
        memberships = rng.random((users, SEGMENTS), dtype=np.float32)
        segment = memberships / memberships.sum(axis=1, keepdims=True)
    return segment, cell, draw_media(rng, np.arange(CELLS) % 2, media=MEDIA)


def _solve(segment, cell, media):
    counts = count_users(segment, cell, segments=SEGMENTS, cells=CELLS)
    totals, budget = segment_totals(counts, media), 0.15 * full_price(counts, media)
    return totals, budget, allocate(totals, budget)


def _seconds(users: int, soft: bool) -> float:
    made = _users(users, soft=soft)
    start = time.process_time()
    _solve(*made)
    return time.process_time() - start


def _difference(users: int) -> float:
    totals, budget, plan = _solve(*_users(users, soft=False))
    return abs(plan.gain / float(budget_curve(totals).gain_at(budget)) - 1)


class Repeated(io.RawIOBase):
    """A stream of lines that repeats a block of visits under ever new ids, so that no long file has to exist."""

    def __init__(self, visits: int, block: int = 2000):
        self.lines = csv_bytes(made_visits(block, products=0)).splitlines(keepends=True)
        self.left, self.at = visits, 0

    def readline(self, limit: int = -1) -> bytes:
        """Return the header, then one visit after another."""
        if self.at > self.left:
            return b""
        self.at += 1
        if self.at == 1:
            return self.lines[0]
        head, place, rest = self.lines[1 + self.at % (len(self.lines) - 1)].partition(b'""deviceCategory""')
        start = rest.index(b"}") + 3
        return head + place + rest[:start] + b"%019d" % self.at + rest[start + 19 :]


def read_long(visits: int) -> None:
    """Read a stream of so many visits, each of another visitor."""
    found = gstore(path=Repeated(visits))
    if not len(found) == len(found.visitors) == visits:
        raise AssertionError(f"{len(found):,} visits of {len(found.visitors):,} visitors instead of {visits:,}")


def _reading(write, visits: int, repeats: int) -> dict:
    content, seconds = write(made_visits(visits)), []
    for _ in range(repeats):
        start = time.process_time()
        found = gstore(path=io.BytesIO(content))
        seconds.append(time.process_time() - start)
    if len(found) != visits or found.broken:
        raise AssertionError(f"{len(found)} of {visits} visits were read; nothing is timed")
    return {"bytes": len(content) / visits, "rate": visits / min(seconds)}
