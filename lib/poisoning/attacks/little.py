"""A little is enough (LIE): hide within the spread of the benign updates. Source: Baruch et al., arXiv 1902.06156."""

import math
from statistics import NormalDist

import torch

from lib.poisoning.attacks.reference import check_reference, copies, deviation


def little_is_enough(benign: torch.Tensor, count: int, *, z: float | None = None) -> torch.Tensor:
    """Return copies ``(count, d)`` of the mean of `benign` ``(n, d)`` minus `z` standard deviations.

    `z` None is `little_quantile` of a cohort of ``n + count``.
    """
    check_reference(benign, count)
    factor = little_quantile(len(benign) + count, count) if z is None else z
    return copies(benign.mean(dim=0) - factor * deviation(benign), count)


def little_quantile(clients: int, attackers: int) -> float:
    """Return the quantile z of the normal distribution that enough benign updates exceed for a majority.

    ``z = Phi^-1((n - m - s) / (n - m))`` with ``s = floor(n / 2 + 1) - m``. Released code of later papers takes
    ``Phi`` of the fraction instead (`lib.poisoning.released`), several times too much.
    Raises ValueError where the attackers are a majority.
    """
    benign, needed = clients - attackers, math.floor(clients / 2 + 1) - attackers
    if attackers < 1 or needed < 1 or needed >= benign:
        raise ValueError(f"{attackers} attackers of {clients}: the quantile needs between one and less than half")
    return NormalDist().inv_cdf((benign - needed) / benign)
