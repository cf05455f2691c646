"""What can be proved about mixing a local and a global estimate (the companion's propositions).

Client m of M has the optimum ``w_m = w + delta_m`` with ``E|delta_m|^2 = d2`` and estimates it with error variance
``s2 / n``; the global estimate is the mean of the clients'. The paper's theorems were not within our reach.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Setting:
    """The setting of the propositions.

    Attributes:
        clients: M, at least 2.
        n: examples a client.
        noise: s2, variance of one example's estimate, summed over coordinates.
        spread: d2, mean squared distance of the clients' optima from their centre.
    """

    clients: int
    n: int
    noise: float
    spread: float

    def __post_init__(self) -> None:
        if self.clients < 2 or self.n < 1 or self.noise < 0 or self.spread < 0 or self.noise + self.spread == 0:
            raise ValueError("give at least two clients and one example, and variances of at least 0, not both 0")


def risk(alpha: np.ndarray | float, at: Setting) -> np.ndarray:
    """Return the mean squared error ``E|alpha w_local + (1 - alpha) w_global - w_m|^2``, shaped like `alpha`."""
    alpha = np.asarray(alpha, dtype=float)
    own, common = at.noise / at.n, at.noise / at.n / at.clients
    far = at.spread * (1 - 1 / at.clients) + common
    return alpha**2 * own + (1 - alpha) ** 2 * far + 2 * alpha * (1 - alpha) * common


def best_alpha(at: Setting) -> float:
    """Return the weight of the local estimate with the least risk, ``d2 / (d2 + s2 / n)``, whatever M is."""
    return at.spread / (at.spread + at.noise / at.n)


def curvature(at: Setting) -> float:
    """Return kappa in ``risk(alpha) = risk(best) + kappa (alpha - best)^2``: ``(1 - 1 / M) (s2 / n + d2)``."""
    return (1 - 1 / at.clients) * (at.noise / at.n + at.spread)


def value_of_instances(rho: np.ndarray | float, at: Setting, spread_1: float) -> np.ndarray:
    """Return by how much one weight for all instances is worse than one for each of two types, at the optimum of both.

    A share `rho` of the instances is of type 1, whose optima spread by `spread_1`; the others by ``at.spread``. The
    value is ``rho k1 (1 - rho) k0 / (rho k1 + (1 - rho) k0) (a1 - a0)^2``, zero where one type is alone or the types
    spread alike.
    """
    one = Setting(at.clients, at.n, at.noise, spread_1)
    rho = np.asarray(rho, dtype=float)
    k1, k0 = rho * curvature(one), (1 - rho) * curvature(at)
    return k1 * k0 / (k1 + k0) * (best_alpha(one) - best_alpha(at)) ** 2


def simulated_errors(at: Setting, *, draws: int, dim: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return errors of the local and of the global estimate over many federations, each ``(draws, M, dim)``.

    Optima and estimates are drawn, nothing of the closed forms is used. Every error of a client is an independent
    replicate only across draws.
    """
    rng = np.random.default_rng(seed)
    shape = (draws, at.clients, dim)
    optima = rng.standard_normal(shape) * np.sqrt(at.spread / dim)
    local = optima + rng.standard_normal(shape) * np.sqrt(at.noise / at.n / dim)
    return local - optima, local.mean(axis=1, keepdims=True) - optima


def simulated_risk(alphas: np.ndarray, local: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """Return the mean squared error of each weight in `alphas` on errors of `simulated_errors`, shape ``(alphas,)``."""
    a, b = (local**2).sum(axis=2).mean(), (shared**2).sum(axis=2).mean()
    c = (local * shared).sum(axis=2).mean()
    return alphas**2 * a + (1 - alphas) ** 2 * b + 2 * alphas * (1 - alphas) * c
