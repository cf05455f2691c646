"""Users whose conversion hides in few pages and whose static side shows in others: the story of the abstract.

Source: the companion's own generator; the paper's data are not known to us beyond "a public data set from Google".
"""

from collections.abc import Sequence

import numpy as np

from lib.segmentation.users import Users

CONVERSION = (0.02, 0.08, 0.22, 0.50)  # by outcome level
CONTINUE = (0.02, 0.2, 0.5, 0.85)  # chance of one more funnel page, by outcome level
SIDES, TOPIC_PAGES, FUNNEL, SESSIONS, LENGTH = 2, 3, 4, 3, 6


def generate(
    *,
    n: int,
    rho: float = 0.9,
    n_cells: int = 8,
    n_topics: int = 6,
    reveal: float = 0.85,
    stray: float = 0.1,
    seed: int | Sequence[int] = 0,
) -> Users:
    """Return `n` users with hidden outcome level, static side and nuisance topic, all independent and uniform.

    A user has ``1 + min(2, Poisson(1))`` sessions. A session is a landing page that shows the user's side with
    probability `reveal`, ``1 + Poisson(1)`` pages of the user's topic (each with probability `stray` a page of any
    topic), and funnel pages, one more with the chance of the user's level; it is cut at six pages. The outcome is 1
    with the conversion of the level. The static cell is one of the side's cells with probability `rho`, else any cell.

    Args:
        n: number of users.
        rho: dependence of static cell and behaviour, in [0, 1]; 0 makes them independent.
        n_cells: number of static cells, even: the first half belongs to side 0.
        n_topics: number of nuisance topics, with three pages each.
        reveal: how clearly the landing page shows the side.
        stray: share of topic pages that are of any topic.
        seed: seed of everything.

    Returns:
        Users with ``truth`` level, side and topic. Pages are numbered landing, topics, funnel.

    Raises ValueError for shares outside [0, 1], an odd number of cells or no user.
    """
    if not all(0 <= share <= 1 for share in (rho, reveal, stray)):
        raise ValueError(f"rho={rho}, reveal={reveal}, stray={stray}: expected shares in [0, 1]")
    if n < 1 or n_topics < 1 or n_cells < 2 or n_cells % 2:
        raise ValueError(f"n={n}, n_topics={n_topics}, n_cells={n_cells}: expected users, topics, and cells in pairs")
    rng = np.random.default_rng(seed)
    level, side, topic = (rng.integers(high, size=n) for high in (len(CONVERSION), SIDES, n_topics))
    own = side * (n_cells // 2) + rng.integers(n_cells // 2, size=n)
    cell = np.where(rng.random(n) < rho, own, rng.integers(n_cells, size=n))
    outcome = (rng.random(n) < np.asarray(CONVERSION)[level]).astype(np.int64)
    pages = _sessions(level, side, topic, n_topics, reveal, stray, rng)
    n_pages = SIDES + TOPIC_PAGES * n_topics + FUNNEL
    return Users(pages, cell, outcome, n_pages, n_cells, {"level": level, "side": side, "topic": topic})


def _sessions(
    level: np.ndarray,
    side: np.ndarray,
    topic: np.ndarray,
    n_topics: int,
    reveal: float,
    stray: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the pages of all sessions, shape ``(users, SESSIONS, LENGTH)``."""
    shape = (len(level), SESSIONS)
    landing = np.where(rng.random(shape) < reveal, side[:, None], 1 - side[:, None])
    middle = 1 + rng.poisson(1.0, shape)
    go_on = rng.random((*shape, FUNNEL)) < np.asarray(CONTINUE)[level][:, None, None]
    funnel = np.cumprod(go_on, axis=2).sum(axis=2)
    of_topic = np.where(
        rng.random((*shape, LENGTH)) < stray, rng.integers(n_topics, size=(*shape, LENGTH)), topic[:, None, None]
    )
    topic_page = SIDES + of_topic * TOPIC_PAGES + rng.integers(TOPIC_PAGES, size=(*shape, LENGTH))
    place = np.arange(LENGTH)
    after = place - 1 - middle[..., None]  # number of the funnel page at each place
    pages = np.where(
        place == 0, landing[..., None], np.where(after < 0, topic_page, SIDES + TOPIC_PAGES * n_topics + after)
    )
    seen = (place < (1 + middle + funnel)[..., None]) & (
        np.arange(SESSIONS)[:, None] <= np.minimum(2, rng.poisson(1.0, len(level)))[:, None, None]
    )
    return np.where(seen, pages + 1, 0)
