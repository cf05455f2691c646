"""What is known of users: behaviour before a cut date, static cell, outcome after it."""

from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Users:
    """Users of one site.

    Attributes:
        pages: page numbers from 1, shape ``(users, sessions, pages)``; 0 is padding, at the end of a session.
        cell: static cell (what media know of a user), shape ``(users,)``, from 0.
        outcome: 1 where the user converts, shape ``(users,)``.
        n_pages: number of different pages.
        n_cells: number of static cells.
        truth: hidden variables of a generator by name, each of shape ``(users,)``; empty for real data.
    """

    pages: np.ndarray
    cell: np.ndarray
    outcome: np.ndarray
    n_pages: int
    n_cells: int
    truth: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        if not len(self.pages) == len(self.cell) == len(self.outcome):
            raise ValueError("pages, cell and outcome must have one row a user each")
        if len(self.pages) and not 0 <= self.pages.min() <= self.pages.max() <= self.n_pages:
            raise ValueError(f"page numbers must lie in 0..{self.n_pages}, 0 for padding")

    def __len__(self) -> int:
        return len(self.cell)

    def take(self, rows: np.ndarray) -> "Users":
        """Return the users at `rows`, an index array or a slice."""
        truth = {name: values[rows] for name, values in self.truth.items()}
        return replace(self, pages=self.pages[rows], cell=self.cell[rows], outcome=self.outcome[rows], truth=truth)


def split(users: Users, *, test_fraction: float, seed: int) -> tuple[Users, Users]:
    """Return users to train on and users to test on, drawn at random; a user is never in both.

    Raises ValueError unless both parts have users.
    """
    test = round(test_fraction * len(users))
    if not 0 < test < len(users):
        raise ValueError(f"test_fraction={test_fraction} of {len(users)} users: both parts need at least one user")
    order = np.random.default_rng(seed).permutation(len(users))
    return users.take(order[test:]), users.take(order[:test])


def page_counts(users: Users) -> np.ndarray:
    """Return how often each user saw each page, shape ``(users, n_pages)``."""
    flat = users.pages.reshape(len(users), -1)
    rows = np.repeat(np.arange(len(users)), flat.shape[1])
    counts = np.zeros((len(users), users.n_pages + 1))
    np.add.at(counts, (rows, flat.ravel()), 1)
    return counts[:, 1:]
