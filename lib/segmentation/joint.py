"""Delivery-aware discovery: actor-critic clustering whose actor is also paid for what delivery gets from a segment.

Our reading of the abstract of arXiv 2402.03388; the paper's own formulas are not public to us.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lib.segmentation.allocation import Totals, allocate
from lib.segmentation.discovery import Batches, Steps, initialise, pick
from lib.segmentation.media import Media, full_price
from lib.segmentation.networks import Networks, repeat, represent, stacked
from lib.segmentation.settings import DEFAULT, Settings
from lib.segmentation.stopping import Best, hold_out
from lib.segmentation.users import Users


@dataclass(frozen=True, eq=False)
class Fitted:
    """Networks of every seed and weight: model ``s * len(lams) + j`` has seed ``seeds[s]`` and weight ``lams[j]``."""

    networks: Networks
    seeds: tuple[int, ...]
    lams: tuple[float, ...]

    def models(self) -> list[tuple[int, int, float]]:
        """Return (model, position of the seed, weight) of every model."""
        return [(s * len(self.lams) + j, s, lam) for s in range(len(self.seeds)) for j, lam in enumerate(self.lams)]


def fit(
    trains: Sequence[Users],
    media: Sequence[Media],
    *,
    lams: Sequence[float],
    seeds: Sequence[int],
    budget_fraction: float = 0.15,
    charge: str = "targeted",
    settings: Settings = DEFAULT,
    progress: Callable[[Iterable, str], Iterable] | None = None,
) -> Fitted:
    """Learn segments for every seed and delivery weight at once.

    Weights share the initialisation, the batches and the random numbers of their seed, so that they differ in nothing
    else.

    Args:
        trains: users to learn from, one group a seed, all of one size.
        media: media of each seed.
        lams: weights of the delivery term; 0 is discovery alone.
        seeds: seeds of weights, batches and samples.
        budget_fraction: budget as a share of what targeting every user at the mean price costs.
        charge: what media charge for: "targeted", "matched" or "exposed".
        settings: all other choices.
        progress: wraps the steps of the loop.

    Raises ValueError for weights below zero or groups of different sizes.
    """
    if min(lams) < 0 or not len(trains) == len(media) == len(seeds):
        raise ValueError("expected weights of at least 0 and one group of users and media a seed")
    if settings.look_every:
        trains, held = hold_out(trains, seeds)
    pages, cells, outcomes = stacked(trains)
    networks = Networks(trains[0], seeds, segments=settings.segments, widths=settings.widths, encoder=settings.encoder)
    batches = Batches(seeds, pages.shape[1], settings.batch)
    initialise(networks, pages, outcomes, batches, seeds, settings)
    networks, times = repeat(networks, len(lams)), len(lams)
    pages, cells, outcomes = (values.repeat_interleave(times, dim=0) for values in (pages, cells, outcomes))
    delivery = Delivery(media, lams, cells, outcomes, budget_fraction, charge, settings)
    best = Best(networks, [users for users in held for _ in lams]) if settings.look_every else None
    steps, count = Steps(networks, settings), range(settings.steps_joint)
    for number in progress(count, "joint steps") if progress else count:
        if number % settings.lp_every == 0 and max(lams) > 0:
            delivery.allocate(networks, represent(networks, pages))
        rows, uniforms = (values.repeat_interleave(times, dim=0) for values in batches.next())
        reward = delivery.reward(networks, pick(cells, rows)) if max(lams) > 0 else None
        steps.take(pick(pages, rows), pick(outcomes, rows), pick(cells, rows), uniforms, reward, delivery.static_weight)
        if best and (number + 1) % settings.look_every == 0:
            best.look()
    if best:
        best.restore()
    return Fitted(networks, tuple(seeds), tuple(lams))


class Delivery:
    """The current allocation of every model, and what it gives a user in each segment."""

    def __init__(
        self,
        media: Sequence[Media],
        lams: Sequence[float],
        cells: Tensor,
        outcomes: Tensor,
        budget_fraction: float,
        charge: str,
        settings: Settings,
    ):
        self.settings, times = settings, len(lams)
        exposed = np.stack([one.exposure for one in media])
        charged = np.stack([one.charge(charge) for one in media])
        self.exposed, self.charged = (
            torch.from_numpy(values).float().repeat_interleave(times, dim=0) for values in (exposed, charged)
        )
        self.lam = torch.tensor(list(lams) * len(media)).float()
        self.cells = cells
        self.static_weight = settings.static_weight * self.lam / (1 + self.lam)
        self.budgets = np.repeat([budget_fraction * full_price(cells.shape[1], one) for one in media], times)
        self.unit = pick(self.exposed, cells).mean(dim=(1, 2))
        if settings.value == "conversions":
            self.unit = self.unit * outcomes.mean(dim=1)
        self.share = self.price = torch.zeros(0)  # until the first allocation

    def allocate(self, networks: Networks, z: Tensor) -> None:
        """Solve the allocation of every model on all training users."""
        with torch.no_grad():
            pi = networks.log_assignment(z).exp()
            exposed, charged = self.by_user(networks, z, self.cells)
            worth = self.worth(networks)
            gain = torch.einsum("rnk,rnm->rkm", pi, exposed) * worth[..., None]
            cost = torch.einsum("rnk,rnm->rkm", pi, charged)
        totals = [Totals(*one) for one in zip(gain.double().numpy(), cost.double().numpy(), strict=True)]
        plans = [allocate(one, budget) for one, budget in zip(totals, self.budgets, strict=True)]
        self.share = torch.from_numpy(np.stack([plan.share for plan in plans])).float()
        self.price = torch.tensor([plan.price for plan in plans]).float()

    def worth(self, networks: Networks) -> Tensor:
        """Return what an exposure in each segment is worth, ``(models, segments)``."""
        logits = networks.segment_logits().detach()
        return torch.sigmoid(logits) if self.settings.value == "conversions" else torch.ones_like(logits)

    def by_user(self, networks: Networks, z: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Return exposure and charge of each user in each medium, ``(models, n, media)``."""
        if self.settings.static == "observed":
            return pick(self.exposed, cells), pick(self.charged, cells)
        with torch.no_grad():
            chance = torch.softmax(networks.map(z), dim=-1)
        return torch.bmm(chance, self.exposed), torch.bmm(chance, self.charged)

    def reward(self, networks: Networks, cells: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the function from representations of users in `cells` to their weighted reduced value by segment."""

        def of(z: Tensor) -> Tensor:
            exposed, charged = self.by_user(networks, z, cells)
            value = torch.einsum("rnm,rkm->rnk", exposed, self.share) * self.worth(networks)[:, None]
            spent = torch.einsum("rnm,rkm->rnk", charged, self.share)
            reduced = value - self.price[:, None, None] * spent
            return (self.lam / self.unit)[:, None, None] * reduced

        return of
