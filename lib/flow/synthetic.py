"""The synthetic(alpha, beta) data of FedProx. Source: Li et al., arXiv 1812.06127, section 5.1.

Client k has labels ``argmax(W_k x + b_k)`` with entries of ``W_k`` and ``b_k`` around ``u_k ~ N(0, alpha)`` and inputs
around ``v_k``, whose entries lie around ``B_k ~ N(0, beta)``; input variances fall as ``j^-1.2``.
"""

import numpy as np
import torch

from lib.federated.types import ClientData, Federation


def synthetic(
    *,
    alpha: float,
    beta: float,
    clients: int = 30,
    examples: int | None = None,
    test: int = 50,
    iid: bool = False,
    features: int = 60,
    classes: int = 10,
    seed: int = 0,
) -> Federation:
    """Return the federation; `alpha` and `beta` are variances, not standard deviations.

    Args:
        alpha: how far the clients' rules differ.
        beta: how far their inputs differ.
        clients: number of clients.
        examples: training examples of every client; None draws ``lognormal(4, 2) + 50`` of them, at most 1000.
        test: test examples a client.
        iid: whether all clients have one rule and one input distribution (``alpha`` and ``beta`` then play no part).
        features: number of features.
        classes: number of classes.
        seed: seed of everything.
    """
    if min(alpha, beta) < 0:
        raise ValueError(f"alpha = {alpha} and beta = {beta} are variances; they must not be negative")
    rng = np.random.default_rng([seed, 212])
    scales = np.arange(1, features + 1) ** -0.6  # standard deviations
    rule = _rule(rng, 0.0, features, classes)
    made = []
    for _ in range(clients):
        own = rule if iid else _rule(rng, rng.normal(0, np.sqrt(alpha)), features, classes)
        centre = np.zeros(features) if iid else rng.normal(rng.normal(0, np.sqrt(beta)), 1, features)
        n = int(min(rng.lognormal(4, 2) + 50, 1000)) if examples is None else examples
        x = centre + rng.standard_normal((n + test, features)) * scales
        y = (x @ own[0] + own[1]).argmax(axis=1)
        inputs, labels = torch.from_numpy(x).float(), torch.from_numpy(y)
        made.append(ClientData(inputs[:n], labels[:n], inputs[n:], labels[n:]))
    name = "synthetic iid" if iid else f"synthetic({alpha:g}, {beta:g})"
    return Federation(name, tuple(made), classes)


def _rule(rng: np.random.Generator, centre: float, features: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(centre, 1, (features, classes)), rng.normal(centre, 1, classes)
