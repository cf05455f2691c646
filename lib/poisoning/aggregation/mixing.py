"""Nearest-neighbour mixing before any rule. Source: Allouah et al., arXiv 2302.01772."""

from collections.abc import Callable

import torch

from lib.poisoning.aggregation.checks import check_majority, check_shape
from lib.poisoning.aggregation.distances import squared_distances

Rule = Callable[[torch.Tensor, int], torch.Tensor]


def mixed(updates: torch.Tensor, f: int) -> torch.Tensor:
    """Return each row of `updates` ``(n, d)`` replaced by the mean of its n - f nearest, itself among them."""
    check_majority(len(check_shape(updates)), f, "nearest-neighbour mixing")
    return mixing_weights(squared_distances(updates), f).to(updates) @ updates


def mixing_weights(distances: torch.Tensor, f: int) -> torch.Tensor:
    """Return the matrix ``(n, n)`` of weights that `mixed` multiplies with, given squared `distances`."""
    keep = len(distances) - f
    nearest = distances.argsort(dim=1, stable=True)[:, :keep]
    return torch.zeros_like(distances).scatter_(1, nearest, 1 / keep)


def after_mixing(rule: Rule) -> Rule:
    """Return the rule that mixes first and then applies `rule` with the same f."""

    def mixed_rule(updates: torch.Tensor, f: int) -> torch.Tensor:
        return rule(mixed(updates, f), f)

    return mixed_rule
