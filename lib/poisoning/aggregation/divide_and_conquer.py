"""Divide-and-conquer (DnC): drop what sticks out along the first principal direction.

Source: Shejwalkar and Houmansadr, NDSS 2021.
"""

import numpy as np
import torch

from lib.poisoning.aggregation.checks import check_majority, check_updates
from lib.poisoning.aggregation.distances import centred_gram
from lib.poisoning.aggregation.mean import weighted
from lib.poisoning.aggregation.multi_krum import share_of


def divide_and_conquer(
    updates: torch.Tensor,
    f: int,
    *,
    coordinates: int = 10_000,
    iterations: int = 1,
    drop: float = 1.0,
    rng: np.random.Generator | None = None,
) -> torch.Tensor:
    """Return the mean ``(d,)`` of the rows of `updates` ``(n, d)`` that no iteration dropped; needs n > 2f.

    An iteration looks at `coordinates` random coordinates, and drops the ``drop * f`` rows with the largest squared
    component along the first principal direction of the centred rows. The principal components come from the ``(n, n)``
    Gram matrix, so no singular vectors of length d are computed.

    Args:
        updates: one row a client.
        f: clients to tolerate.
        coordinates: coordinates an iteration looks at; all of them where there are no more.
        iterations: repetitions with other coordinates.
        drop: rows dropped an iteration, as a multiple of f.
        rng: draws the coordinates; needed only where there are more than `coordinates`.

    Where every row was dropped by some iteration, those dropped by the fewest are kept.
    """
    n, d = check_updates(updates).shape
    check_majority(n, f, "DnC")
    count = min(n - 1, round(drop * f))
    if d > coordinates and rng is None:
        raise ValueError(f"{d} coordinates, of which {coordinates} are drawn: give rng")
    dropped = torch.zeros(n, dtype=torch.long)
    for _ in range(iterations):
        part = updates if d <= coordinates else updates[:, torch.from_numpy(rng.permutation(d)[:coordinates])]
        dropped[outlier_order(centred_gram(part))[:count]] += 1
    return weighted(updates, share_of(torch.nonzero(dropped == dropped.min()).flatten(), n))


def outlier_order(gram: torch.Tensor) -> torch.Tensor:
    """Return rows from the most to the least outlying along the first principal direction, given their Gram matrix."""
    vector = torch.linalg.eigh(gram.cpu()).eigenvectors[:, -1]
    return vector.square().argsort(descending=True, stable=True)
