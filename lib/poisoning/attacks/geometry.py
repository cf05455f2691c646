"""A cohort of benign updates and m equal attackers, known by its inner products: probing a strength costs no d."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Geometry:
    """Inner products of the deviations from the benign mean, that mean, and the direction of the attack.

    Every update of the cohort is a combination of those ``n + 2`` vectors: benign update i is mean plus deviation i, an
    attacker is mean plus strength times direction. One pass over the updates gives the inner products; after that every
    distance in the cohort is a quadratic function of the strength.

    Attributes:
        gram: float64, shape ``(n + 2, n + 2)``: deviations, then the mean, then the direction.
        count: attackers.
    """

    gram: torch.Tensor
    count: int

    @property
    def benign(self) -> int:
        """Number of benign updates."""
        return len(self.gram) - 2

    @property
    def scale(self) -> float:
        """The strength at which the attack is as long as the longest deviation."""
        deviations, direction = self.gram.diagonal()[:-2], self.gram[-1, -1]
        return float((deviations.max() / direction).sqrt()) if direction > 0 else 0.0

    def coefficients(self, strengths: torch.Tensor, *, around: float = 1.0) -> torch.Tensor:
        """Return the cohorts ``(p, n + m, n + 2)`` as combinations, one a strength in `strengths` ``(p,)``.

        An attacker is `around` times the mean plus its strength times the direction.
        """
        n = self.benign
        rows = torch.zeros(len(strengths), n + self.count, n + 2, dtype=torch.float64)
        rows[:, :n, :n] = torch.eye(n, dtype=torch.float64)
        rows[:, :n, n] = 1
        rows[:, n:, n] = around
        rows[:, n:, n + 1] = strengths[:, None]
        return rows

    def distances(self, strengths: torch.Tensor, *, around: float = 1.0) -> torch.Tensor:
        """Return the squared distances ``(p, n + m, n + m)`` within the cohorts."""
        rows = self.coefficients(strengths, around=around)
        rows[..., self.benign] -= 1  # distances do not change when the mean is taken from every row
        inner = rows @ self.gram @ rows.transpose(1, 2)
        norms = inner.diagonal(dim1=1, dim2=2)
        found = (norms[:, :, None] + norms[:, None, :] - 2 * inner).clamp(min=0)
        found[:, self.benign :, self.benign :] = 0
        return found

    def norms(self, strengths: torch.Tensor) -> torch.Tensor:
        """Return the norms ``(p, n + m)`` of the cohorts' updates."""
        rows = self.coefficients(strengths)
        return ((rows @ self.gram) * rows).sum(dim=2).clamp(min=0).sqrt()

    def moved(self, strengths: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return how far ``(p,)`` the combination with `weights` ``(p, n + m)`` lies from the benign mean."""
        mix = (weights.unsqueeze(1) @ self.coefficients(strengths)).squeeze(1)
        mix[:, self.benign] -= 1
        return ((mix @ self.gram) * mix).sum(dim=1).clamp(min=0).sqrt()


def geometry(benign: torch.Tensor, direction: torch.Tensor, count: int) -> Geometry:
    """Return the geometry of `benign` ``(n, d)`` and `count` attackers along `direction` ``(d,)``."""
    total = torch.zeros(len(benign) + 2, len(benign) + 2, dtype=torch.float64)
    for block, part in zip(benign.split(2**14, dim=1), direction.split(2**14), strict=True):
        block = block.double()
        mean = block.mean(dim=0, keepdim=True)
        rows = torch.cat([block - mean, mean, part.double()[None]])
        total += (rows @ rows.T).cpu()
    return Geometry(total, count)
