"""Krum: the update closest to its neighbours. Source: Blanchard et al., arXiv 1703.02757."""

import torch

from lib.poisoning.aggregation.checks import check_shape, check_tolerance
from lib.poisoning.aggregation.distances import squared_distances


def krum(updates: torch.Tensor, f: int, *, neighbours: int | None = None) -> torch.Tensor:
    """Return the row ``(d,)`` of `updates` ``(n, d)`` with the lowest `krum_scores`; needs n > 2f + 2.

    byzfl counts ``neighbours = n - f - 1`` and asks for n > 2f only.
    """
    check_krum(len(check_shape(updates)), f, "Krum")
    distances = squared_distances(updates)
    return updates[lowest(krum_scores(distances, f, neighbours=neighbours), distances)].clone()


def krum_scores(distances: torch.Tensor, f: int, *, neighbours: int | None = None) -> torch.Tensor:
    """Return each row's sum of squared distances to its nearest others, shape ``(..., n)``.

    Args:
        distances: squared distances, shape ``(..., n, n)``.
        f: clients to tolerate.
        neighbours: how many others count; None is ``n - f - 2``, as in the paper, and at least one.
    """
    n = distances.shape[-1]
    count = min(max(n - f - 2, 1) if neighbours is None else neighbours, n - 1)
    own = torch.eye(n, dtype=torch.bool, device=distances.device)
    nearest = distances.masked_fill(own, torch.inf).sort(dim=-1).values
    return nearest[..., :count].sum(dim=-1)


def lowest(scores: torch.Tensor, distances: torch.Tensor) -> torch.Tensor:
    """Return the index ``(...)`` of the lowest of `scores` ``(..., n)``; of equal ones, the least total distance.

    With a single neighbour two rows that are nearest to each other always have equal scores; taking the first would let
    the order of the clients decide.
    """
    best = scores.amin(dim=-1, keepdim=True)
    return torch.where(scores <= best * (1 + 1e-12), distances.sum(dim=-1), torch.inf).argmin(dim=-1)


def check_krum(clients: int, f: int, rule: str) -> None:
    """Raise ValueError unless n > 2f + 2."""
    check_tolerance(clients, f, 2 * f + 3, rule, "n > 2f + 2")
