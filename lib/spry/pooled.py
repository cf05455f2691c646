"""Mean-pooled sentence vectors of a frozen encoder: what a classifier alone is trained on, computed once a text."""

import torch
from torch import nn


@torch.no_grad()
def pooled_states(net: nn.Module, x: torch.Tensor, *, block: int = 64) -> torch.Tensor:
    """Return the mean ``(N, hidden)`` of the last layer's outputs over the tokens of each text.

    Args:
        net: a ``BertForSequenceClassification`` without dropout; its classifier is not used.
        x: ``(N, 2, T)`` token ids and masks.
        block: texts a pass.
    """
    net.eval()
    found = torch.empty(len(x), net.config.hidden_size)
    for rows, out in zip(x.split(block), found.split(block), strict=True):
        hidden, mask = net.bert(rows[:, 0], attention_mask=rows[:, 1]).last_hidden_state, rows[:, 1, :, None]
        out.copy_((hidden * mask).sum(dim=1) / mask.sum(dim=1))
    return found


def whitened(states: torch.Tensor, basis: torch.Tensor, components: int) -> torch.Tensor:
    """Return `components` principal components ``(N, components)`` of `states`, found on `basis` ``(B, hidden)``.

    They have equal variance on `basis` and a mean squared length of one, which suits plain gradient descent.
    """
    centre = basis.mean(dim=0)
    _, lengths, directions = torch.linalg.svd(basis - centre, full_matrices=False)
    scale = (len(basis) / components) ** 0.5 / lengths[:components]
    return (states - centre) @ (directions[:components].T * scale)
