"""Statements on learning: the actor's gradient (S6), and what a user's regrouping costs and gains (S4).

The companion's propositions; those on delivery stand in `theory_delivery`.
"""

import numpy as np
import pandas as pd
import torch

from lib.segmentation.losses import actor_loss, draw


def estimator_table(*, samples: int = 10_000, users: int = 32, segments: int = 8, seed: int = 0) -> pd.DataFrame:
    """S6: the score-function gradient of the expected cost on one batch, beside the exact one.

    Assignments are softmaxes of normal logits and costs are positive, like cross-entropies; gradients are with respect
    to the logits of all users.

    Returns:
        One row an estimator ("plain", "baseline") and coordinate of the gradient: mean (of the samples), exact, error
        (standard error of the mean), variance (of one sample).
    """
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(1, users, segments, generator=generator, dtype=torch.float64)
    cost = torch.rand(1, users, segments, generator=generator, dtype=torch.float64) + 0.5
    one = logits.clone().requires_grad_()
    (exact,) = torch.autograd.grad(actor_loss(torch.log_softmax(one, dim=-1), cost, None).sum(), one)
    uniforms = torch.rand(samples, users, generator=generator, dtype=torch.float64)
    tables = []
    for name, baseline in (("plain", False), ("baseline", True)):
        many = logits.repeat(samples, 1, 1).requires_grad_()
        log_pi = torch.log_softmax(many, dim=-1)
        loss = actor_loss(log_pi, cost.expand(samples, -1, -1), draw(log_pi.detach(), uniforms), baseline=baseline)
        (found,) = torch.autograd.grad(loss.sum(), many)
        spread = found.var(dim=0)
        columns = {"mean": found.mean(dim=0), "exact": exact[0], "error": (spread / samples).sqrt(), "variance": spread}
        flat = {column: values.flatten().numpy() for column, values in columns.items()}
        tables.append(pd.DataFrame({"estimator": name, "coordinate": np.arange(users * segments)} | flat))
    return pd.concat(tables, ignore_index=True)


def regrouping_table(
    weights: np.ndarray, *, exposure: np.ndarray, charge: np.ndarray, price: float, loss_gap: np.ndarray
) -> pd.DataFrame:
    """S4: how many users move to the segment that delivery prefers, by the weight of delivery.

    Each user has two segments to go to. The second's prediction costs the user `loss_gap` more (0 for users whose
    conversion both predict alike), and delivery gets ``exposure - price charge`` more there. The best assignment moves
    a user if ``weight (exposure - price charge) > loss_gap``: users with no gap move at any weight above 0, free of
    loss.

    Args:
        weights: weights of delivery, ``(J,)``.
        exposure: further exposures of each user in the second segment, ``(n,)``.
        charge: further money, ``(n,)``.
        price: dual price of the budget.
        loss_gap: further loss of prediction, ``(n,)``, at least 0.

    Returns:
        One row a weight: weight, moved (share of users), gained (mean reduced exposures), lost (mean loss).
    """
    value = np.asarray(exposure) - price * np.asarray(charge)
    moved = np.asarray(weights)[:, None] * value > np.asarray(loss_gap)
    return pd.DataFrame(
        {
            "weight": weights,
            "moved": moved.mean(axis=1),
            "gained": (moved * value).mean(axis=1),
            "lost": (moved * loss_gap).mean(axis=1),
        }
    )
