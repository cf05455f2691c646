"""The budgeted allocation of segments to media: totals of segments, and the exact plan as a linear program.

The paper's own delivery model is not known to us; this is our reconstruction (specification 3.4).
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack, identity, vstack

from lib.segmentation.media import Media


@dataclass(frozen=True)
class Totals:
    """Sums over a segment's users if all of them are targeted in a medium.

    Attributes:
        gain: expected exposures, or their value, ``(K, M)``.
        cost: expected money, ``(K, M)``.
    """

    gain: np.ndarray
    cost: np.ndarray

    def __post_init__(self) -> None:
        if self.gain.ndim != 2 or self.gain.shape != self.cost.shape:
            raise ValueError("gain and cost are (segments, media): give two arrays of one shape")
        for name in ("gain", "cost"):
            values = getattr(self, name)
            if not (np.isfinite(values) & (values >= 0)).all():
                raise ValueError(f"{name} must be finite and at least 0")


@dataclass(frozen=True)
class Plan:
    """Which share of a segment is sent through which medium, and what comes of it.

    Attributes:
        share: ``(K, M)`` in [0, 1].
        gain: expected exposures, or their value.
        spend: expected money.
        price: dual price of the budget, gain for one more unit of money; NaN for a plan that knows none.
    """

    share: np.ndarray
    gain: float
    spend: float
    price: float = float("nan")


def count_users(
    segment: np.ndarray, cell: np.ndarray, *, segments: int, cells: int, weight: np.ndarray | None = None
) -> np.ndarray:
    """Return how many users each segment has in each static cell, ``(K, V)`` float64.

    Args:
        segment: segment of each user ``(N,)`` int, or membership probabilities ``(N, K)``.
        cell: static cell of each user ``(N,)`` int.
        segments: K.
        cells: V.
        weight: weight of each user ``(N,)``, for instance its conversion; 1 without one.

    Time O(N) for hard and O(N K) for soft segments; memory beyond the arguments O(N), one vector of users at a time.
    """
    cell = np.asarray(cell)
    if cell.ndim != 1 or len(segment) != len(cell) or (weight is not None and np.shape(weight) != cell.shape):
        raise ValueError("segment, cell and weight must have one entry a user")
    if len(cell) and (cell.min() < 0 or cell.max() >= cells):
        raise ValueError(f"cells are numbered from 0 to {cells - 1}: found {cell.min()} to {cell.max()}")
    segment = np.asarray(segment)
    if segment.ndim == 2:
        if segment.shape[1] != segments:
            raise ValueError(f"memberships have {segment.shape[1]} columns for {segments} segments")
        weights = (segment[:, k] if weight is None else segment[:, k] * weight for k in range(segments))
        return np.stack([np.bincount(cell, weights=one, minlength=cells) for one in weights])
    if len(segment) and (segment.min() < 0 or segment.max() >= segments):
        raise ValueError(f"segments are numbered from 0 to {segments - 1}: found {segment.min()} to {segment.max()}")
    place = segment.astype(np.int64)
    place *= cells
    place += cell
    found = np.bincount(place, weights=weight, minlength=segments * cells)
    return found.reshape(segments, cells).astype(np.float64)


def segment_totals(
    counts: np.ndarray, media: Media, *, charge: str = "targeted", value: np.ndarray | None = None
) -> Totals:
    """Return gain ``sum_v n_kv w_kv e_vm`` and cost ``sum_v n_kv q_vm`` of each segment in each medium (3.4).

    Args:
        counts: users by segment and cell ``(K, V)``, see `count_users`.
        media: what the media do.
        charge: charging basis, see `Media.charge`.
        value: value w of one exposure, ``(K,)`` by segment or ``(K, V)``; 1 without one.
    """
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[1] != len(media.match):
        raise ValueError(f"counts are (segments, cells) with {len(media.match)} cells, found shape {counts.shape}")
    valued = counts
    if value is not None:
        value = np.asarray(value, dtype=np.float64)
        valued = counts * (value[:, None] if value.ndim == 1 else value)
    return Totals(valued @ media.exposure, counts @ media.charge(charge))


def user_totals(segment: np.ndarray, gain: np.ndarray, cost: np.ndarray, *, segments: int) -> Totals:
    """Return the totals of users that have gains and costs of their own, ``(N, M)`` each, instead of a cell's.

    `segment` is ``(N,)`` int or ``(N, K)`` memberships; memory beyond the arguments is O(N).
    """
    segment = np.asarray(segment)
    if segment.ndim == 2:
        return Totals(segment.T @ gain, segment.T @ cost)
    sums = [
        np.stack([np.bincount(segment, weights=column, minlength=segments) for column in np.asarray(table).T], axis=1)
        for table in (gain, cost)
    ]
    return Totals(*sums)


def allocate(
    totals: Totals,
    budget: float,
    *,
    lower: np.ndarray | float = 0.0,
    upper: np.ndarray | float = 1.0,
    one_message: bool = True,
) -> Plan:
    """Return the plan of largest gain within `budget`, by an exact linear program (HiGHS dual simplex).

    ``max sum G a`` subject to ``sum C a <= budget``, ``lower <= a <= upper`` and, with `one_message`,
    ``sum_m a_km <= 1``: a user gets one message at most. Fix a medium by equal `lower` and `upper`, each a number or
    ``(K, M)``. The solution is a vertex, so without such bounds at most K + 1 shares are not 0 (S1).

    Raises ValueError if the budget is negative or the fixed shares alone exceed it or a segment.
    """
    gain, cost = totals.gain, totals.cost
    if not (np.isfinite(budget) and budget >= 0):
        raise ValueError(f"the budget is {budget}: give a finite amount of at least 0")
    low, high = (np.broadcast_to(np.asarray(bound, dtype=np.float64), gain.shape) for bound in (lower, upper))
    if not ((low >= 0) & (low <= high) & (high <= 1)).all():
        raise ValueError("shares are bounded by 0 <= lower <= upper <= 1")
    scale = _scales(gain, cost, budget)
    money = csr_array(cost.reshape(1, -1) / scale[1])
    rows, limits = [money], [budget / scale[1]]
    if one_message:
        rows.append(_row_sums(*gain.shape))
        limits += [1.0] * len(gain)
    found = linprog(
        -gain.ravel() / scale[0],
        A_ub=vstack(rows, format="csr"),
        b_ub=limits,
        bounds=np.stack([low.ravel(), high.ravel()], axis=1),
        method="highs-ds",
    )
    if found.status == 2:
        raise ValueError("no plan fits: the least shares alone exceed the budget or a segment; lower them")
    if found.status != 0:
        raise ValueError(f"the linear program was not solved: {found.message}")
    share = _within(found.x.reshape(gain.shape).clip(low, high), cost, budget, low, one_message)
    price = max(0.0, -float(found.ineqlin.marginals[0])) * scale[0] / scale[1]
    return evaluated(share, totals, price=price)


def evaluated(share: np.ndarray, totals: Totals, *, price: float = float("nan")) -> Plan:
    """Return the plan with shares `share` ``(K, M)`` and its gain and spend."""
    return Plan(share, float((totals.gain * share).sum()), float((totals.cost * share).sum()), price)


def _scales(gain: np.ndarray, cost: np.ndarray, budget: float) -> tuple[float, float]:
    """Units of gain and of money that keep the program's numbers near 1, whatever the currency."""
    return float(gain.max(initial=0)) or 1.0, budget or float(cost.max(initial=0)) or 1.0


def _row_sums(segments: int, media: int) -> csr_array:
    """The matrix that takes shares, segment by segment, to their sums over media."""
    one = identity(segments, format="csr")
    return csr_array(hstack([one] * media, format="csc")[:, _by_segment(segments, media)])


def _by_segment(segments: int, media: int) -> np.ndarray:
    return np.arange(segments * media).reshape(media, segments).T.ravel()


def _within(share: np.ndarray, cost: np.ndarray, budget: float, low: np.ndarray, one_message: bool) -> np.ndarray:
    """Take the solver's rounding back: never more than a segment or the budget holds."""
    if one_message:
        share = low + (share - low) * _fraction(share.sum(axis=1), low.sum(axis=1), 1.0)[:, None]
    spend, least = (cost * share).sum(), (cost * low).sum()
    return low + (share - low) * _fraction(spend, least, budget)


def _fraction(total: np.ndarray | float, least: np.ndarray | float, limit: float) -> np.ndarray:
    """Return which fraction of ``total - least`` may be kept so that the total stays within `limit`."""
    free = np.asarray(total - least, dtype=np.float64)
    over = np.asarray(total) > limit
    return np.where(over, np.maximum(limit - least, 0) / np.where(free > 0, free, 1), 1.0)
