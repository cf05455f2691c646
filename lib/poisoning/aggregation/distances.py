"""All pairwise distances between updates from one Gram matrix, centred wherever rounding asks for it."""

import numpy as np
import torch

from lib.poisoning.aggregation.checks import check_updates

WIDTH = 2048  # coordinates at a time: the block of 100 clients in single precision stays in the second-level cache
NEAR = 4.0  # squared norm over median squared distance up to which rows are far enough apart to need no centring
FAR = 840.0  # the same after centring: beyond, rounding of single precision may reach 1e-4 of a distance


def squared_distances(updates: torch.Tensor) -> torch.Tensor:
    """Return the squared Euclidean distances between the rows of `updates` ``(n, d)``, float64 ``(n, n)`` on the CPU.

    Updates may lie on any device; what is left of them is a small matrix, and what rules do with it is faster there.

    ``|x|^2 + |y|^2 - 2xy`` loses what two rows have in common to rounding. Where that may matter, the mean is
    subtracted from every row, which changes no distance. One attacker can drag the mean away and bring the loss back
    for everybody else; then the row in the middle of the others takes the mean's place. Sums over blocks of coordinates
    are kept in float64, and values whose squares overflow are squared in float64.

    Raises ValueError where an update holds NaN or infinity: the products tell, without a pass of their own.
    """
    distances, apart = _distances(_product(updates, None))
    if apart <= NEAR:
        return distances
    distances, apart = _distances(centred_gram(updates))
    for _ in range(2):
        if apart <= FAR:
            break
        middle = distances.median(dim=1).values.argmin()
        distances, apart = _distances(centred_gram(updates, updates[middle]))
    return distances


def centred_gram(updates: torch.Tensor, centre: torch.Tensor | None = None) -> torch.Tensor:
    """Return the inner products ``(n, n)``, float64 on the CPU, of the rows of `updates` ``(n, d)`` minus `centre`.

    `centre` ``(d,)`` None is the mean of the rows.
    """
    return _product(updates, "mean" if centre is None else centre)


def _product(updates: torch.Tensor, centre: torch.Tensor | str | None) -> torch.Tensor:
    if updates.dtype == torch.float32:
        found = _gram(updates, centre, torch.float32)
        if bool(torch.isfinite(found).all()):
            return found
    found = _gram(updates, centre, torch.float64)
    if not bool(torch.isfinite(found).all()):
        check_updates(updates)
    return found


def _gram(updates: torch.Tensor, centre: torch.Tensor | str | None, dtype: torch.dtype) -> torch.Tensor:
    """Return the inner products of the rows minus a vector, their mean, or nothing (None)."""
    n = len(updates)
    total = updates.new_zeros(n, n, dtype=torch.float64)
    shares = updates.new_full((n,), 1 / n, dtype=dtype)
    width = WIDTH if updates.device.type == "cpu" else 16 * WIDTH  # a launch costs more than a block there
    for start in range(0, updates.shape[1], width):
        block = updates[:, start : start + width].to(dtype)
        if isinstance(centre, str):
            block = block - shares @ block
        elif centre is not None:
            block = block - centre[start : start + width].to(dtype)
        total += _self_product(block)
    return total.cpu()


def _self_product(block: torch.Tensor) -> torch.Tensor:
    if block.device.type != "cpu":
        return (block @ block.T).double()
    rows = block.numpy()
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow is seen by who asked, and repeated in float64
        return torch.from_numpy(rows @ rows.T)  # NumPy computes half of a product with one's own transpose


def _distances(gram: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Return squared distances, and the largest squared norm of a row over its median squared distance to others."""
    norms = gram.diagonal()
    distances = (norms[:, None] + norms[None, :] - 2 * gram).clamp(min=0).fill_diagonal_(0)
    typical = distances.median(dim=1).values
    return distances, float(torch.where(norms > 0, norms / typical, 0.0).max())
