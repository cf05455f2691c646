"""Users of a shop from its visits, with the rules that keep the outcome out of the behaviour (specification 9.7).

1. Behaviour is what happened before a cut date, conversion what happened in a full horizon after it.
2. A session that reaches over the cut is no behaviour at all. Rows of a visitor with one visit id (a visit over
   midnight has two) are one session.
3. Pages that complete a purchase are no behaviour, wherever they are.
4. A visitor is in one part only (training, validation, test), by its id and nothing else.
5. Page vocabulary and static cells are learnt from the visitors of the training part.
6. Only training users are thinned out, and their weights say by how much.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from lib.data.gstore import Visits

DAY = 86_400
COMPLETED = "/ordercompleted"  # the shop's page after a purchase
TRAIN, VALIDATION, TEST = 0, 1, 2


@dataclass(frozen=True, eq=False)
class ShopUsers:
    """Users with behaviour before the cut, N of them, in the order of their numbers in the visits.

    Attributes:
        pages: page numbers from 1, ``(N, S, P)`` int16, sessions in time, 0 is padding at the end; the last number is
            "any other page".
        cell: static cell, ``(N,)``.
        outcome: 1 for a purchase within the horizon after the cut, ``(N,)``.
        part: 0 training, 1 validation, 2 test, ``(N,)``.
        visitor: number of the visitor in the visits, ``(N,)``.
        vocabulary: paths of the pages 1, 2, ...; "any other page" has none.
        cells: names of the static cells; the last one holds all the rarer ones.
    """

    pages: np.ndarray
    cell: np.ndarray
    outcome: np.ndarray
    part: np.ndarray
    visitor: np.ndarray
    vocabulary: tuple[str, ...]
    cells: tuple[str, ...]

    @property
    def n_pages(self) -> int:
        """Number of different pages, "any other page" included."""
        return len(self.vocabulary) + 1

    @property
    def n_cells(self) -> int:
        """Number of static cells."""
        return len(self.cells)


def shop_users(
    visits: Visits,
    *,
    cut: int,
    horizon_days: int = 90,
    sessions: int = 20,
    length: int = 30,
    vocabulary: int = 500,
    cells: int = 60,
    min_pages: int = 2,
    shares: tuple[float, float, float] = (0.7, 0.1, 0.2),
    salt: str = "",
) -> ShopUsers:
    """Return the users of `visits` by the rules above.

    Args:
        visits: what `lib.data.load("gstore")` returns.
        cut: seconds since 1970; midnight in the shop's time zone splits no session.
        horizon_days: days after the cut in which a purchase counts; the visits must reach so far.
        sessions: the last so many sessions of a user are kept.
        length: the last so many pages of a session are kept.
        vocabulary: number of pages that have a number of their own, the most frequent in training.
        cells: largest number of static cells (device category, operating system, continent of the last visit before
            the cut), the most frequent in training.
        min_pages: users with fewer pages before the cut are left out.
        shares: of training, validation and test users.
        salt: another text gives another split.

    Raises:
        ValueError: if the cut or the horizon lies outside the visits, or no user is left for training.
    """
    _check(visits, cut, horizon_days, sessions, length, vocabulary, cells, shares)
    row, session = _sessions_before(visits, cut)
    page, owner = _behaviour_pages(visits, row)
    seen = np.bincount(visits.visitor[owner], minlength=len(visits.visitors))
    visitor = np.flatnonzero(seen >= max(min_pages, 1))
    part = np.full(len(visits.visitors), -1)
    part[visitor] = _parts(visits.visitors[visitor], shares, salt)
    if not (part == TRAIN).any():
        raise ValueError("no user is left for training: take a later cut, fewer min_pages or another split")
    number, words = _vocabulary(visits.pages, page[part[visits.visitor[owner]] == TRAIN], vocabulary)
    place = np.full(len(visits.visitors), -1, dtype=np.int32)
    place[visitor] = np.arange(len(visitor))
    table = _table(place[visits.visitor[owner]], session[owner], number[page], len(visitor), sessions, length)
    bought = (visits.start >= cut) & (visits.start < cut + horizon_days * DAY)
    bought &= (visits.transactions > 0) | (visits.revenue > 0)
    outcome = np.isin(visitor, visits.visitor[bought]).astype(np.int64)
    cell, names = _cells(visits, row, visitor, part[visitor] == TRAIN, cells)
    return ShopUsers(table, cell, outcome, part[visitor], visitor, words, names)


def training_rows(users: ShopUsers, *, negatives: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return rows to train on and their weights: all buyers, and at most `negatives` others for each of them.

    The weights of the others make up for those left out, so weighted sums over the rows are in the mean sums over the
    training users. Validation and test users are never thinned out.
    """
    if negatives <= 0:
        raise ValueError("keep more than 0 other users for each buyer")
    train = np.flatnonzero(users.part == TRAIN)
    buyers, others = train[users.outcome[train] == 1], train[users.outcome[train] == 0]
    kept = min(len(others), max(1, round(negatives * len(buyers))))
    chosen = rng.choice(others, kept, replace=False) if kept < len(others) else others
    rows = np.sort(np.concatenate([buyers, chosen]))
    return rows, np.where(users.outcome[rows] == 1, 1.0, len(others) / max(kept, 1))


def _check(visits, cut, horizon_days, sessions, length, vocabulary, cells, shares) -> None:
    first, last = int(visits.start.min()), int(visits.start.max())
    if not first < cut <= last:
        raise ValueError(f"the cut {cut} lies outside the visits, {first} to {last}: take one between")
    if cut + horizon_days * DAY > last + DAY:
        raise ValueError(
            f"the visits end {(last - cut) / DAY:.1f} days after the cut: purchases within {horizon_days} days are not "
            "all known; take an earlier cut or a shorter horizon"
        )
    if min(sessions, length, vocabulary, cells, horizon_days) < 1 or vocabulary > 30_000:
        raise ValueError("sessions, length, vocabulary (30,000 at most), cells and horizon_days are at least 1")
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:
        raise ValueError("shares of training, validation and test are three numbers of at least 0 that sum to 1")


def _sessions_before(visits: Visits, cut: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of sessions that lie before the cut as a whole, in time, and the session number of every row."""
    order = np.lexsort((np.arange(len(visits)), visits.start, visits.visit, visits.visitor))
    same = (np.diff(visits.visitor[order]) == 0) & (np.diff(visits.visit[order]) == 0)
    label = np.empty(len(visits), dtype=np.int32)
    label[order] = np.concatenate([[0], np.cumsum(~same)])
    count = int(label.max()) + 1
    first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(first, label, visits.start)
    np.maximum.at(last, label, visits.start)
    # Sessions are numbered in time within their visitor, rows of one session stay together.
    rank, owner = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int32)
    owner[label] = visits.visitor
    rank[np.lexsort((np.arange(count), first, owner))] = np.arange(count)
    row = np.flatnonzero(last[label] < cut).astype(np.int32)
    session = rank[label]
    return row[np.lexsort((row, visits.start[row], session[row]))], session


def _behaviour_pages(visits: Visits, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pages of the rows, one after another, without those that complete a purchase; and the row of each."""
    sizes = np.diff(visits.offset)[row]
    owner = np.repeat(row, sizes)
    ends = np.cumsum(sizes)
    at = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - sizes, sizes) + visits.offset[owner]
    completes = np.array([path.startswith(COMPLETED) for path in visits.pages], dtype=bool)
    page = visits.page[at]
    keep = ~visits.bought[at] & ~completes[page] if len(page) else np.zeros(0, dtype=bool)
    return page[keep], owner[keep]


def _parts(ids: np.ndarray, shares: tuple[float, float, float], salt: str) -> np.ndarray:
    """Part of each visitor, from a checksum of its id."""
    start = zlib.crc32(salt.encode())
    draw = np.array([zlib.crc32(one, start) for one in ids.tolist()], dtype=np.float64) / 2**32
    return np.searchsorted(np.cumsum(shares)[:2], draw, side="right")


def _vocabulary(paths: tuple[str, ...], page: np.ndarray, size: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Number of every page, from 1, and the paths that have one of their own; ties go by name."""
    counts, names = np.bincount(page, minlength=len(paths)), np.array(paths, dtype=str)
    order = np.lexsort((names, -counts))[:size]
    order = order[counts[order] > 0]
    number = np.full(len(paths), len(order) + 1, dtype=np.int16)
    number[order] = np.arange(1, len(order) + 1)
    return number, tuple(names[order].tolist())


def _table(user, session, number, users: int, sessions: int, length: int) -> np.ndarray:
    """Page numbers by user, session and position; the arguments are one entry a page, in the order of sessions."""
    kept = user >= 0
    user, session, number = user[kept], session[kept], number[kept]
    new = np.concatenate([[True], np.diff(session) != 0])[: len(session)]
    which = np.cumsum(new, dtype=np.int32) - 1
    owner, size = user[new], np.bincount(which)
    last = np.bincount(owner, minlength=users)
    before = np.cumsum(last) - last
    slot = np.arange(len(owner)) - before[owner] - np.maximum(last[owner] - sessions, 0)
    first = np.cumsum(size) - size + np.maximum(size - length, 0)  # entry of the first page that is kept
    position = np.arange(len(which), dtype=np.int32) - first.astype(np.int32)[which]
    keep = (slot[which] >= 0) & (position >= 0)
    shape = (users, int(min(sessions, last.max())), int(min(length, size.max())))
    table = np.zeros(shape, dtype=np.int16)
    table[user[keep], slot[which][keep], position[keep]] = number[keep]
    return table


def _cells(visits: Visits, row, visitor, train, most: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Static cell of each user from its last row before the cut, and the cells' names."""
    last = np.zeros(len(visits.visitors), dtype=np.int64)
    last[visits.visitor[row]] = row  # rows are in time within a visitor, the last one stays
    at = last[visitor]
    kinds, where = np.unique(np.stack([visits.device[at], visits.place[at]], axis=1), axis=0, return_inverse=True)
    names = [" / ".join([*visits.devices[device][:2], visits.places[place][0]]) for device, place in kinds]
    names, merged = np.unique(np.array(names, dtype=str), return_inverse=True)
    cell = merged[where.ravel()]
    counts = np.bincount(cell[train], minlength=len(names))
    order = np.lexsort((names, -counts))
    order = order[counts[order] > 0][: most - 1]
    number = np.full(len(names), len(order))
    number[order] = np.arange(len(order))
    return number[cell], (*names[order].tolist(), "other")
