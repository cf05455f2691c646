"""The mean, which tolerates nobody. Source: McMahan et al., arXiv 1602.05629, with equal weights."""

import torch

from lib.poisoning.aggregation.checks import check_updates


def mean(updates: torch.Tensor, f: int = 0) -> torch.Tensor:
    """Return the mean ``(d,)`` of `updates` ``(n, d)``; `f` is not used: one attacker sends it anywhere."""
    return weighted(check_updates(updates), torch.full((len(updates),), 1 / len(updates), dtype=torch.float64))


def weighted(updates: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the combination ``(d,)`` of the rows of `updates` ``(n, d)`` with `weights` ``(n,)``."""
    return weights.to(updates) @ updates
