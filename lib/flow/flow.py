"""Flow: each client routes every instance, unit by unit, through a global or a local branch. Source: arXiv 2211.15281.

Each round, for every client: receive global branch and policy; fit a local branch, starting from the global one; then,
in turns, fit the policy on the mixed network and the global branch on its own; send both and forget the local branch.
The server averages by number of examples. Before a test a client fits local branch and policy anew and routes hard.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from lib.federated.algorithms.base import CohortAlgorithm, Rngs
from lib.federated.algorithms.outputs import OutputMetrics, padded_tests, split_rows
from lib.federated.local import LocalSGD
from lib.federated.stack import select, stack, unstack
from lib.federated.types import ClientData, Instruction, Memory, ServerState, Tensors, Update
from lib.flow.lstm import LSTMRouting
from lib.flow.phases import Order, Parts, Phases
from lib.flow.policy import part
from lib.flow.regularizer import Regularizer
from lib.flow.routing import Mode, UnitRouting
from lib.flow.schedule import Split, schedule

POLICY, LOCAL = "policy.", "local."


@dataclass(frozen=True, kw_only=True)
class Flow(OutputMetrics, CohortAlgorithm):
    """Per-instance routing between a global and a local branch; clients keep nothing.

    Attributes:
        routing: the routed network; its `model` is the one that FedAvg would train.
        policy_lr: learning rate of the policy; its momentum is that of `local`.
        branch_lr: learning rate of the local branch; None takes that of `local`.
        regularizer: term of the policy's loss.
        split: which of its examples a client uses in which phase, see `lib.flow.schedule`.
        local_init: the local branch starts at the "global" one, or, as released, at the "average" of the local branches
            of the last round, which are then sent as well.
        train_mode: how the network uses its routes when the policy is fitted, see `lib.flow.phases.Phases`.
        test_mode: how a personalized network uses its routes in a test, see `UnitRouting.forward`.
        order: see `lib.flow.phases.Phases`.
        leak: see `lib.flow.phases.Phases`.
    """

    routing: UnitRouting | LSTMRouting
    policy_lr: float = 0.03
    branch_lr: float | None = None
    regularizer: Regularizer = field(default_factory=Regularizer)
    split: Split = "none"
    local_init: Literal["global", "average"] = "global"
    train_mode: Mode = "soft"
    test_mode: Mode = "hard"
    order: Order = "in turns"
    leak: bool = False

    def __post_init__(self) -> None:
        if self.routing.model != self.model:
            raise ValueError("model and routing.model differ; give Flow the model that its routing routes")
        if self.local_init not in ("global", "average"):
            raise ValueError(f"local_init = {self.local_init!r}: choose 'global' or 'average'")
        if self.policy_lr < 0 or (self.branch_lr or 0) < 0:
            raise ValueError("policy_lr and branch_lr are learning rates; they must not be negative")

    @property
    def phases(self) -> Phases:
        """The work of a client."""
        return Phases(
            routing=self.routing,
            local=self.local,
            policy_lr=self.policy_lr,
            branch_lr=self.branch_lr,
            regularizer=self.regularizer,
            order=self.order,
            train_mode=self.train_mode,
            leak=self.leak,
        )

    def init(self, seed: int) -> ServerState:
        """Return the initial global branch and policy, and the local branch where that is averaged too."""
        shared, policy = self.model.init(seed), self.routing.policy.init(seed)
        tensors = shared | {POLICY + name: value for name, value in policy.items()}
        if self.local_init == "average":
            tensors |= {LOCAL + name: value for name, value in shared.items()}
        return ServerState(round=0, tensors=tensors)

    def train_stacked(
        self, instructions: Sequence[Instruction], datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[tuple[Update, Memory]]:
        """Fit local branches, then policies and global branches in turns; send the latter two."""
        parts = self._parts(stack([sent.tensors for sent in instructions]))
        plans = [schedule(d.examples, self.local, self.split, rng) for d, rng in zip(datas, rngs, strict=True)]
        self.phases.fit_local(parts, datas, plans)
        self.phases.fit_routes(parts, datas, plans, train_shared=True)
        sent = parts.shared | {POLICY + name: value for name, value in parts.policy.items()}
        if self.local_init == "average":
            sent |= {LOCAL + name: value for name, value in parts.local.items()}
        results = unstack(sent, len(datas))
        return [(Update(values, {"examples": d.examples}), {}) for values, d in zip(results, datas, strict=True)]

    def personalize(self, state: ServerState, datas: Sequence[ClientData], rngs: Rngs) -> Parts:
        """Return what C clients would use now: local branches and policies fitted anew, the global branch as it is."""
        parts = self._parts(stack([state.tensors] * len(datas)))
        plans = [schedule(d.examples, self.local, self.split, rng) for d, rng in zip(datas, rngs, strict=True)]
        self.phases.fit_local(parts, datas, plans)
        self.phases.fit_routes(parts, datas, plans, train_shared=False)
        return parts

    def personal_outputs(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[torch.Tensor]:
        """Return each client's outputs on its test examples."""
        parts = self.personalize(state, datas, rngs)
        return split_rows(self.routed_outputs(parts, padded_tests(datas)), datas)

    def routed_outputs(
        self, parts: Parts, x: torch.Tensor, *, mode: Mode | None = None, shares: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the outputs of the personalized networks on ``(C, n, ...)``; `shares` overrides the policies."""
        with torch.no_grad():
            mode = mode or self.test_mode
            return self.routing.forward(parts.shared, parts.local, parts.policy, x, mode, shares=shares)[0]

    def _parts(self, tensors: Tensors) -> Parts:
        """Return the parts of stacked tensors of the server, cloned."""
        owned = {name: value.clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}
        shared = select(owned, self.model.names)
        local = part(owned, LOCAL) if self.local_init == "average" else _cloned(shared)
        return Parts(local=local, policy=part(owned, POLICY), shared=shared)


def flow(routing: UnitRouting | LSTMRouting, local: LocalSGD, *, push: float = 0.0, **options: Any) -> Flow:
    """Return Flow on `routing`, its regularizer pushing to the global route with strength `push`.

    `options` are further attributes of `Flow`.
    """
    regularizer = options.pop("regularizer", Regularizer(push, "global"))
    return Flow(model=routing.model, local=local, routing=routing, regularizer=regularizer, **options)


def as_released(routing: UnitRouting | LSTMRouting, local: LocalSGD) -> Flow:
    """Return Flow with the defects of the released code that change what is learnt, on `routing`.

    Local branches that start at the average of the last round's and are sent too, data cut in halves, one momentum for
    all phases, ties that blank a unit, and a regularizer of the code: EMNIST's on every `UnitRouting`, ResNet-18 among
    them, though on CIFAR the code pushes to the local route (replace `regularizer` for that); Stack Overflow's on an
    `LSTMRouting` whose output layers are routed, Shakespeare's where they are not.
    """
    return flow(
        routing,
        local,
        split="half",
        local_init="average",
        leak=True,
        test_mode="zero ties",
        regularizer=_released_regularizer(routing),
    )


def _released_regularizer(routing: UnitRouting | LSTMRouting) -> Regularizer:
    if isinstance(routing, UnitRouting):
        return Regularizer(0.01, "second unit")  # EMNIST
    return Regularizer(0.001, "opposite" if routing.route_outputs else "second step")  # Stack Overflow, Shakespeare


def _cloned(tensors: Tensors) -> Tensors:
    return {name: value.clone() for name, value in tensors.items()}
