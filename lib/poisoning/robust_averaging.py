"""Federated averaging under attack: honest clients, an attacker in the cohort, a robust rule at the server.

Clients cannot see each other, so attackers that act together are simulated where their updates meet: in the server's
aggregation, before the rule is applied. That is the same on every engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lib.federated.algorithms.fedavg import FedAvg
from lib.federated.types import Instruction, ServerState, Tensors, Update
from lib.poisoning.aggregation import finite_rows
from lib.poisoning.attackers import Attacker
from lib.poisoning.theory import BUCKETING, RULES, most_tolerated
from lib.poisoning.vectors import flat, unflat

MEMORY = "attack."  # what attackers remember travels with the server's state, under names that begin so


@dataclass(frozen=True, kw_only=True)
class RobustAveraging(FedAvg):
    """FedAvg whose server aggregates the clients' updates, not their weights, by a rule; every client counts alike.

    Attributes:
        cohort_size: clients of a round, honest and malicious.
        defence: a name of `lib.poisoning.theory.RULES`.
        attacker: who sends poison; None is nobody.
        tolerated: attackers that the rule is told of: "oracle" knows each round's number, "expected" the average
            over rounds, and a number, also as text, is a guess.
            A number that the rule refuses is lowered to the most it accepts.
        attack_seed: drives how many attackers a round has and what they draw.
    """

    cohort_size: int
    defence: str = "mean"
    attacker: Attacker | None = None
    tolerated: int | str = "oracle"
    attack_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.defence not in RULES:
            raise ValueError(f"no rule {self.defence!r}: choose one of {', '.join(RULES)}")
        if self.tolerated not in ("oracle", "expected") and not str(self.tolerated).isdecimal():
            raise ValueError(f"tolerated = {self.tolerated!r}: give 'oracle', 'expected' or a number of clients")

    def configure(
        self, state: ServerState, round: int, cohort: Sequence[int], rng: np.random.Generator
    ) -> dict[int, Instruction]:
        """Send the weights to the honest clients of the cohort; attackers take the places of random others."""
        if len(cohort) != self.cohort_size:
            raise ValueError(
                f"a cohort of {len(cohort)}; run with cohort_size={self.cohort_size}, as the algorithm says"
            )
        places = self.cohort_size - self._present(round)
        if places < 1:
            raise ValueError(f"a cohort of {len(cohort)} has no honest client; lower the number of attackers")
        honest = np.asarray(cohort)[rng.permutation(len(cohort))[:places]]
        return super().configure(state, round, sorted(honest.tolist()), rng)

    def aggregate(self, state: ServerState, updates: dict[int, Update]) -> ServerState:
        """Let the attacker see the round and send, apply the rule, and let the server optimizer step."""
        step = state.round + 1
        weights = flat(state.tensors)
        trained = torch.stack([flat(updates[client].tensors, like=state.tensors) for client in sorted(updates)])
        rows, f, memory = self._received(state, trained - weights, step)
        if self.defence == BUCKETING:
            rows = rows[torch.from_numpy(np.random.default_rng([self.attack_seed, 2, step]).permutation(len(rows)))]
        average = unflat(weights + RULES[self.defence](rows, f), state.tensors)
        tensors, moments = self.server(state.tensors, average, state.optimizer, step=step)
        return ServerState(step, tensors, moments | {MEMORY + name: value for name, value in memory.items()})

    def _received(self, state: ServerState, benign: torch.Tensor, round: int) -> tuple[torch.Tensor, int, Tensors]:
        """Return the round's updates that are finite, what the rule is told, and what the attackers remember."""
        count, rows = self._present(round), benign
        memory = {name.removeprefix(MEMORY): v for name, v in state.optimizer.items() if name.startswith(MEMORY)}
        if count:
            rng = np.random.default_rng([self.attack_seed, 1, round])
            sent, memory = self.attacker.play(state.tensors, benign, count, self.defence, rng, memory)
            rows = finite_rows(torch.cat([benign, sent]))
        return rows, min(self._told(count), most_tolerated(self.defence, len(rows))), memory

    def _told(self, count: int) -> int:
        """Return how many attackers the rule is told of in a round with `count`."""
        if self.tolerated == "oracle":
            return count
        if self.tolerated == "expected":
            return self.attacker.expected(self.cohort_size) if self.attacker else 0
        return int(self.tolerated)

    def _present(self, round: int) -> int:
        """Return how many attackers the cohort of `round` has."""
        if self.attacker is None:
            return 0
        return self.attacker.present(self.cohort_size, np.random.default_rng([self.attack_seed, 0, round]))
