"""Small routed networks and federations, and Flow written the way that one writes it first."""

import functools
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from lib.federated import ClientData, Federation, LocalSGD, Model
from lib.flow.flow import flow
from lib.flow.routing import UnitRouting
from lib.flow.schedule import schedule
from lib.nets import mlp, small_cnn

SGD = LocalSGD(lr=0.1, momentum=0.9, batch_size=4, epochs=2)
MLP = Model(functools.partial(mlp, (6, 5, 3)))
DEEP = Model(functools.partial(mlp, (6, 5, 4, 3)))
CNN = Model(functools.partial(small_cnn, (8, 8), classes=3, image_channels=1))
ROUTED_MLP = UnitRouting(MLP, (7,), 6)
ROUTED_DEEP = UnitRouting(DEEP, (7, 5), 6)
ROUTED_CNN = UnitRouting(CNN, (7, 6), 36)
ROUTINGS = {"mlp": ROUTED_MLP, "deep": ROUTED_DEEP, "cnn": ROUTED_CNN}


def toys(sizes=(7, 12, 5, 20), *, shape=(6,), classes=3, seed=0, test=9):
    clients = []
    for c, n in enumerate(sizes):
        rng = np.random.default_rng([7, seed, c])
        x = torch.from_numpy(rng.standard_normal((n + test, *shape))).float()
        y = (x.flatten(1)[:, :classes] * 2 + torch.eye(classes)[c % classes]).argmax(dim=1)
        clients.append(ClientData(*(part.clone() for part in (x[:n], y[:n], x[n:], y[n:]))))
    return Federation("toys", tuple(clients), classes)


def toys_for(name, **options):
    return toys(shape=(1, 6, 6) if name == "cnn" else (6,), **options)


def make(name="mlp", local=SGD, **options):
    return flow(ROUTINGS[name], local, **options)


def policy_logits(policy, x):
    """The policy with plain layers: logits (n, units, 2)."""
    h, steps = x.flatten(1), []
    for layer in policy.hidden:
        h = torch.relu(layer(h))
        steps.append(h)
    steps = [*steps[: len(policy.exits) - 1], steps[-1]]
    return torch.stack([leave(step) for leave, step in zip(policy.exits, steps, strict=True)], dim=1)


def mixed_by_hand(one, other, policy, x, *, hard=False):
    """The mixed network with plain modules, unit by unit."""
    q = torch.softmax(policy_logits(policy, x), dim=2)
    q = q.round() if hard else q
    h = x
    for place, (ours, theirs) in enumerate(zip(one.blocks, other.blocks, strict=True)):
        relu = isinstance(ours[-1], nn.ReLU)
        a, b = ((part[:-1] if relu else part)(h) for part in (ours, theirs))
        weight = [q[:, place, side].reshape(-1, *[1] * (a.dim() - 1)) for side in (0, 1)]
        h = weight[0] * a + weight[1] * b
        h = torch.relu(h) if relu else h
    return h, q


def flow_by_hand(algorithm, start, data, rng, *, train_shared=True):
    """One client's round with networks and torch.optim.SGD; returns the local, the policy and the global network."""
    plan = schedule(data.examples, algorithm.local, algorithm.split, rng)
    local, shared = (algorithm.model.build() for _ in range(2))
    policy = algorithm.routing.policy.build()
    names = algorithm.model.names
    shared.load_state_dict({name: start[name] for name in names})
    local.load_state_dict({name: start.get(f"local.{name}", start[name]) for name in names})
    policy.load_state_dict({n.removeprefix("policy."): v for n, v in start.items() if n.startswith("policy.")})
    loss = nn.functional.cross_entropy

    def optimizer(net, lr):
        return torch.optim.SGD(net.parameters(), lr=lr, momentum=algorithm.local.momentum)

    def step(stepper, value):
        stepper.zero_grad()
        value.backward()
        stepper.step()

    own = algorithm.local.lr if algorithm.branch_lr is None else algorithm.branch_lr
    steps = optimizer(local, own)
    for rows in plan.local:
        step(steps, loss(local(data.train_x[rows]), data.train_y[rows]))
    of_policy, of_shared = optimizer(policy, algorithm.policy_lr), optimizer(shared, algorithm.local.lr)
    for for_policy, for_shared in zip(plan.policy, plan.shared, strict=True):
        outputs, q = mixed_by_hand(shared, local, policy, data.train_x[for_policy])
        term = -(q[:, :, 0].square() + 1e-6).log().mean()
        step(of_policy, loss(outputs, data.train_y[for_policy]) + algorithm.regularizer.strength * term)
        if train_shared:
            step(of_shared, loss(shared(data.train_x[for_shared]), data.train_y[for_shared]))
    return local, policy, shared


def with_one_client(federation, client):
    return replace(federation, clients=(federation.clients[client],))
