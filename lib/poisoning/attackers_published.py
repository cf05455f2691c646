"""Further published attacks in a federated run: those that relabel, climb, remember, or draw at random."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from lib.federated.types import Tensors
from lib.poisoning import attacks
from lib.poisoning.aggregation.norm_bound import middle
from lib.poisoning.attackers import Attacker, DataAttacker, TrainingAttacker
from lib.poisoning.vectors import flat, unflat


@dataclass(frozen=True, kw_only=True, eq=False)
class DynamicFlipAttacker(DataAttacker):
    """Clients that train on the labels which the global model of the round finds least likely."""

    def reference(self, weights: Tensors, benign: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Return the updates ``(shards, d)`` that the wrong labels of this round teach."""
        with torch.no_grad():
            shards = [
                replace(one, train_y=attacks.least_likely_labels(self.model(weights, one.train_x)))
                for one in self.shards
            ]
        return self.trained(weights, shards, rng)


@dataclass(frozen=True, kw_only=True, eq=False)
class AscentAttacker(TrainingAttacker):
    """PGA: gradient ascent on the data of the attacker's clients, brought to the median length of honest updates.

    Attributes:
        examples: how many of their examples a round uses.
    """

    examples: int = 256

    def send(
        self, weights: Tensors, benign: torch.Tensor, count: int, rule: str, rng: np.random.Generator
    ) -> torch.Tensor:
        """Return copies ``(count, d)`` of the ascent of as many steps as honest training has."""
        x, y = (torch.cat([getattr(one, part) for one in self.shards]) for part in ("train_x", "train_y"))
        rows = torch.from_numpy(rng.permutation(len(x))[: self.examples])
        norm = float(middle(self.reference(weights, benign, rng).norm(dim=1)))

        def loss(vector: torch.Tensor) -> torch.Tensor:
            return self.model.loss(self.model(unflat(vector, weights), x[rows]), y[rows]).mean()

        steps = self.local.steps or 1
        update = attacks.gradient_ascent(loss, flat(weights), steps=steps, lr=self.local.lr, norm=norm)
        return update.repeat(count, 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnAttacker(Attacker):
    """An attacker that draws from the round's generator and does not look at the rule.

    Attributes:
        attack: from honest updates ``(n, d)`` and a number to ``(number, d)``, with a keyword `rng`.
    """

    attack: Callable[..., torch.Tensor]

    def send(
        self, weights: Tensors, benign: torch.Tensor, count: int, rule: str, rng: np.random.Generator
    ) -> torch.Tensor:
        """Return what the attack draws, ``(count, d)``."""
        return self.attack(benign, count, rng=rng)


@dataclass(frozen=True, kw_only=True, eq=False)
class FangAttacker(Attacker):
    """Fang et al.'s attacks with full knowledge: the one on Krum where whole updates are selected, else the other."""

    def send(
        self, weights: Tensors, benign: torch.Tensor, count: int, rule: str, rng: np.random.Generator
    ) -> torch.Tensor:
        """Return the attack ``(count, d)`` that was made for the rule or for its relatives."""
        if "Krum" in rule or rule == "Bulyan":
            return attacks.fang_krum(benign, count)
        return attacks.fang_trimmed(benign, count, rng=rng)


@dataclass(frozen=True, kw_only=True, eq=False)
class HistoryAttacker(Attacker):
    """Fakes that send the last global step backwards, `scale` times."""

    scale: float = 1e6

    def play(self, weights, benign, count, rule, rng, memory) -> tuple[torch.Tensor, Tensors]:
        """Return the step backwards ``(count, d)``, zero in their first round, and the weights to remember."""
        here = flat(weights)
        return attacks.history(here, memory.get("weights", here), count, scale=self.scale), {"weights": here}


@dataclass(frozen=True, kw_only=True, eq=False)
class PoisonedFLAttacker(Attacker):
    """PoisonedFL: fakes that push in one direction of fixed signs, as far as the model's own steps let them.

    Attributes:
        seed: draws the signs.
        factor: length of an update over that of the last global step, at the start.
        window: rounds after which the factor is tested against what the model did.
    """

    seed: int = 0
    factor: float = 8.0
    window: int = 10

    def play(self, weights, benign, count, rule, rng, memory) -> tuple[torch.Tensor, Tensors]:
        """Return the updates ``(count, d)``, zero in their first round, and what the next round needs."""
        here = flat(weights)
        signs = torch.from_numpy(np.random.default_rng([self.seed, 13]).choice((-1.0, 1.0), size=len(here))).to(here)
        first = {"weights": here, "start": here, "sent": torch.zeros_like(here)}
        known = first | {"factor": here.new_tensor(self.factor), "round": here.new_tensor(0.0)} | memory
        factor, done = float(known["factor"]), int(known["round"])
        if done and done % self.window == 0:
            factor = attacks.adapted_factor(here - known["start"], signs, factor)
            known["start"] = here
        sent = attacks.poisoned_fl(here - known["weights"], known["sent"], signs, count, factor=factor)
        kept = {"weights": here, "start": known["start"], "sent": sent[0], "factor": here.new_tensor(factor)}
        return sent, kept | {"round": known["round"] + 1}


def random_like(benign: torch.Tensor, count: int, *, rng: np.random.Generator) -> torch.Tensor:
    """Return random updates ``(count, d)`` as long as those of MPAF, which do not look at honest ones."""
    return attacks.random_updates(benign[0], count, rng=rng)
