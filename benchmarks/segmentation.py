"""The allocation of a million users, and the loaders of visits: seconds of one thread, and memory."""

import time

import numpy as np

from benchmarks.lines import target
from lib.profiling import fixed_threads, process_peak
from lib.segmentation.allocation import allocate, count_users, segment_totals
from lib.segmentation.budget_curve import budget_curve
from lib.segmentation.media import draw_media, full_price

SEGMENTS, MEDIA, CELLS = 20, 5, 64


def measure(*, users=1_000_000, repeats=3) -> dict:
    """Return seconds of processor time to aggregate and solve, the gain's distance from the exact curve, and memory."""
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
    }


def rows(found: dict) -> list[dict]:
    """Rows on the allocation."""
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
