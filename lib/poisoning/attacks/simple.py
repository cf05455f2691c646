"""Attacks of one line: sign flip, Gaussian noise, inner product manipulation, mimicry."""

import numpy as np
import torch

from lib.poisoning.aggregation.distances import centred_gram
from lib.poisoning.attacks.reference import check_reference, copies, deviation


def sign_flip(own: torch.Tensor, *, scale: float = 1.0) -> torch.Tensor:
    """Return the attackers' `own` honest updates ``(m, d)``, reversed and scaled."""
    return -scale * check_reference(own, len(own))


def gaussian(benign: torch.Tensor, count: int, *, scale: float = 30.0, rng: np.random.Generator) -> torch.Tensor:
    """Return `count` draws ``(count, d)`` around the mean of `benign` ``(n, d)``, `scale` standard deviations wide."""
    check_reference(benign, count)
    noise = torch.from_numpy(rng.standard_normal((count, benign.shape[1]))).to(benign)
    return benign.mean(dim=0) + scale * deviation(benign) * noise


def inner_product(benign: torch.Tensor, count: int, *, scale: float = 0.1) -> torch.Tensor:
    """Return copies ``(count, d)`` of minus `scale` times the mean of `benign`; small against Krum, large elsewhere.

    Source: Xie et al., UAI 2020, arXiv 1903.03936. The mean of all turns around when ``count * scale > n``.
    """
    return copies(-scale * check_reference(benign, count).mean(dim=0), count)


def mimic(benign: torch.Tensor, count: int, *, target: int | None = None) -> torch.Tensor:
    """Return copies ``(count, d)`` of one benign update, whose client then counts too much.

    `target` None takes the row that lies farthest out along the first principal direction. Source: Karimireddy et al.,
    arXiv 2006.09365, where the direction is estimated over rounds.
    """
    check_reference(benign, count)
    if target is None:
        target = int(torch.linalg.eigh(centred_gram(benign)).eigenvectors[:, -1].abs().argmax())
    return copies(benign[target], count)
