"""What a plan delivers: expectations, simulated users, the funnel, fairness by cell, and bands over simulated media."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.segmentation.media import Media, draw_media

STAGES = ("targeted", "matched", "exposed", "converters")


@dataclass(frozen=True)
class Delivered:
    """One simulated delivery to N users.

    Attributes:
        medium: medium through which a user was targeted, -1 for none, ``(N,)``.
        matched: whether the medium found the user.
        exposed: whether the user saw the message.
        charge: money paid for the user.
    """

    medium: np.ndarray
    matched: np.ndarray
    exposed: np.ndarray
    charge: np.ndarray


def expected_delivery(
    share: np.ndarray,
    counts: np.ndarray,
    media: Media,
    *,
    charge: str = "targeted",
    converters: np.ndarray | None = None,
) -> dict[str, float]:
    """Return what a plan delivers to the users `counts` in expectation (names from the abstract, formulas ours, 3.6).

    Args:
        share: ``(K, M)`` of a plan, see `allocation.Plan`.
        counts: users by segment and cell ``(K, V)``, of the users on whom the plan is judged.
        media: what the media do.
        charge: charging basis.
        converters: users of `counts` that convert, ``(K, V)``.

    Returns:
        Users ``targeted``, ``matched``, ``exposed``; ``match_rate`` (matched of targeted), ``exposure_rate`` (exposed
        of all users), ``exposed_of_targeted``, ``spend``, ``spend_per_exposed``, and with converters
        ``exposed_converters`` and ``converters_per_money``. A ratio of nothing to nothing is NaN.
    """
    cells = _by_cell_and_medium(share, counts)
    targeted, matched = cells.sum(), (cells * media.match).sum()
    exposed, spend = (cells * media.exposure).sum(), (cells * media.charge(charge)).sum()
    found = {
        "targeted": targeted,
        "matched": matched,
        "exposed": exposed,
        "match_rate": _ratio(matched, targeted),
        "exposed_of_targeted": _ratio(exposed, targeted),
        "exposure_rate": _ratio(exposed, np.sum(counts)),
        "spend": spend,
        "spend_per_exposed": _ratio(spend, exposed),
    }
    if converters is not None:
        reached = (_by_cell_and_medium(share, converters) * media.exposure).sum()
        found |= {"exposed_converters": reached, "converters_per_money": _ratio(reached, spend)}
    return {name: float(number) for name, number in found.items()}


def simulate_delivery(
    share: np.ndarray,
    segment: np.ndarray,
    cell: np.ndarray,
    media: Media,
    *,
    rng: np.random.Generator,
    charge: str = "targeted",
) -> Delivered:
    """Deliver to each user once: a medium by the segment's shares, then match, then exposure, all at random.

    Users are independent given their segment and cell; a user is targeted through one medium at most, so shares of a
    segment may sum to 1 at most. Time and memory O(N) for each of M media, one after another.
    """
    share = np.asarray(share, dtype=np.float64)
    if (share < 0).any() or (share.sum(axis=1) > 1 + 1e-9).any():
        raise ValueError("shares of a segment must be at least 0 and sum to 1 at most")
    n, draw = len(segment), rng.random(len(segment))
    medium = np.full(n, -1)
    upper = np.cumsum(share, axis=1)
    for m in range(share.shape[1] - 1, -1, -1):
        medium[draw < upper[segment, m]] = m
    matched = (medium >= 0) & (rng.random(n) < media.match[cell, medium])
    exposed = matched & (rng.random(n) < media.expose[cell, medium])
    paid = {"targeted": medium >= 0, "matched": matched, "exposed": exposed}
    media.charge(charge)
    return Delivered(medium, matched, exposed, np.where(paid[charge], media.price[medium], 0.0))


def funnel(
    counts: np.ndarray, media: Media, *, converters: np.ndarray, share: np.ndarray | None = None
) -> pd.DataFrame:
    """Return users by segment, medium and stage of `STAGES`: the two leaks (F1).

    Without `share` every segment is sent through every medium, which shows what each could do. ``converters`` of the
    last stage are exposed users that convert. Columns: segment, medium, stage, users.
    """
    segments, count = len(counts), media.match.shape[1]
    share = np.ones((segments, count)) if share is None else np.asarray(share)
    stages = {
        "targeted": np.sum(counts, axis=1)[:, None] * share,
        "matched": (counts @ media.match) * share,
        "exposed": (counts @ media.exposure) * share,
        "converters": (converters @ media.exposure) * share,
    }
    segment, medium = np.divmod(np.arange(segments * count), count)
    tables = [
        pd.DataFrame({"segment": segment, "medium": medium, "stage": stage, "users": stages[stage].ravel()})
        for stage in STAGES
    ]
    return pd.concat(tables, ignore_index=True)


def exposure_by_cell(share: np.ndarray, counts: np.ndarray, media: Media) -> np.ndarray:
    """Return the probability that a user of a cell sees a message, ``(V,)``; NaN for an empty cell (fairness)."""
    exposed = (_by_cell_and_medium(share, counts) * media.exposure).sum(axis=1)
    users = np.sum(counts, axis=0)
    return np.divide(exposed, users, out=np.full(len(users), np.nan), where=users > 0)


def over_media(
    evaluate: Callable[[Media], dict[str, float]], side: np.ndarray, *, draws: int = 20, seed: int = 0, **options: float
) -> pd.DataFrame:
    """Return one row a draw of the media: ``draw`` and what `evaluate` says of them.

    The same `seed` gives every method the same media, so differences of methods are paired. `options` go to
    `media.draw_media`.
    """
    if draws < 1:
        raise ValueError(f"{draws} draws: give at least one")
    streams = np.random.SeedSequence(seed).spawn(draws)
    rows = [evaluate(draw_media(np.random.default_rng(stream), side, **options)) for stream in streams]
    return pd.DataFrame(rows).rename_axis("draw").reset_index()


def band(table: pd.DataFrame, *, by: list[str] | None = None, level: float = 0.9) -> pd.DataFrame:
    """Return median, low and high of each measure over the draws: columns ``by``, measure, median, low, high.

    The central `level` of the draws lies between low and high: how far the result hangs on media nobody has measured.
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level}: give a share between 0 and 1")
    by = by or []
    long = table.melt(id_vars=[*by, "draw"], var_name="measure")
    grouped = long.groupby([*by, "measure"], sort=False)["value"]
    edges = {"median": 0.5, "low": (1 - level) / 2, "high": (1 + level) / 2}
    return pd.DataFrame({name: grouped.quantile(edge) for name, edge in edges.items()}).reset_index()


def _by_cell_and_medium(share: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Users of each cell targeted through each medium, ``(V, M)``."""
    return np.asarray(counts).T @ np.asarray(share)


def _ratio(a: float, b: float) -> float:
    return float(a / b) if b > 0 else float("nan")
