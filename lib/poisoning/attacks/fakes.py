"""Attacks by fake clients, who have no data: MPAF and its baselines, and PoisonedFL.

Sources: Cao and Gong, CVPR workshops 2022, arXiv 2203.08669; Xie et al., arXiv 2404.15611 (after a summary).
"""

import numpy as np
import torch

from lib.poisoning.attacks.reference import copies


def mpaf(weights: torch.Tensor, base: torch.Tensor, count: int, *, scale: float = 1e6) -> torch.Tensor:
    """Return copies ``(count, d)`` of `scale` times the way from the global `weights` ``(d,)`` to a bad `base` model.

    The same base all the time: the fakes pull in one direction.
    """
    return copies(scale * (base - weights), count)


def random_updates(weights: torch.Tensor, count: int, *, scale: float = 1e6, rng: np.random.Generator) -> torch.Tensor:
    """Return `count` Gaussian updates ``(count, d)`` of standard deviation `scale`, a baseline of MPAF."""
    return scale * torch.from_numpy(rng.standard_normal((count, len(weights)))).to(weights)


def history(weights: torch.Tensor, previous: torch.Tensor, count: int, *, scale: float = 1e6) -> torch.Tensor:
    """Return copies ``(count, d)`` of minus `scale` times the last global step, a baseline of MPAF."""
    return copies(-scale * (weights - previous), count)


def poisoned_fl(step: torch.Tensor, sent: torch.Tensor, signs: torch.Tensor, count: int, *, factor: float = 8.0):
    """Return copies ``(count, d)`` with the fixed `signs` ``(d,)`` of the whole run and magnitudes of the last round.

    The magnitudes are those of the last global `step` ``(d,)`` without its part along what was `sent` ``(d,)`` last
    time, brought to length ``factor * |step|``; zero as long as the model stands still. The companion's reconstruction.
    """
    length = step.norm()
    own = sent * (length / sent.norm()) if sent.norm() > 0 else torch.zeros_like(sent)
    size = (step - own).abs()
    if size.norm() == 0:
        size = step.abs()
    return copies(factor * length * size / size.norm().clamp(min=torch.finfo(size.dtype).tiny) * signs, count)


def adapted_factor(
    drift: torch.Tensor, signs: torch.Tensor, factor: float, *, level: float = 0.01, shrink: float = 0.7
):
    """Return `factor`, shrunk where the model's `drift` ``(d,)`` agrees with `signs` no more than by chance.

    The number of coordinates that agree is compared with its binomial distribution at `level`.
    """
    from scipy.stats import binom  # slow to import, and only needed here

    agree = int((drift.sign() == signs).sum())
    return factor if binom.sf(agree - 1, len(signs), 0.5) < level else shrink * factor
