"""Spry: every client trains its share of the weights by forward gradients, and the server averages a unit at a time.

Source: Panchal et al., "Thinking Forward: Memory-Efficient Federated Finetuning of Language Models", arXiv 2405.15551.
Round: send all trainable weights; client ``m`` perturbs its units alone, and steps along
``mean_k (grad f . v_k) v_k``, each product one forward pass; it sends its units; the server averages each unit over
the clients that trained it and lets FedYogi step. Where the paper leaves something open to us, the options say so.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from lib.federated.aggregation import weighted_mean
from lib.federated.algorithms.base import CohortAlgorithm, Rngs
from lib.federated.local import LocalSGD
from lib.federated.server_optimizers import ServerOptimizer, fedyogi
from lib.federated.stack import owned as copies
from lib.federated.stack import stack
from lib.federated.types import ClientData, Instruction, Memory, Scalars, ServerState, Tensors, Update
from lib.spry.client_optimizers import OPTIMIZERS
from lib.spry.forward_gradient import Backend, ForwardGradient, Loss, forward_gradient
from lib.spry.local_training import DropoutMode, local_training
from lib.spry.perturbations import Key, perturbation
from lib.spry.released import positional_zip, released_assignment
from lib.spry.units import Unit, aggregate_units, assign_units, classifier_share, units

SEED = "spry.seed"  # the run's seed, which the server needs to make perturbations again
YOGI = functools.partial(fedyogi, lr=1e-2, tau=1e-3, initial_v=0.0)  # the defaults of Flower 1.5, as the authors use

VSharing = Literal["independent", "shared_round", "shared_iteration"]


@dataclass(frozen=True, kw_only=True)
class Spry(CohortAlgorithm):
    """Spry with one communication an epoch (`local` says how much that is); without `split` it is FedFGD.

    Attributes:
        server: server optimizer; FedYogi with the authors' settings by default.
        optimizer: client optimizer, "adamw" (the authors') or "sgd", with the settings of `local`.
        perturbations: K, perturbations a minibatch.
        split: whether the units are shared out; else every client trains all.
        per_unit: tensors a unit: 2 keeps LoRA pairs together, 1 for BitFit and IA3.
        classifier_share: number of trailing tensors that every client trains in addition to its share.
        assignment: "dealt", so that with more clients than units several share one, or "as_released", which fails
            there, see `lib.spry.released.released_assignment`.
        lora_a_waits: leave LoRA's A alone in the first round. Its gradient is zero while B is zero, and a forward
            gradient writes noise into it, as in the authors' code.
        shuffle_slots: whether the shares are dealt anew to the cohort in every round, as when clients are sampled in
            random order; else the first client of the cohort always has the first share.
        v_sharing: "independent" perturbations of every client and iteration; the same ones for all clients that train
            a unit, new in every iteration ("shared_iteration") or fixed for the round ("shared_round", the authors'
            ``fixed_seed``).
        dropout_mode: see `lib.spry.local_training.seeded_call`.
        aggregation: "per_unit", or "as_released": tensors averaged by their position, see
            `lib.spry.released.positional_zip`.
        personal_epochs: epochs that a client trains all weights before ``personal_*`` is measured, on a copy;
            ``global_*`` is always the server's model. The authors' code takes 5 for Spry alone, and reports what comes
            after as generalized accuracy.
        backend: of `forward_gradient`.
        at_once: propagate the K tangents (of zero-order methods: evaluate the 2 K points) together.
        stacked: whether clients train in a stack; None: if the network has no frozen weights. Large networks fill the
            processor one by one and need the memory of one; small ones on a frozen rest are faster in a stack.
    """

    server: ServerOptimizer = YOGI
    optimizer: Literal["adamw", "sgd"] = "adamw"
    perturbations: int = 1
    split: bool = True
    per_unit: int = 2
    classifier_share: int = 0
    assignment: Literal["dealt", "as_released"] = "dealt"
    lora_a_waits: bool = False
    shuffle_slots: bool = True
    v_sharing: VSharing = "independent"
    dropout_mode: DropoutMode = "shared_mask"
    aggregation: Literal["per_unit", "as_released"] = "per_unit"
    personal_epochs: int = 0
    backend: Backend = "func"
    at_once: bool = False
    stacked: bool | None = None

    def __post_init__(self) -> None:
        for name, choices in (
            ("optimizer", tuple(OPTIMIZERS)),
            ("v_sharing", ("independent", "shared_round", "shared_iteration")),
            ("dropout_mode", ("eval", "shared_mask", "as_released")),
            ("aggregation", ("per_unit", "as_released")),
            ("assignment", ("dealt", "as_released")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"no {name} {getattr(self, name)!r}: choose one of {', '.join(choices)}")
        if self.perturbations < 1 or self.personal_epochs < 0:
            raise ValueError("perturbations must be at least 1 and personal_epochs not negative; correct them")
        if self.at_once and self.dropout_mode == "as_released":
            raise ValueError("evaluations at once share their dropout masks; set at_once=False for new masks each")
        if self.model.buffer_names or self.rule is not weighted_mean:
            raise ValueError("running statistics and other rules than the mean have no unit; use layer norm, the mean")

    def init(self, seed: int) -> ServerState:
        """Return the trainable tensors, and the seed where the server keeps its moments."""
        return ServerState(0, self.model.init(seed), {SEED: torch.tensor(seed)})

    def configure(
        self, state: ServerState, round: int, cohort: Sequence[int], rng: np.random.Generator
    ) -> dict[int, Instruction]:
        """Send every client all trainable tensors, its slot, and what keys its perturbations."""
        slots = rng.permutation(len(cohort)) if self.shuffle_slots else np.arange(len(cohort))
        seed, sent = int(state.optimizer[SEED]), {}
        for client, slot in zip(cohort, slots, strict=True):
            key = {"seed": seed, "round": round, "client": client, "slot": int(slot), "slots": len(cohort)}
            sent[client] = self.instruction(state, key)
            self.share(sent[client])  # an assignment that cannot be made fails here, before anybody trains
        return sent

    def instruction(self, state: ServerState, scalars: Scalars) -> Instruction:
        """Return what the server sends in `state`; `scalars` are the client's key and slot."""
        return Instruction(state.tensors, scalars)

    def share(self, sent: Instruction) -> tuple[Unit, ...]:
        """Return the units that the client trains, cut down to those of their tensors that it trains."""
        shapes = tuple((name, sent.tensors[name].shape) for name in self.model.parameter_names)
        slot = (sent.scalars["slot"], sent.scalars["slots"]) if self.split else None
        mine = _share(shapes, self.per_unit, self.classifier_share, slot, self.assignment)
        return _without_a(mine) if self.lora_a_waits and sent.scalars["round"] <= 1 else mine

    def expected_update(self, instruction: Instruction) -> Tensors:
        """Return the tensors that the client trains, which are what it sends."""
        return {name: instruction.tensors[name] for name in self.owned(instruction)}

    def owned(self, sent: Instruction) -> tuple[str, ...]:
        """Return the names that the client trains, in the order of the model."""
        return tuple(name for unit in self.share(sent) for name in unit.names)

    def directions(self, sent: Instruction, iteration: int) -> Tensors:
        """Return the client's perturbations ``(K, *shape)``, a function of what was sent."""
        return self.drawn(sent, iteration, self.perturbations)

    def drawn(self, sent: Instruction, iteration: int, count: int) -> Tensors:
        """Return the first `count` perturbations of the client in an iteration."""
        seed, round, client = (sent.scalars[name] for name in ("seed", "round", "client"))
        client = client if self.v_sharing == "independent" else 0
        iteration = 0 if self.v_sharing == "shared_round" else iteration
        drawn: Tensors = {}
        for unit in self.share(sent):
            key = Key(seed, round, iteration, client, unit.index)
            drawn |= perturbation(key, unit.shapes, count=count)
        device = next(iter(sent.tensors.values())).device
        return {name: value.to(device) for name, value in drawn.items()}

    def estimate(self, loss: Loss, params: Tensors, directions: Tensors) -> ForwardGradient:
        """Return the forward gradient."""
        return forward_gradient(loss, params, directions, backend=self.backend, at_once=self.at_once)

    def passes(self) -> tuple[int, int]:
        """Return the forward and backward passes of one iteration; one with a tangent counts one."""
        return self.perturbations, 0

    def train_cohort(
        self, instructions: Sequence[Instruction], datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[tuple[Update, Memory]]:
        """Train small networks in a stack, networks with frozen weights or dropout one by one."""
        if self.one_by_one:
            return [self.train(*one) for one in zip(instructions, datas, memories, rngs, strict=True)]
        return super().train_cohort(instructions, datas, memories, rngs)

    @property
    def one_by_one(self) -> bool:
        """Whether clients do not go in stacks; never when derivatives must not be mapped ("dual")."""
        alone = self.model.has_frozen if self.stacked is None else not self.stacked
        return alone or self.model.dropout or self.backend == "dual"

    def train_stacked(
        self,
        instructions: Sequence[Instruction],
        datas: Sequence[ClientData],
        memories: Sequence[Memory],
        rngs: Rngs,
        *,
        watch: Callable[[int, Tensors], None] | None = None,
    ) -> list[tuple[Update, Memory]]:
        """Train C clients, and return the tensors that each owns and the passes it took; `watch`: `local_training`."""
        results, steps = local_training(self, instructions, datas, self.local, rngs, watch=watch)
        forward, backward = self.passes()
        return [
            (
                Update(
                    copies(tensors),
                    {"examples": data.examples, "forward_passes": forward * n, "backward_passes": backward * n},
                ),
                {},
            )
            for tensors, data, n in zip(results, datas, steps, strict=True)
        ]

    def aggregate(self, state: ServerState, updates: dict[int, Update]) -> ServerState:
        """Average each unit over the clients that trained it, and let the server optimizer step.

        A unit that no client brought back counts as unchanged, so that only the server's momentum moves it.
        """
        brought = {c: (update.tensors, update.scalars["examples"]) for c, update in updates.items()}
        average = positional_zip if self.aggregation == "as_released" else aggregate_units
        return self.stepped(state, average(state.tensors, brought, self.weight_by))

    def stepped(self, state: ServerState, average: Tensors) -> ServerState:
        """Return the state after the server optimizer stepped towards `average`."""
        moments = {name: value for name, value in state.optimizer.items() if name != SEED}
        tensors, moments = self.server(state.tensors, average, moments, step=state.round + 1)
        return ServerState(state.round + 1, tensors, moments | {SEED: state.optimizer[SEED]})

    def personal_models(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> Tensors | None:
        """Return each client's copy of the server's model after `personal_epochs` of all weights, if there are any."""
        if not self.personal_epochs:
            return None
        local = replace(self.local, epochs=self.personal_epochs, steps=None)
        whole, found = replace(self, split=False), []
        for data, rng in zip(datas, rngs, strict=True):
            key = {"seed": int(rng.integers(2**32)), "round": state.round, "client": 0, "slot": 0, "slots": 1}
            found += local_training(whole, [Instruction(state.tensors, key)], [data], local, [rng])[0]
        return stack(found)

    def evaluate_cohort(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[dict[str, float]]:
        """Return the metrics of several clients; fine-tuned text models one by one."""
        if self.personal_epochs and self.one_by_one:
            return [self.evaluate(state, *one) for one in zip(datas, memories, rngs, strict=True)]
        return super().evaluate_cohort(state, datas, memories, rngs)


@functools.lru_cache(maxsize=4096)  # asked for at every minibatch
def _share(
    shapes: tuple[tuple[str, torch.Size], ...],
    per_unit: int,
    everyones: int,
    slot: tuple[int, int] | None,
    assignment: str,
) -> tuple[Unit, ...]:
    """Return the units of a client in `slot`, ``(which, of how many)``; None trains all."""
    parts = units(dict(shapes), per_unit)
    if slot is None:
        return parts
    mine = (released_assignment if assignment == "as_released" else assign_units)(len(parts), slot[1])[slot[0]]
    shared = classifier_share([name for name, _ in shapes], everyones)
    cut = [Unit(u.index, {n: s for n, s in u.shapes.items() if u.index in mine or n in shared}) for u in parts]
    return tuple(unit for unit in cut if unit.shapes)


def _without_a(share: tuple[Unit, ...]) -> tuple[Unit, ...]:
    cut = [replace(unit, shapes={n: s for n, s in unit.shapes.items() if "lora_A" not in n}) for unit in share]
    if not any(unit.shapes for unit in cut):
        raise ValueError("a client has LoRA's A alone, which waits: take per_unit=2, which keeps A and B together")
    return tuple(unit for unit in cut if unit.shapes)


def finetuning(lr: float = 1e-4, *, epochs: int | None = 1, steps: int | None = None, batch_size: int = 8) -> LocalSGD:
    """Return the authors' settings of local training: AdamW's decay 0.01, one epoch in minibatches of 8."""
    return LocalSGD(lr=lr, weight_decay=0.01, batch_size=batch_size, epochs=epochs, steps=steps)
