"""Bucketing before any rule: means of random groups. Source: Karimireddy et al., arXiv 2006.09365."""

import numpy as np
import torch

from lib.poisoning.aggregation.checks import check_updates


def bucketed(updates: torch.Tensor, size: int, rng: np.random.Generator) -> torch.Tensor:
    """Return the means ``(ceil(n / size), d)`` of random groups of `size` rows of `updates` ``(n, d)``.

    The last group may be smaller. With f attackers at most f groups are touched, so a rule may be asked to tolerate f
    of the fewer rows that come out.
    """
    n = len(check_updates(updates))
    if not 1 <= size <= n:
        raise ValueError(f"size = {size}: a bucket holds between 1 and all {n} updates")
    order = torch.from_numpy(rng.permutation(n))
    group = torch.empty(n, dtype=torch.long)
    group[order] = torch.arange(n) // size
    shares = torch.zeros(int(group.max()) + 1, n, dtype=torch.float64)
    shares[group, torch.arange(n)] = 1 / torch.bincount(group)[group].double()
    return shares.to(updates) @ updates
