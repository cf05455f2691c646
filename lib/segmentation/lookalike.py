"""Look-alike delivery: a medium that cannot take identifiers targets static cells, and reaches users of other segments.

Our reconstruction (specification 3.3 and pitfall 12): ``q(k | v)`` is the share of segment k among the users of cell v.
"""

from dataclasses import dataclass

import numpy as np

from lib.segmentation.allocation import Totals
from lib.segmentation.media import Media


@dataclass(frozen=True)
class Lookalike:
    """Audiences of static cells, one a segment; a user may be in several.

    Attributes:
        share: share of a cell's users in a segment's audience, ``(K, V)`` in [0, 1].
        counts: users by segment and cell, ``(K, V)``.
    """

    share: np.ndarray
    counts: np.ndarray

    @property
    def size(self) -> np.ndarray:
        """Users in each audience, ``(K,)``."""
        return self.share @ self.counts.sum(axis=0)

    @property
    def members(self) -> np.ndarray:
        """Users in each audience that belong to the segment, ``(K,)``."""
        return (self.share * self.counts).sum(axis=1)

    @property
    def precision(self) -> np.ndarray:
        """Members of the segment in its audience, as a share of the audience; NaN without an audience."""
        return _shares(self.members, self.size)

    @property
    def waste(self) -> np.ndarray:
        """Users of other segments in an audience, as a share of it."""
        return 1 - self.precision

    @property
    def recall(self) -> np.ndarray:
        """Members of the segment in its audience, as a share of the segment; NaN for an empty segment."""
        return _shares(self.members, self.counts.sum(axis=1))


def lookalike(counts: np.ndarray, *, reach: float = 1.0) -> Lookalike:
    """Return for each segment the audience of ``reach`` times its size with the most members in it.

    Cells are taken in the order of ``q(k | v)``, the last one in part (its users at random); no audience of this size
    expects more members. An audience is never larger than all users.
    """
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim != 2 or (counts < 0).any() or reach < 0:
        raise ValueError("counts are (segments, cells) and at least 0, and so is reach")
    users = counts.sum(axis=0)
    density = np.divide(counts, users, out=np.zeros_like(counts), where=users > 0)
    order = np.argsort(-density, axis=1, kind="stable")
    sizes = users[order]
    before = np.cumsum(sizes, axis=1) - sizes
    wanted = reach * counts.sum(axis=1, keepdims=True)
    taken = np.divide(wanted - before, sizes, out=np.zeros_like(counts), where=sizes > 0).clip(0, 1)
    share = np.zeros_like(counts)
    np.put_along_axis(share, order, taken, axis=1)
    return Lookalike(share, counts)


def lookalike_totals(
    audience: Lookalike, media: Media, *, charge: str = "targeted", value: np.ndarray | None = None
) -> Totals:
    """Return the totals of audiences for `allocation.allocate`: members count as gain, everybody costs money.

    `value` is what a member's exposure is worth, ``(K,)``; 1 without one. Exposed users of other segments gain nothing,
    because the message is not meant for them.
    """
    worth = np.ones(len(audience.counts)) if value is None else np.asarray(value, dtype=np.float64)
    gain = (audience.share * audience.counts * worth[:, None]) @ media.exposure
    return Totals(gain, (audience.share * audience.counts.sum(axis=0)) @ media.charge(charge))


def audience_description(counts: np.ndarray) -> np.ndarray:
    """Return ``P(v | k)``, what media are told about a segment, ``(K, V)``; NaN for an empty segment (F6)."""
    counts = np.asarray(counts, dtype=np.float64)
    return _shares(counts, counts.sum(axis=1, keepdims=True))


def _shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    whole = np.broadcast_to(whole, part.shape)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
