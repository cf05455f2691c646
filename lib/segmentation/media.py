"""Media: who is matched, who sees the message, and what is paid for it. All of it is simulated, none of it measured.

The paper does not tell us how it sets these numbers; ranges follow section 11 of our specification.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CHARGES = ("targeted", "matched", "exposed")


@dataclass(frozen=True)
class Media:
    """What M media can do with users of V static cells.

    Attributes:
        match: probability that a user of a cell is found in a medium, ``(V, M)``.
        expose: probability that a matched user sees the message, ``(V, M)``.
        price: money for one user on whom the medium charges, ``(M,)``, at least 0.
    """

    match: np.ndarray
    expose: np.ndarray
    price: np.ndarray

    def __post_init__(self) -> None:
        if self.match.ndim != 2 or self.match.shape != self.expose.shape or self.price.shape != self.match.shape[1:]:
            raise ValueError("match and expose are (cells, media) and price is (media,): give arrays of these shapes")
        for name in ("match", "expose"):
            values = getattr(self, name)
            if not ((values >= 0) & (values <= 1)).all():
                raise ValueError(f"{name} holds probabilities: give values from 0 to 1")
        if not (np.isfinite(self.price) & (self.price >= 0)).all():
            raise ValueError("prices are finite and at least 0")

    @property
    def exposure(self) -> np.ndarray:
        """Probability that a targeted user sees the message, ``(V, M)``."""
        return self.match * self.expose

    def charge(self, basis: str = "targeted") -> np.ndarray:
        """Return the expected money for one targeted user, ``(V, M)`` (our reconstruction, specification 3.4).

        A medium charges for each user ``targeted``, ``matched`` or ``exposed``. Only under ``targeted`` do both leaks
        cost money: ``matched`` cancels the match rate from exposures per money, ``exposed`` cancels everything.
        """
        if basis not in CHARGES:
            raise ValueError(f"unknown charging basis {basis!r}: choose from {', '.join(CHARGES)}")
        share = {"targeted": np.ones_like(self.match), "matched": self.match, "exposed": self.exposure}[basis]
        return share * self.price


def draw_media(
    rng: np.random.Generator,
    side: np.ndarray,
    *,
    media: int = 3,
    cap: float = 0.95,
    contrast: float = 1.0,
    match: Sequence[float] = (4, 6),
    expose: Sequence[float] = (4, 8),
    cheap: float = 0.6,
) -> Media:
    """Draw media for static cells: two that favour a side each, the others neutral and cheap (section 11).

    Match rates and exposures given a match are Beta draws, independent over cells and media; with Beta(4, 6) most match
    rates lie in 0.2 to 0.6. On its own side, medium 0 (side 0) and medium 1 (side 1) multiply matches by 1.6 and
    exposures by 1.3; on the other side they halve matches. Prices are 1, 1 and `cheap` for every further medium.

    Args:
        rng: source of the draws.
        side: 0 or 1 of each cell, ``(V,)``.
        media: M, at least 1.
        cap: no probability is larger.
        contrast: exponent of the factors above: 0 gives neutral media, 1 those of the specification.
        match: the two parameters of the match rates' Beta distribution.
        expose: those of the exposures given a match.
        cheap: price of the neutral media.
    """
    side = np.asarray(side)
    if side.ndim != 1 or not np.isin(side, (0, 1)).all() or media < 1 or not 0 < cap <= 1:
        raise ValueError("give a side of 0 or 1 for each cell, at least one medium and a cap from 0 to 1")
    shape = (len(side), media)
    matched, seen = rng.beta(*match, shape), rng.beta(*expose, shape)
    for medium in range(min(2, media)):
        own = side == medium
        matched[:, medium] *= np.where(own, 1.6, 0.5) ** contrast
        seen[:, medium] *= np.where(own, 1.3, 1.0) ** contrast
    price = np.where(np.arange(media) < 2, 1.0, cheap)
    return Media(matched.clip(max=cap), seen.clip(max=cap), price)


def full_price(cells: np.ndarray, media: Media) -> float:
    """Return the money that targeting every user once at the mean price costs; budgets are fractions of it.

    `cells` is the number of users in each cell ``(V,)``, or any array that sums to the number of users.
    """
    return float(np.sum(cells) * media.price.mean())
