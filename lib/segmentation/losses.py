"""The losses of actor-critic predictive clustering and of our additions, one number a model.

Equations: L1, L2, L3 of Lee and van der Schaar (ICML 2020), section 3; balance and delivery weight are ours.
"""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus


def user_segment_loss(outcomes: Tensor, logits: Tensor) -> Tensor:
    """Return CE(y_i, g(e_k)), ``(models, n, segments)``.

    `outcomes` has shape ``(models, n)``, the segments' `logits` ``(models, segments)``.
    """
    return softplus(logits)[:, None, :] - outcomes[..., None] * logits[:, None, :]


def predictive(outcomes: Tensor, logits: Tensor, sampled: Tensor) -> Tensor:
    """Return L1: the mean loss of the prediction of each user's sampled segment, ``(models,)``."""
    chosen = torch.gather(logits, 1, sampled)
    return binary_cross_entropy_with_logits(chosen, outcomes, reduction="none").mean(dim=1)


def user_entropy(log_pi: Tensor) -> Tensor:
    """Return L2: the mean entropy of a user's assignment, ``(models,)``."""
    return -(log_pi.exp() * log_pi).sum(dim=-1).mean(dim=1)


def distance(logits: Tensor) -> Tensor:
    """Return L3: minus the mean cross-entropy between the predictions of two segments, ``(models,)``.

    Divided by (K-1)(K-2) as in the source, so it needs at least three segments.
    """
    count = logits.shape[1]
    if count < 3:
        raise ValueError("the distance term divides by (K-1)(K-2): use at least 3 segments")
    pairs = user_segment_loss(torch.sigmoid(logits), logits)  # CE(g_k, g_k')
    upper = torch.triu(torch.ones(count, count, device=logits.device), diagonal=1)
    return -(pairs * upper).sum(dim=(1, 2)) / ((count - 1) * (count - 2))


def imbalance(log_pi: Tensor) -> Tensor:
    """Return minus the entropy of the mean assignment, ``(models,)``: least where all segments are equally large."""
    mean = log_pi.exp().mean(dim=1)
    return (mean * torch.log(mean.clamp_min(1e-12))).sum(dim=-1)


def actor_loss(log_pi: Tensor, cost: Tensor, sampled: Tensor | None, *, baseline: bool = True) -> Tensor:
    """Return a loss whose gradient is that of the expected cost, ``(models,)``.

    Args:
        log_pi: log assignment, ``(models, n, segments)``.
        cost: cost of each user in each segment, same shape, without gradient.
        sampled: segments drawn from pi, ``(models, n)``: the score-function estimator; None: the exact expectation.
        baseline: subtract the mean of the other users' sampled costs, which changes the variance alone (S6).
    """
    if sampled is None:
        return (log_pi.exp() * cost).sum(dim=-1).mean(dim=1)
    drawn = torch.gather(cost, 2, sampled[..., None])[..., 0]
    if baseline:
        others = drawn.shape[1] / (drawn.shape[1] - 1)
        drawn = others * (drawn - drawn.mean(dim=1, keepdim=True))  # minus the mean of all others
    return (drawn * torch.gather(log_pi, 2, sampled[..., None])[..., 0]).mean(dim=1)


def draw(log_pi: Tensor, uniforms: Tensor) -> Tensor:
    """Return a segment for each user, ``(models, n)``, by inverting the distribution at `uniforms` in [0, 1)."""
    below = log_pi.exp().cumsum(dim=-1) <= uniforms[..., None]
    return below.sum(dim=-1).clamp_max(log_pi.shape[-1] - 1)
