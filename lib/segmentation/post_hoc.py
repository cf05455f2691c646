"""Post-hoc split: segments found without delivery in mind, cut afterwards along static cells (specification 5)."""

from dataclasses import dataclass

import numpy as np

from lib.segmentation.allocation import allocate, segment_totals
from lib.segmentation.budget_curve import budget_curve
from lib.segmentation.media import Media


@dataclass(frozen=True)
class Split:
    """New segments made of parts of old ones.

    Attributes:
        table: new segment of the users of each old segment and cell, ``(K0, V)`` int.
        counts: users by new segment and cell, ``(K, V)``.
        origin: old segment of each new one, ``(K,)``.
        gains: gain of the best plan before the first and after each cut; never decreasing (S2).
    """

    table: np.ndarray
    counts: np.ndarray
    origin: np.ndarray
    gains: tuple[float, ...]

    def apply(self, segment: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """Return the new segment of each user, ``(N,)``."""
        return self.table[segment, cell]


def post_hoc_split(
    counts: np.ndarray,
    media: Media,
    budget: float,
    *,
    segments: int,
    charge: str = "targeted",
    value: np.ndarray | None = None,
) -> Split:
    """Cut segments in two, one cut at a time, until there are `segments` or no cut gains anything.

    A cut takes those cells out of a segment whose users a medium serves best at the current price of the budget
    (largest ``w e - price q``; "none" where all lose). The cut that raises the best plan's gain most is made.

    Args:
        counts: users by old segment and cell ``(K0, V)``.
        media: what the media do.
        budget: money.
        segments: K, at least K0.
        charge: charging basis.
        value: value of an exposure by old segment ``(K0,)``; a part keeps its segment's value.
    """
    counts = np.asarray(counts, dtype=np.float64)
    if segments < len(counts):
        raise ValueError(f"{segments} segments are fewer than the {len(counts)} there are: ask for at least as many")
    worth = np.ones(len(counts)) if value is None else np.asarray(value, dtype=np.float64)
    origin = np.arange(len(counts))
    table = np.repeat(origin[:, None], counts.shape[1], axis=1)

    def gain_of(parts: np.ndarray, owners: np.ndarray) -> float:
        totals = segment_totals(parts, media, charge=charge, value=worth[owners])
        return float(budget_curve(totals).gain_at(budget))

    gains = [gain_of(counts, origin)]
    while len(counts) < segments:
        totals = segment_totals(counts, media, charge=charge, value=worth[origin])
        favourite = _favourites(media, worth[origin], allocate(totals, budget).price, charge)
        best = (gains[-1] * (1 + 1e-9), None)
        for k, taken in _cuts(counts, favourite):
            gain = gain_of(*_cut(counts, origin, k, taken))
            if gain > best[0]:
                best = (gain, (k, taken))
        if best[1] is None:
            break
        k, taken = best[1]
        table = np.where((table == k) & taken, len(counts), table)
        counts, origin = _cut(counts, origin, k, taken)
        gains.append(best[0])
    return Split(table, counts, origin, tuple(gains))


def _favourites(media: Media, worth: np.ndarray, price: float, charge: str) -> np.ndarray:
    """Best medium of each segment and cell, M for none, ``(K, V)``."""
    value = worth[:, None, None] * media.exposure - price * media.charge(charge)
    return np.where(value.max(axis=-1) > 0, value.argmax(axis=-1), value.shape[-1])


def _cuts(counts: np.ndarray, favourite: np.ndarray):
    """Yield (segment, cells to take out) for every cut that leaves users on both sides."""
    for k, (users, media) in enumerate(zip(counts, favourite, strict=True)):
        for medium in np.unique(media[users > 0])[:-1] if (users > 0).any() else ():
            yield k, media == medium
        kinds = np.unique(media[users > 0])
        if len(kinds) > 2:
            yield k, media == kinds[-1]


def _cut(counts: np.ndarray, origin: np.ndarray, k: int, taken: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts and origins after the cells `taken` of segment `k` became a segment of their own."""
    parts = np.vstack([counts, np.where(taken, counts[k], 0.0)])
    parts[k] = np.where(taken, 0.0, counts[k])
    return parts, np.append(origin, origin[k])
