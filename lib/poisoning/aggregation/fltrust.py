"""FLTrust: trust by the cosine to an update from clean data of the server. Source: Cao et al., arXiv 2012.13995."""

import torch

from lib.poisoning.aggregation.checks import check_updates
from lib.poisoning.aggregation.mean import weighted
from lib.poisoning.aggregation.norm_bound import row_norms


def fltrust(updates: torch.Tensor, f: int = 0, *, root: torch.Tensor) -> torch.Tensor:
    """Return the mean ``(d,)`` of `updates` ``(n, d)``, each brought to the length of `root` and weighted by trust.

    Trust is the positive part of the cosine to `root` ``(d,)``, an update trained on clean data that the server holds;
    no assumption on the number of attackers (`f`) is made. The result is never longer than `root`, and zero where
    nobody is trusted.
    """
    check_updates(updates)
    if root.shape != updates[0].shape:
        raise ValueError(f"root has shape {tuple(root.shape)}; updates need one of {tuple(updates[0].shape)}")
    norms, length = row_norms(updates), float(row_norms(root[None])[0])
    positive = norms > 0
    scale = torch.where(positive, 1 / torch.where(positive, norms, 1), torch.zeros_like(norms))
    trust = ((updates @ root.to(updates)).double() * scale / (length or 1)).clamp(0, 1)
    total = trust.sum()
    return weighted(updates, trust * scale * length / total) if total > 0 else torch.zeros_like(updates[0])
