"""Majority vote of signs. Source: Bernstein et al., arXiv 1810.05291 (signSGD with majority vote)."""

import torch

from lib.poisoning.aggregation.checks import check_majority, check_updates


def sign_majority(updates: torch.Tensor, f: int = 0, *, step: float = 1.0) -> torch.Tensor:
    """Return `step` times the sign ``(d,)`` that most rows of `updates` ``(n, d)`` have; a tie gives zero.

    Needs n > 2f. A coordinate flips if and only if the attackers outnumber the margin of the honest vote.
    """
    check_majority(len(check_updates(updates)), f, "majority vote")
    votes = [block.sign().sum(dim=0).sign() for block in updates.split(2**13, dim=1)]
    return step * torch.cat(votes)
