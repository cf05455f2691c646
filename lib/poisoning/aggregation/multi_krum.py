"""Multi-Krum: the mean of the updates with the lowest Krum scores, in the variants that are in use.

Sources: Blanchard et al., arXiv 1703.02757; the variants of Flower, byzfl and the code of federated rank learning.
"""

import torch

from lib.poisoning.aggregation.checks import check_shape
from lib.poisoning.aggregation.distances import squared_distances
from lib.poisoning.aggregation.krum import check_krum, krum_scores, lowest
from lib.poisoning.aggregation.mean import weighted

VARIANTS = {
    "one shot": "the n - f lowest scores over n - f - 2 neighbours, computed once",
    "one": "the lowest score alone: Krum, and the default of Flower's Multi-Krum",
    "byzfl": "the n - f lowest scores over n - f - 1 neighbours, computed once",
    "iterative": "n - 2f - 2 updates one by one, scores recomputed among those left over their n' - f - 3 neighbours",
}


def multi_krum(updates: torch.Tensor, f: int, *, variant: str = "one shot", keep: int | None = None) -> torch.Tensor:
    """Return the mean ``(d,)`` of the rows of `updates` ``(n, d)`` that `variant` selects; needs n > 2f + 2.

    Args:
        updates: one row a client.
        f: clients to tolerate.
        variant: one of `VARIANTS`. Flower's weights by examples are left out: an attacker can claim any number.
        keep: how many rows to select instead of the variant's own number.

    Raises ValueError for an unknown variant or a number of rows that cannot be kept.
    """
    check_krum(len(check_shape(updates)), f, "Multi-Krum")
    chosen = multi_krum_rows(squared_distances(updates), f, variant=variant, keep=keep)
    return weighted(updates, share_of(chosen, len(updates)))


def multi_krum_rows(
    distances: torch.Tensor, f: int, *, variant: str = "one shot", keep: int | None = None
) -> torch.Tensor:
    """Return the indices ``(..., rows)`` of the selected rows, in order, given squared `distances` ``(..., n, n)``."""
    n = distances.shape[-1]
    if variant not in VARIANTS:
        raise ValueError(f"no variant {variant!r} of Multi-Krum: choose one of {', '.join(VARIANTS)}")
    count = keep if keep is not None else {"one": 1, "iterative": n - 2 * f - 2}.get(variant, n - f)
    if not 1 <= count <= n:
        raise ValueError(f"keep = {count} of n = {n} updates: choose between 1 and n")
    if variant == "iterative":
        return one_by_one(distances, f, count, closer=1)
    neighbours = n - f - 1 if variant == "byzfl" else None
    return krum_scores(distances, f, neighbours=neighbours).argsort(dim=-1, stable=True)[..., :count]


def one_by_one(distances: torch.Tensor, f: int, count: int, *, closer: int = 0) -> torch.Tensor:
    """Return `count` rows ``(..., count)`` chosen by repeated Krum among those left, in order.

    Among n' rows left, ``n' - f - 2 - closer`` neighbours count, at least one where there is one. Squared `distances`
    ``(..., n, n)`` are sorted once: rows that were taken are skipped in the order of the others.
    """
    n = distances.shape[-1]
    own = torch.eye(n, dtype=torch.bool, device=distances.device)
    nearest, order = distances.masked_fill(own, torch.inf).sort(dim=-1)
    nearest, order = nearest[..., :-1], order[..., :-1]  # without the row itself
    there = torch.ones(distances.shape[:-1], dtype=torch.bool, device=distances.device)
    chosen = []
    for left in range(n, n - count, -1):
        near = min(max(left - f - 2 - closer, 1), left - 1)
        others = there.unsqueeze(-2).expand(*order.shape[:-1], n).gather(-1, order)
        counted = others & (others.cumsum(dim=-1) <= near)
        scores = torch.where(counted, nearest, 0.0).sum(dim=-1).masked_fill(~there, torch.inf)
        best = lowest(scores, torch.where(others, nearest, 0.0))
        chosen.append(best)
        there = there.scatter(-1, best.unsqueeze(-1), False)
    return torch.stack(chosen, dim=-1)


def share_of(chosen: torch.Tensor, clients: int) -> torch.Tensor:
    """Return weights ``(clients,)``: equal ones for the `chosen` rows, zero for the others."""
    weights = torch.zeros(clients, dtype=torch.float64, device=chosen.device)
    weights[chosen] = 1 / len(chosen)
    return weights
