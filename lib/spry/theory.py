"""What can be proved about split forward gradients, in closed forms that the experiments are drawn against.

The paper's theorem statements could not be read. Everything here is derived by the companion, most of it in a line,
for the estimator ``g_hat = 1/K sum_k <grad f, v_k> v_k`` with standard normal ``v_k`` (Baydin et al., arXiv 2202.08587)
whose coordinates are divided over ``M`` clients as in arXiv 2405.15551. Notation: `block` is the number ``p = d/M`` of
coordinates that one client perturbs, `perturbations` is K.
"""

from math import exp, lgamma, log, pi, sqrt

import numpy as np
from scipy.optimize import minimize_scalar

METHODS = ("split", "own directions", "shared directions")


def relative_mse(block: int, perturbations: int = 1) -> float:
    """Return E||g_hat - grad||^2 / ||grad||^2 = (p + 1) / K of one client's estimate of its block.

    One direction has E[(v.g)^2 ||v||^2] = (p + 2) ||g||^2 and mean g, and K of them are averaged.
    """
    return (block + 1) / perturbations


def relative_second_moment(block: int, perturbations: int = 1) -> float:
    """Return E||g_hat||^2 / ||grad||^2 = (p + K + 1) / K, which is 1 + `relative_mse`."""
    return (block + perturbations + 1) / perturbations


def round_mse(method: str, dimension: int, clients: int, perturbations: int = 1) -> float:
    """Return the relative squared error of one synchronous step of M identical clients.

    "split": each client estimates d/M coordinates and the estimates are joined, (d/M + 1)/K. "own directions": all
    estimate all d coordinates with directions of their own and are averaged, (d + 1)/(KM). "shared directions": all
    use the same directions, so averaging identical estimates gains nothing, (d + 1)/K.
    """
    _known(method)
    if method == "split":
        return relative_mse(dimension // clients, perturbations)
    return relative_mse(dimension, perturbations) / (clients if method == "own directions" else 1)


def expected_cosine(block: int, perturbations: int = 1) -> float:
    """Return the mean cosine between estimate and gradient: exact for K = 1, else about sqrt(K / (K + p + 1)).

    For K = 1 it is the mean of |u_1| on the unit sphere, Gamma(p/2) / (sqrt(pi) Gamma((p+1)/2)).
    """
    if perturbations == 1:
        return exp(lgamma(block / 2) - lgamma((block + 1) / 2)) / sqrt(pi)
    return sqrt(perturbations / (perturbations + block + 1))


def label_skew(counts: np.ndarray) -> np.ndarray:
    """Return each client's class shares minus the global ones, shape ``(clients, classes)``, from example `counts`."""
    counts = np.asarray(counts, dtype=float)
    return counts / counts.sum(axis=1, keepdims=True) - counts.sum(axis=0) / counts.sum()


def conditional_bias(gradients: np.ndarray, target: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Return the mean of the joined estimate minus the global gradient, given who holds which coordinate.

    `gradients` ``(clients, d)`` are the clients' gradients, `target` ``(d,)`` the global one and `owners` ``(..., d)``
    the client that perturbs each coordinate. Coordinate i has mean ``gradients[owners[i], i]``: an unbiased estimate
    of the wrong function. Returns ``(..., d)``.
    """
    return gradients[owners, np.arange(gradients.shape[1])] - target


def expected_squared_bias(gradients: np.ndarray, target: np.ndarray) -> float:
    """Return E||bias||^2 over clients drawn uniformly for the blocks: mean over clients of ||grad f_m - grad f||^2.

    It depends neither on the number of blocks nor on where they are cut.
    """
    return float(np.square(gradients - target).sum(axis=1).mean())


def skew_gradients(by_class: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return what the clients' gradients would be if those of one class were the same at every client.

    `by_class` ``(classes, d)`` are the gradients of the classes' mean losses, `counts` ``(clients, classes)``. The
    bias that is left is ``sum_c skew[m, c] by_class[c]`` on the block of client m: pure label skew, zero exactly when
    every class mix is the global one.
    """
    counts = np.asarray(counts, dtype=float)
    return counts / counts.sum(axis=1, keepdims=True) @ by_class


def round_factor(method: str, lr: float, *, dimension: int, clients: int, steps: int, perturbations: int = 1) -> float:
    """Return E||w'||^2 / ||w||^2 of one round of `steps` local steps on f(w) = ||w||^2 / 2 at every client.

    One step has mean factor 1 - lr on w and 1 - 2 lr + lr^2 (p + K + 1)/K on ||w||^2. Joined blocks and shared
    directions keep the second factor to the power `steps`; the average of M independent runs keeps 1/M of it, and
    (1 - 1/M) of the squared mean, which no averaging can beat.
    """
    _known(method)
    block = dimension // clients if method == "split" else dimension
    single = (1 - 2 * lr + lr**2 * relative_second_moment(block, perturbations)) ** steps
    if method != "own directions":
        return single
    return single / clients + (1 - 1 / clients) * (1 - lr) ** (2 * steps)


def best_rounds(
    method: str, *, dimension: int, clients: int, steps: int, perturbations: int = 1, target: float = 100.0
) -> tuple[float, float]:
    """Return (rounds, lr): the fewest expected rounds until ||w||^2 has fallen `target` times, and the lr that does it.

    `round_factor` minimized over lr in (0, 1); log(target) / -log(factor) is a real number, rounds come in whole ones.
    """

    def log_factor(log_lr: float) -> float:
        factor = round_factor(
            method, exp(log_lr), dimension=dimension, clients=clients, steps=steps, perturbations=perturbations
        )
        return log(factor)

    grid = np.linspace(log(1e-5), log(0.999), 400)  # the factor may have several minima in lr: find the right valley
    place = int(np.argmin([log_factor(value) for value in grid]))
    low, high = grid[max(place - 1, 0)], grid[min(place + 1, len(grid) - 1)]
    found = minimize_scalar(log_factor, bounds=(low, high), method="bounded")
    return log(target) / -found.fun, exp(found.x)


def _known(method: str) -> None:
    if method not in METHODS:
        raise ValueError(f"method is {method!r}: choose one of {', '.join(METHODS)}")
