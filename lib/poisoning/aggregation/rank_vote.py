"""The vote of federated rank learning (FRL). Source: Mozaffari et al., arXiv 2110.04350."""

import torch


def rank_vote(ranks: torch.Tensor) -> torch.Tensor:
    """Return the order ``(d,)`` of edges by the sum of the clients' `ranks`, from the lowest reputation to the highest.

    Args:
        ranks: shape ``(n, d)``; a row is a client's permutation of ``0 .. d - 1``: the rank of each edge.

    Ties go to the first edge. Whatever a client sends, it moves an edge's sum by at most ``d - 1``. Raises ValueError
    for a row that is no permutation: the space of updates is discrete, and a server can check that.
    """
    n, d = ranks.shape
    if ranks.is_floating_point() or not torch.equal(
        ranks.sort(dim=1).values, torch.arange(d, device=ranks.device).expand(n, d)
    ):
        raise ValueError("every row must be a permutation of 0 .. d - 1: the rank of each edge")
    return ranks.sum(dim=0).argsort(stable=True)


def ranked_scores(ranks: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Return `scores` ``(d,)``, their values kept and dealt out anew in the order of `rank_vote`."""
    found = torch.empty_like(scores)
    found[rank_vote(ranks)] = scores.sort().values
    return found


def active_edges(ranks: torch.Tensor, *, share: float = 0.5) -> torch.Tensor:
    """Return which edges ``(d,)`` are used: the `share` with the most votes."""
    if not 0 < share <= 1:
        raise ValueError(f"share = {share} must lie in (0, 1]")
    order = rank_vote(ranks)
    active = torch.zeros(len(order), dtype=torch.bool, device=order.device)
    active[order[len(order) - round(share * len(order)) :]] = True
    return active
