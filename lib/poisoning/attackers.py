"""Attackers of a federated run: what they know of a round, and what they send."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import torch

from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.stack import stack
from lib.federated.training import local_sgd
from lib.federated.types import ClientData, Tensors, to_device
from lib.poisoning import attacks
from lib.poisoning.vectors import flat

# How the attack tailored to a rule of `lib.poisoning.theory.RULES` is called, with its options.
TAILORED = {
    "mean": ("mean", {}),
    "median": ("median", {}),
    "trimmed mean": ("trimmed mean", {}),
    "norm bound": ("norm bound", {}),
    "Krum": ("krum", {}),
    "Multi-Krum": ("multi-krum", {}),
    "Multi-Krum, iterative": ("multi-krum", {"variant": "iterative"}),
    "Bulyan": ("bulyan", {}),
    "geometric median": ("geometric median", {}),
    "DnC": ("dnc", {}),
    "NNM + trimmed mean": ("trimmed mean", {}),
    "NNM + Krum": ("krum", {}),
    "centred clipping": ("norm bound", {}),
    "bucketing + trimmed mean": ("trimmed mean", {}),
    "AFA": ("afa", {}),
    "FoolsGold": ("foolsgold", {}),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Attacker:
    """Malicious clients that act together.

    Attributes:
        malicious: how many there are: in every cohort if `population` is None, otherwise in the population, of which a
            cohort is drawn.
        population: clients of the federation, genuine and made up.
        kind: direction of the tailored attack.
    """

    malicious: int
    population: int | None = None
    kind: str = "unit"

    def to(self, device: str) -> Self:
        """Return the attacker with all that it holds on `device`."""
        return self

    def present(self, cohort: int, rng: np.random.Generator) -> int:
        """Return how many of the `cohort` clients of a round are malicious, fewer than half of them."""
        if self.population is None:
            return self.malicious
        drawn = int(rng.hypergeometric(self.malicious, self.population - self.malicious, cohort))
        return min(drawn, (cohort - 1) // 2)

    def expected(self, cohort: int) -> int:
        """Return how many of the `cohort` clients of a round are malicious on average, rounded."""
        return self.malicious if self.population is None else round(cohort * self.malicious / self.population)

    def play(
        self,
        weights: Tensors,
        benign: torch.Tensor,
        count: int,
        rule: str,
        rng: np.random.Generator,
        memory: Tensors,
    ) -> tuple[torch.Tensor, Tensors]:
        """Return what `send` does, and what the attackers remember, given the `memory` of the last round they had."""
        return self.send(weights, benign, count, rule, rng), {}

    def send(
        self, weights: Tensors, benign: torch.Tensor, count: int, rule: str, rng: np.random.Generator
    ) -> torch.Tensor:
        """Return the updates ``(count, d)`` of a round, given the server's weights and honest updates ``(n, d)``."""
        reference = self.reference(weights, benign, rng)
        name, options = TAILORED[rule]
        rows = resized(reference, len(benign), rng) if name not in ("median", "trimmed mean") else reference
        return attacks.tailored(rows, count, rule=name, kind=self.kind, **options)

    def reference(self, weights: Tensors, benign: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Return the updates ``(r, d)`` that the attack is built on: here the honest ones, an omniscient attacker."""
        return benign


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingAttacker(Attacker):
    """An attacker that trains honestly on data of its own, real or synthetic, for its reference updates.

    Attributes:
        model: network and loss.
        local: settings of local training, those of the honest clients.
        shards: the data, one `ClientData` a reference update.
    """

    model: Model
    local: LocalSGD = field(default_factory=LocalSGD)
    shards: tuple[ClientData, ...] = ()

    def __post_init__(self) -> None:
        if not self.shards:
            raise ValueError("an attacker that trains needs data: give at least one shard")

    def to(self, device: str) -> Self:
        """Return the attacker with its shards on `device`."""
        return replace(self, shards=tuple(one.to(device) for one in self.shards))

    def reference(self, weights: Tensors, benign: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Return the updates ``(shards, d)`` after honest local training from the server's weights."""
        return self.trained(weights, self.shards, rng)

    def trained(self, weights: Tensors, shards: Sequence[ClientData], rng: np.random.Generator) -> torch.Tensor:
        """Return the updates ``(shards, d)`` of clients that hold `shards`."""
        start = stack([weights] * len(shards))
        rngs = [np.random.default_rng(int(seed)) for seed in rng.integers(2**62, size=len(shards))]
        trained = local_sgd(self.model, start, shards, self.local, rngs)
        return torch.cat([(trained[name] - start[name]).flatten(1) for name in weights], dim=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class DataAttacker(TrainingAttacker):
    """An attacker that only poisons data: its clients train on their `shards` as told and send what comes out.

    Attributes:
        scale: factor of what is sent; minus one is the sign flip, which poisons the update and not the data.
    """

    scale: float = 1.0

    def send(
        self, weights: Tensors, benign: torch.Tensor, count: int, rule: str, rng: np.random.Generator
    ) -> torch.Tensor:
        """Return the updates ``(count, d)`` of as many of its clients, drawn anew in every round."""
        return self.scale * resized(self.reference(weights, benign, rng), count, rng)


@dataclass(frozen=True, kw_only=True, eq=False)
class AgnosticAttacker(Attacker):
    """An omniscient attacker whose attack does not look at the rule.

    Attributes:
        attack: one of `lib.poisoning.attacks`, from honest updates ``(n, d)`` and a number to ``(number, d)``.
    """

    attack: Callable[[torch.Tensor, int], torch.Tensor]

    def send(
        self, weights: Tensors, benign: torch.Tensor, count: int, rule: str, rng: np.random.Generator
    ) -> torch.Tensor:
        """Return what the attack makes ``(count, d)`` of the honest updates."""
        return self.attack(benign, count)


@dataclass(frozen=True, kw_only=True, eq=False)
class BaseModelAttacker(Attacker):
    """MPAF: fake clients that pull to one bad model, whatever the rule.

    Attributes:
        base: the bad model's weights.
        scale: factor of the way there.
    """

    base: Tensors
    scale: float = 1e6

    def to(self, device: str) -> Self:
        """Return the attacker with the bad model on `device`."""
        return replace(self, base=to_device(self.base, device))

    def send(
        self, weights: Tensors, benign: torch.Tensor, count: int, rule: str, rng: np.random.Generator
    ) -> torch.Tensor:
        """Return copies ``(count, d)`` of the scaled way from the weights to the base model."""
        here = flat(weights)
        return attacks.mpaf(here, flat(self.base, like=weights).to(here), count, scale=self.scale)


def resized(reference: torch.Tensor, count: int, rng: np.random.Generator) -> torch.Tensor:
    """Return `count` rows of `reference` ``(r, d)``: a sample, with replacement where there are too few.

    An attack that simulates a selection must simulate a cohort of the right size.
    """
    if len(reference) == count:
        return reference
    return reference[torch.from_numpy(rng.choice(len(reference), size=count, replace=len(reference) < count))]
