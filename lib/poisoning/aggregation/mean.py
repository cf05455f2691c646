"""The mean, which tolerates nobody. Source: McMahan et al., arXiv 1602.05629, with equal weights."""

import torch

from lib.poisoning.aggregation.checks import check_updates


def mean(updates: torch.Tensor, f: int = 0) -> torch.Tensor:
    """Return the mean ``(d,)`` of `updates` ``(n, d)``; `f` is not used: one attacker sends it anywhere."""
    return weighted(check_updates(updates), torch.full((len(updates),), 1 / len(updates), dtype=torch.float64))


def weighted(updates: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the combination ``(d,)`` of the rows of `updates` ``(n, d)`` with `weights` ``(n,)``.

    Rows of weight zero do not take part, so that a huge rejected row cannot overflow.
    """
    used = weights != 0
    if bool(used.all()):
        return weights.to(updates) @ updates
    return weights[used].to(updates) @ updates[used.to(updates.device)] if _few(used) else _masked(updates, weights)


def _few(used: torch.Tensor) -> bool:
    return 4 * int(used.sum()) <= len(used)


def _masked(updates: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    # Selecting most rows would copy the matrix; block by block the copy stays small.
    rows, kept = torch.nonzero(weights).flatten(), weights[weights != 0].to(updates)
    return torch.cat([kept @ block[rows.to(block.device)] for block in updates.split(2**13, dim=1)])
