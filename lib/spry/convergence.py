"""A convex problem whose clients' gradients are cheap and exact: soft-max regression on random features of digits."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Softmax:
    """Clients of equal size: features ``(clients, examples, f)``, one-hot labels ``(clients, examples, classes)``."""

    features: np.ndarray
    labels: np.ndarray

    @property
    def dimension(self) -> int:
        """Number of weights d, features times classes."""
        return self.features.shape[2] * self.labels.shape[2]

    @property
    def counts(self) -> np.ndarray:
        """Examples by client and class, ``(clients, classes)``."""
        return self.labels.sum(axis=1)

    def gradients(self, weights: np.ndarray) -> np.ndarray:
        """Return the clients' gradients ``(clients, d)`` of their mean cross-entropy at `weights` ``(d,)``."""
        scores = self.features @ weights.reshape(self.features.shape[2], -1)
        scores -= scores.max(axis=2, keepdims=True)
        chances = np.exp(scores)
        chances /= chances.sum(axis=2, keepdims=True)
        products = self.features.transpose(0, 2, 1) @ (chances - self.labels)
        return products.reshape(len(self.features), -1) / self.features.shape[1]


def digits_softmax(*, alpha: float, clients: int = 24, features: int = 256, seed: int = 0) -> Softmax:
    """Return digits, dealt out with Dirichlet(`alpha`) class shares, as random ReLU features of unit mean square norm.

    Clients have equal numbers of examples, so the global objective is the plain mean of theirs.
    """
    from sklearn.datasets import load_digits

    from lib.federated.partition import dirichlet

    rng = np.random.default_rng([seed, features])
    x, y = load_digits(return_X_y=True)
    hidden = np.maximum((x / 16 - 0.3) @ rng.standard_normal((64, features)), 0)
    hidden /= np.sqrt(np.square(hidden).sum(axis=1).mean())
    parts = dirichlet(y, clients, alpha=alpha, rng=rng)
    size = min(len(part) for part in parts)  # parts differ by one example at most
    chosen = np.stack([rng.permutation(part)[:size] for part in parts])
    return Softmax(hidden[chosen].astype(np.float32), np.eye(10, dtype=np.float32)[y[chosen]])


def block_owners(dimension: int, holders: np.ndarray) -> np.ndarray:
    """Return the client that owns each coordinate, ``(d,)``: equal consecutive blocks, block u held by `holders[u]`."""
    return np.repeat(holders, -(-dimension // len(holders)))[:dimension]


def split_descent(
    problem: Softmax,
    *,
    blocks: int,
    rounds: int,
    lr: float,
    resampled: bool,
    rng: np.random.Generator,
    exact: bool = False,
) -> np.ndarray:
    """Run rounds of one split forward-gradient step each (T = 1, K = 1) and return ||grad f||^2 before every round.

    Block u is held by one client of a random cohort: by the same one in all rounds, or, with `resampled`, by one of a
    cohort drawn anew in each round. `exact` replaces the estimates by their means over the directions, which leaves
    only the conditional bias. Returns shape ``(rounds + 1,)``.
    """
    clients = len(problem.features)
    if blocks > clients:
        raise ValueError(f"{blocks} blocks for {clients} clients: every block needs a client of its own")
    owners = block_owners(problem.dimension, rng.permutation(clients)[:blocks])
    starts = np.flatnonzero(np.r_[True, np.diff(owners) != 0])
    block = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(owners)]))
    w, norms, places = np.zeros(problem.dimension, dtype=np.float32), [], np.arange(problem.dimension)
    for _ in range(rounds):
        gradients = problem.gradients(w)
        norms.append(float(np.square(gradients.mean(axis=0)).sum()))
        if resampled:
            owners = block_owners(problem.dimension, rng.permutation(clients)[:blocks])
        step = gradients[owners, places]
        if not exact:
            v = rng.standard_normal(len(w), dtype=np.float32)
            step = np.add.reduceat(step * v, starts)[block] * v
        w = w - np.float32(lr) * step
    norms.append(float(np.square(problem.gradients(w).mean(axis=0)).sum()))
    return np.array(norms)
