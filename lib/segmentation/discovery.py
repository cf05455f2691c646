"""Predictive clustering: initialisation, and the critic, actor and embedding steps on one batch.

Source: Lee and van der Schaar (ICML 2020), algorithm 1; the delivery term in the actor's cost is ours.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from lib.segmentation import losses
from lib.segmentation.kmeans import kmeans
from lib.segmentation.networks import Networks, represent
from lib.segmentation.settings import Settings


class Batches:
    """Random users and uniforms for each step; groups with one seed see the same, so that settings are paired."""

    def __init__(self, seeds: Sequence[int], users: int, batch: int):
        self.generators = [np.random.default_rng([seed, 0xBA7C]) for seed in seeds]
        self.users, self.size = users, min(batch, users)

    def next(self) -> tuple[Tensor, Tensor]:
        """Return rows and uniforms in [0, 1), each of shape ``(seeds, batch)``."""
        rows = [generator.choice(self.users, self.size, replace=False) for generator in self.generators]
        uniforms = [generator.random(self.size) for generator in self.generators]
        return torch.from_numpy(np.stack(rows)), torch.from_numpy(np.stack(uniforms)).float()


def pick(values: Tensor, rows: Tensor) -> Tensor:
    """Return each model's own `rows`, ``(models, batch)``, of `values` of shape ``(models, users, ...)``."""
    return values[torch.arange(len(rows), device=rows.device)[:, None], rows]


def initialise(
    networks: Networks, pages: Tensor, outcomes: Tensor, batches: Batches, seeds: Sequence[int], settings: Settings
) -> None:
    """Train encoder and predictor on the outcome, place the segments by k-means, and let the selector learn them."""
    both = [*networks.encoder.parameters(), *networks.predictor.parameters()]
    optimizer = torch.optim.Adam(both, lr=settings.lr_init)
    for _ in range(settings.steps_init):
        rows, _ = batches.next()
        logits = networks.user_logits(networks.encoder(pick(pages, rows)))
        step(optimizer, binary_cross_entropy_with_logits(logits, pick(outcomes, rows), reduction="none").mean(dim=1))
    z = represent(networks, pages)
    labels = place_segments(networks, z, seeds, settings)
    optimizer = torch.optim.Adam(networks.selector.parameters(), lr=settings.lr_init)
    for _ in range(settings.steps_selector):
        rows, _ = batches.next()
        log_pi = networks.log_assignment(pick(z, rows)).transpose(1, 2)
        step(optimizer, cross_entropy(log_pi, pick(labels, rows), reduction="none").mean(dim=1))


def place_segments(networks: Networks, z: Tensor, seeds: Sequence[int], settings: Settings) -> Tensor:
    """Set the centroids from k-means and return each user's label, ``(models, users)``.

    On "latent" representations a centroid is the mean of its users; on the predicted "outcome" it is the representation
    whose prediction is nearest to the centre, as in the source. Stored through the inverse of tanh.
    """
    with torch.no_grad():
        predictions = torch.sigmoid(networks.user_logits(z)).numpy()
    labels = []
    for model, seed in enumerate(seeds):
        latent = z[model].numpy()
        points = latent if settings.start == "latent" else predictions[model][:, None]
        found = kmeans(points, settings.segments, seed)
        centres = found.cluster_centers_
        if settings.start == "outcome":
            centres = latent[np.abs(points - centres.T).argmin(axis=0)]
        with torch.no_grad():
            networks.centroids[model] = torch.atanh(torch.from_numpy(centres).float().clamp(-0.999, 0.999))
        labels.append(torch.from_numpy(found.labels_).long())
    return torch.stack(labels)


class Steps:
    """The optimizers of the loop and one step of each kind, all from one pass of the encoder.

    The segments' prediction does not depend on a user's representation, so the critic step of the source moves the
    predictor alone, and the encoder can be run once for critic, actor and embedding.
    """

    def __init__(self, networks: Networks, settings: Settings):
        self.networks, self.settings = networks, settings
        actor = [*networks.encoder.parameters(), *networks.selector.parameters()]
        self.actor, self.critic, self.embedding, self.map = (
            torch.optim.Adam(parameters, lr=settings.lr)
            for parameters in (
                actor,
                networks.predictor.parameters(),
                [networks.centroids],
                networks.map.parameters(),
            )
        )

    def take(
        self,
        pages: Tensor,
        outcomes: Tensor,
        cells: Tensor,
        uniforms: Tensor,
        reward: Callable[[Tensor], Tensor] | None = None,
        static: Tensor | None = None,
    ) -> None:
        """Take one critic, actor, embedding and map step on a batch.

        `reward` maps representations to what delivery gives each user in each segment, ``(models, n, segments)``, in
        units of the loss, or is None for discovery alone. `static` is the weight of the map's loss for the encoder,
        ``(models,)``.
        """
        networks, settings = self.networks, self.settings
        z = networks.encoder(pages)
        log_pi = networks.log_assignment(z)
        sampled = losses.draw(log_pi.detach(), uniforms)
        step(self.critic, losses.predictive(outcomes, networks.segment_logits(), sampled))
        with torch.no_grad():
            cost = losses.user_segment_loss(outcomes, networks.segment_logits())
            if reward is not None:
                cost = cost - reward(z)
        exact = settings.actor == "exact"
        loss = losses.actor_loss(log_pi, cost, None if exact else sampled, baseline=settings.baseline)
        loss = loss + settings.alpha * losses.user_entropy(log_pi) + settings.gam * losses.imbalance(log_pi)
        if static is not None and bool((static > 0).any()):
            guessed = torch.log_softmax(networks.map(z), dim=-1).transpose(1, 2)
            loss = loss + static * cross_entropy(guessed, cells, reduction="none").mean(dim=1)
        step(self.actor, loss)
        logits = networks.segment_logits()
        placed = losses.predictive(outcomes, logits, sampled)
        step(self.embedding, placed + settings.beta * losses.distance(logits) if settings.beta else placed)
        guessed = torch.log_softmax(networks.map(z.detach()), dim=-1).transpose(1, 2)
        step(self.map, cross_entropy(guessed, cells, reduction="none").mean(dim=1))


def step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Move only what `optimizer` holds down the gradient of the sum over models of `loss`."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss.sum(), parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()
