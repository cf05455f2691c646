"""The benign updates that an attacker knows or simulates, and the directions that attacks are built on."""

import torch

from lib.poisoning.aggregation.checks import check_updates

DIRECTIONS = ("unit", "std", "sign")


def check_reference(benign: torch.Tensor, count: int) -> torch.Tensor:
    """Return `benign` ``(n, d)`` if it is finite, and `count`, the attackers, is at least one; ValueError otherwise."""
    if int(count) != count or count < 1:
        raise ValueError(f"count = {count}: an attack needs at least one attacker")
    return check_updates(benign)


def deviation(benign: torch.Tensor) -> torch.Tensor:
    """Return the standard deviation ``(d,)`` of each coordinate with divisor ``n - 1``; zero for a single row."""
    return benign.std(dim=0) if len(benign) > 1 else torch.zeros_like(benign[0])


def direction(benign: torch.Tensor, kind: str) -> torch.Tensor:
    """Return a perturbation ``(d,)`` against the mean of `benign` ``(n, d)``.

    `kind` is "unit" (minus the mean, brought to length one), "std" (minus the standard deviation) or "sign" (minus the
    sign of the mean). Source: Shejwalkar and Houmansadr, NDSS 2021. Raises ValueError for another kind.
    """
    if kind == "unit":
        mean = benign.mean(dim=0)
        return -mean / mean.norm().clamp(min=torch.finfo(mean.dtype).tiny)
    if kind == "std":
        return -deviation(benign)
    if kind == "sign":
        return -benign.mean(dim=0).sign()
    raise ValueError(f"no direction {kind!r}: choose one of {', '.join(DIRECTIONS)}")


def copies(update: torch.Tensor, count: int) -> torch.Tensor:
    """Return `count` copies ``(count, d)`` of `update` ``(d,)``, each in its own memory."""
    return update.repeat(count, 1)


def disguised(updates: torch.Tensor, share: float, rng) -> torch.Tensor:
    """Return `updates` ``(m, d)`` with Gaussian noise of length about `share` times each row's.

    Identical copies are easy to find; a little noise hides them and hardly changes what they do.
    """
    noise = torch.from_numpy(rng.standard_normal(updates.shape)).to(updates)
    return updates + share * updates.norm(dim=1, keepdim=True) * noise / updates.shape[1] ** 0.5
