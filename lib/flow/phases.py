"""The three phases of a client's work, for a stack of clients. Source: arXiv 2211.15281 and the authors' code."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch

from lib.federated.batches import Batch, scheduled_batches
from lib.federated.local import LocalSGD
from lib.federated.stack import per_client
from lib.federated.training import descend, gradients
from lib.federated.types import ClientData, Tensors
from lib.flow.regularizer import Regularizer
from lib.flow.routing import Mode, UnitRouting
from lib.flow.schedule import Schedule

Order = Literal["in turns", "policy first"]
GROUPS = ("local", "policy", "shared")


@dataclass(eq=False)
class Parts:
    """Stacked values of the local branches, the policies and the global branches of C clients.

    `folds` are the local branches of two halves of the data where the policy is fitted on such, `velocity` the momenta.
    """

    local: Tensors
    policy: Tensors
    shared: Tensors
    folds: tuple[Tensors, ...] = ()
    velocity: dict[str, Tensors] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Phases:
    """How the phases run.

    Attributes:
        routing: the routed network.
        local: learning rate and momentum of both branches.
        branch_lr: learning rate of the local branch, where that is another one.
        policy_lr: learning rate of the policy.
        regularizer: term of the policy's loss.
        order: whether policy and global branch take their steps "in turns", as released, or "policy first".
        train_mode: how the mixed network uses the routes when the policy is fitted, see `UnitRouting.forward`; rounded
            ones give the policy no gradient but that of the regularizer (a variant in the authors' code).
        leak: whether parts that are not trained in a step go on moving by what is left of their momentum, as they do
            with one optimizer for all parts in torch before 2.0 (a defect of the released code's setting).
    """

    routing: UnitRouting
    local: LocalSGD
    policy_lr: float
    regularizer: Regularizer
    order: Order
    branch_lr: float | None = None
    train_mode: Mode = "soft"
    leak: bool = False

    def rate(self, group: str) -> float:
        """Return the learning rate of a part, one of `GROUPS`."""
        own = {"policy": self.policy_lr, "local": self.branch_lr}.get(group)
        return self.local.lr if own is None else own

    def fit_local(self, parts: Parts, datas: Sequence[ClientData], plans: Sequence[Schedule]) -> None:
        """Train the local branches alone, in place, and those of the two halves where the plans have such."""
        if plans[0].folds is not None:
            made = [Parts({name: value.clone() for name, value in parts.local.items()}, {}, {}) for _ in range(2)]
            for half, fold in enumerate(made):
                self._fit_local(fold, datas, [plan.folds[half] for plan in plans])
            parts.folds = tuple(fold.local for fold in made)
        self._fit_local(parts, datas, [plan.local for plan in plans])

    def _fit_local(self, parts: Parts, datas: Sequence[ClientData], schedules: Sequence) -> None:
        model = self.routing.model
        for batch in scheduled_batches(datas, schedules):
            self._step(parts, "local", gradients(model, parts.local, batch, model.parameter_names), batch)

    def fit_routes(
        self, parts: Parts, datas: Sequence[ClientData], plans: Sequence[Schedule], *, train_shared: bool
    ) -> None:
        """Train, in place, the policies on the mixed network and the global branches on their own.

        Without `train_shared`, as before a test, the global branches stay as they are.
        """
        model = self.routing.model
        policy = enumerate(scheduled_batches(datas, [plan.policy for plan in plans]))
        shared = scheduled_batches(datas, [plan.shared for plan in plans]) if train_shared else iter(())
        steps = itertools.zip_longest(policy, shared)
        if self.order == "policy first":
            steps = itertools.chain(((step, None) for step in policy), ((None, step) for step in shared))
        for for_policy, for_shared in steps:
            if for_policy is not None:
                step, batch = for_policy
                local = parts.folds[step % 2] if parts.folds else parts.local
                self._step(parts, "policy", self.policy_gradients(parts, local, batch), batch)
            if for_shared is not None:
                found = gradients(model, parts.shared, for_shared, model.parameter_names)
                self._step(parts, "shared", found, for_shared)

    def policy_gradients(self, parts: Parts, local: Tensors, batch: Batch) -> Tensors:
        """Return the gradients of the clients' mean losses of the mixed network, regularizer included."""
        routing, loss = self.routing, self.routing.model.loss

        def total(policy: Tensors) -> torch.Tensor:
            outputs, shares = routing.forward(parts.shared, local, policy, batch.x, self.train_mode)
            found = loss(outputs.flatten(0, 1), batch.y.flatten(0, 1)).unflatten(0, batch.weights.shape)
            if self.regularizer.strength:
                found = found + self.regularizer.per_example(shares)
            return (found * batch.weights).sum()

        return _gradients(total, parts.policy)

    def _step(self, parts: Parts, group: str, found: Tensors, batch: Batch) -> None:
        momentum = self.local.momentum
        if momentum:
            if group not in parts.velocity:
                parts.velocity[group] = {name: torch.zeros_like(value) for name, value in found.items()}
            velocity = parts.velocity[group]
            for name, value in found.items():
                velocity[name].mul_(_kept(momentum, batch, value)).add_(value)
            found = velocity
        descend(getattr(parts, group), found, self.rate(group), batch)
        if self.leak:
            self._coast(parts, group, batch)

    def _coast(self, parts: Parts, trained: str, batch: Batch) -> None:
        for group in GROUPS:
            if group != trained and group in parts.velocity:
                for value in parts.velocity[group].values():
                    value.mul_(_kept(self.local.momentum, batch, value))
                descend(getattr(parts, group), parts.velocity[group], self.rate(group), batch)


def _kept(momentum: float, batch: Batch, like: torch.Tensor) -> torch.Tensor | float:
    """Return what is left of each client's momentum after a step; all of it for a client that takes none."""
    return momentum if batch.active is None else per_client(1 - (1 - momentum) * batch.active, like)


def _gradients(total: Callable[[Tensors], torch.Tensor], values: Tensors) -> Tensors:
    leaves = {name: value.detach().requires_grad_() for name, value in values.items()}
    with torch.enable_grad():
        loss = total(leaves)
    if not loss.requires_grad:  # rounded routes without a regularizer
        return {name: torch.zeros_like(value) for name, value in values.items()}
    found = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)
    return dict(zip(leaves, found, strict=True))
