"""The geometric median, converged. Sources: Pillutla et al., arXiv 1912.13445 (RFA); Vardi and Zhang, PNAS 2000."""

import torch

from lib.poisoning.aggregation.checks import check_majority, check_shape
from lib.poisoning.aggregation.distances import squared_distances
from lib.poisoning.aggregation.mean import weighted


def geometric_median(updates: torch.Tensor, f: int = 0, *, tolerance: float = 1e-9, most: int = 100) -> torch.Tensor:
    """Return the point ``(d,)`` with the least sum of distances to the rows of `updates` ``(n, d)``; needs n > 2f.

    Newton's method from the row with the least sum of distances, which is returned if it is the median itself. Only
    distances between rows are needed, so that an iteration costs ``n^3`` and does not depend on d. Weiszfeld's
    iteration, started at zero and stopped after a few steps as in common implementations, stays far from the median of
    shifted or far-flung rows, and is slow wherever the median lies close to a row.

    Args:
        updates: one row a client.
        f: clients to tolerate.
        tolerance: length of the gradient at the end, per row.
        most: iterations at most.
    """
    check_majority(len(check_shape(updates)), f, "geometric median")
    distances = squared_distances(updates)
    return weighted(updates, geometric_median_weights(distances, tolerance=tolerance, most=most))


def geometric_median_weights(distances: torch.Tensor, *, tolerance: float = 1e-9, most: int = 100) -> torch.Tensor:
    """Return the weights ``(n,)``, summing to one, that put the geometric median together; `distances` are squared."""
    start = int(distances.sqrt().sum(dim=1).argmin())
    weights = _leave(start, distances)
    if weights is None:
        return torch.nn.functional.one_hot(torch.tensor(start), len(distances)).to(distances)
    points = _embedded(distances, start)
    place = weights @ points
    for _ in range(most):
        away = place - points
        lengths = away.norm(dim=1).clamp(min=torch.finfo(points.dtype).tiny)
        directions = away / lengths[:, None]
        gradient = directions.sum(dim=0)
        if gradient.norm() <= tolerance * len(points):
            break
        place = _descended(place, points, directions, lengths, gradient)
    inverse = 1 / (place - points).norm(dim=1).clamp(min=torch.finfo(points.dtype).tiny)
    return inverse / inverse.sum()


def _leave(row: int, distances: torch.Tensor) -> torch.Tensor | None:
    """Return the weights of Vardi and Zhang's step away from `row`, None if that row is the median."""
    apart = distances[row]
    here = apart <= 1e-24 * distances.max()
    away = torch.where(here, 0.0, 1 / torch.where(here, 1.0, apart).sqrt())
    if not bool((away > 0).any()):
        return None
    # |sum of unit vectors to the other rows| = (sum of 1/distance) * |their weighted mean - row|
    target = away / away.sum()
    pull = away.sum() * (distances[row] @ target - 0.5 * target @ distances @ target).clamp(min=0).sqrt()
    count = int(here.sum())
    if pull <= count:
        return None
    stay = count / float(pull)
    weights = (1 - stay) * target
    weights[row] += stay
    return weights


def _embedded(distances: torch.Tensor, origin: int) -> torch.Tensor:
    """Return points ``(n, n)`` with these squared distances, row `origin` at zero.

    Inner products are scaled to a unit diagonal first, so that a far-flung row costs the others no precision.
    """
    inner = (distances[origin][:, None] + distances[origin][None, :] - distances) / 2
    size = inner.diagonal().clamp(min=0).sqrt()
    scale = torch.where(size > 0, size, 1.0)
    values, vectors = torch.linalg.eigh(inner / (scale[:, None] * scale[None, :]))
    return size[:, None] * vectors * values.clamp(min=0).sqrt()


def _descended(place, points, directions, lengths, gradient) -> torch.Tensor:
    """Return the next place: Newton's if it lowers the sum of distances, else Weiszfeld's, which always does."""
    inverse = 1 / lengths
    bend = inverse.sum() * torch.eye(len(place), dtype=place.dtype) - directions.T @ (inverse[:, None] * directions)
    step = torch.linalg.lstsq(bend, gradient[:, None], driver="gelsd").solution[:, 0]
    total, size = lengths.sum(), 1.0
    for _ in range(8):
        if (place - size * step - points).norm(dim=1).sum() < total:
            return place - size * step
        size /= 2
    return (inverse / inverse.sum()) @ points
