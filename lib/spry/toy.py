"""A problem on which every method runs in seconds: soft-max regression on random features, in blocks of weights."""

import functools

import numpy as np
import torch
from torch import nn

from lib.federated.model import Model
from lib.federated.types import Federation


class BlockedSoftmax(nn.Module):
    """Logits that are linear in the features, the weight matrix cut into blocks of features, each a unit of its own."""

    def __init__(self, features: int, classes: int, blocks: int):
        super().__init__()
        if features % blocks:
            raise ValueError(f"{features} features do not divide into {blocks} blocks; choose a divisor")
        self.blocks = nn.ParameterList([torch.zeros(classes, features // blocks) for _ in range(blocks)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(n, classes)`` of features ``(n, features)``."""
        return x @ torch.cat(list(self.blocks), dim=1).T


def softmax_model(features: int = 256, classes: int = 10, blocks: int = 16) -> Model:
    """Return the regression with zero initial weights; give the methods ``per_unit=1``."""
    return Model(functools.partial(BlockedSoftmax, features, classes, blocks))


def digits_features(features: int = 256, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return random ReLU features ``(1797, features)`` of scikit-learn's digits, and the labels ``(1797,)``.

    Features are standardized and divided by the root of their number, so that the mean squared length is one.
    """
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    hidden = np.maximum(x @ rng.standard_normal((x.shape[1], features)), 0)
    spread = np.where(hidden.std(axis=0) > 0, hidden.std(axis=0), 1)
    return (hidden - hidden.mean(axis=0)) / spread / np.sqrt(features), y


def digits_federation(
    *, clients: int = 24, alpha: float = 1.0, features: int = 256, test_examples: int = 381, seed: int = 0
) -> Federation:
    """Return digits as random features, label-skewed clients of equal size, one test set, held by the first client.

    Args:
        clients: number of clients.
        alpha: concentration of the Dirichlet draws of the clients' labels; 100 is nearly even.
        features: number of random features.
        test_examples: examples held out for all; the others are dealt to the clients.
        seed: of features, hold-out and partition.
    """
    from lib.spry.federation import dirichlet_equal_sizes, shared_test_federation

    rng = np.random.default_rng([seed, 29])
    x, y = digits_features(features, rng=rng)
    order = rng.permutation(len(y))
    test, train = order[:test_examples], order[test_examples:]
    parts = [train[rows] for rows in dirichlet_equal_sizes(y[train], clients, alpha=alpha, rng=rng)]
    return shared_test_federation(torch.tensor(x, dtype=torch.float32), torch.tensor(y), parts, test, name="digits")
