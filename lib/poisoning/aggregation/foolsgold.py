"""FoolsGold: clients whose histories point the same way lose their weight. Source: Fung et al., arXiv 1808.04866."""

import torch

from lib.poisoning.aggregation.adaptive_averaging import inner_products
from lib.poisoning.aggregation.checks import check_updates
from lib.poisoning.aggregation.mean import weighted


def foolsgold(
    updates: torch.Tensor, f: int = 0, *, history: torch.Tensor | None = None, confidence: float = 1.0
) -> torch.Tensor:
    """Return the sum ``(d,)`` of the rows of `updates` ``(n, d)`` with the shares of `foolsgold_weights`.

    Args:
        updates: one row a client.
        f: not used.
        history: sums of each client's updates up to now, ``(n, d)``; None takes this round's alone.
        confidence: factor of the logit.

    A single attacker resembles nobody and keeps its weight. Where all weights vanish, so does the aggregate.
    """
    check_updates(updates)
    weights = foolsgold_weights(updates if history is None else check_updates(history), confidence=confidence)
    total = weights.sum()
    return weighted(updates, weights / total) if total > 0 else torch.zeros_like(updates[0])


def foolsgold_weights(history: torch.Tensor, *, confidence: float = 1.0) -> torch.Tensor:
    """Return weights ``(n,)`` in [0, 1] from the cosine similarity of the rows of `history` ``(n, d)``.

    The largest cosine of each client is found after pardoning: against a client with a larger maximum, a cosine shrinks
    by the ratio of the two maxima. Weights are rescaled to a maximum of one and passed through a logit.
    """
    inner = inner_products(history)
    lengths = _nonzero(inner.diagonal().clamp(min=0).sqrt())
    return weights_of_cosines(inner / (lengths[:, None] * lengths[None, :]), confidence=confidence)


def weights_of_cosines(cosines: torch.Tensor, *, confidence: float = 1.0) -> torch.Tensor:
    """Return the weights ``(n,)`` of `foolsgold_weights`, given the cosines ``(n, n)`` of the histories."""
    if len(cosines) == 1:
        return torch.ones(1, dtype=torch.float64)
    off = ~torch.eye(len(cosines), dtype=torch.bool)
    largest = torch.where(off, cosines, -torch.inf).max(dim=1).values
    pardon = torch.where(largest[None, :] > largest[:, None], largest[:, None] / _nonzero(largest)[None, :], 1.0)
    pardoned = torch.where(off, cosines * pardon, -torch.inf).max(dim=1).values
    weights = (1 - pardoned).clamp(0, 1)
    top = weights.max()
    if top <= 0:
        return torch.zeros_like(weights)
    weights = (weights / top).clamp(max=0.99)
    logits = confidence * (torch.log(weights / (1 - weights)) + 0.5)
    return logits.clamp(0, 1)


def _nonzero(values: torch.Tensor) -> torch.Tensor:
    return torch.where(values != 0, values, 1)
