"""Small federations and networks for the tests of the federated core, and local training written the usual way."""

import functools

import numpy as np
import torch
from torch import nn

from lib.federated import ClientData, Federation, LocalSGD, Model
from lib.federated.local import minibatches

D, CLASSES = 6, 3


def tiny_mlp():
    return nn.Sequential(nn.Linear(D, 5), nn.Tanh(), nn.Linear(5, CLASSES))


def tiny_cnn():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.GroupNorm(2, 4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3, padding=1, bias=False),
        nn.GroupNorm(2, 4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, CLASSES),
    )


def norm_mlp():
    return nn.Sequential(nn.Linear(D, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, CLASSES))


def linear(inputs, outputs):
    return nn.Linear(inputs, outputs, bias=False)


MLP, CNN, NORM = Model(tiny_mlp), Model(tiny_cnn), Model(norm_mlp)
MODELS = {"mlp": (MLP, (D,)), "cnn": (CNN, (1, 6, 6))}


def regression_model(inputs, outputs=1):
    from lib.federated.model import squared_error

    return Model(functools.partial(linear, inputs, outputs), loss=squared_error)


def toy_federation(sizes=(7, 12, 3, 20), *, shape=(D,), classes=CLASSES, seed=0, test=9):
    """Clients of unequal sizes whose labels depend on the inputs and on the client."""
    clients = []
    for c, n in enumerate(sizes):
        rng = np.random.default_rng([11, seed, c])
        x = torch.from_numpy(rng.standard_normal((n + test, *shape))).float()
        y = (x.flatten(1)[:, :classes] * 2 + torch.eye(classes)[c % classes]).argmax(dim=1)
        clients.append(ClientData(*(part.clone() for part in (x[:n], y[:n], x[n:], y[n:]))))
    return Federation("toy", tuple(clients), classes)


def plain_training(
    model: Model, start, data: ClientData, sgd: LocalSGD, rng, *, trained=None, proximal=0.0, anchor=None
):
    """One client, one network, torch.optim.SGD: what everybody writes first."""
    net = model.build().train()
    net.load_state_dict(start, strict=False)
    chosen = [value for name, value in net.named_parameters() if trained is None or name in trained]
    optimizer = torch.optim.SGD(chosen, lr=sgd.lr, momentum=sgd.momentum, weight_decay=sgd.weight_decay)
    anchor = {name: value.clone() for name, value in (anchor or start).items()}
    for rows in minibatches(data.examples, sgd, rng):
        optimizer.zero_grad()
        loss = model.loss(net(data.train_x[rows]), data.train_y[rows]).mean()
        for name, value in net.named_parameters():
            loss = loss + proximal / 2 * (value - anchor[name]).square().sum()
        loss.backward()
        optimizer.step()
    state = net.state_dict()
    return {name: state[name].detach().clone() for name in model.names}


def assert_close(left, right, *, atol=1e-6):
    """Two dicts of tensors: equal names in equal order, equal values up to `atol`."""
    assert list(left) == list(right)
    for name in left:
        torch.testing.assert_close(left[name], right[name], atol=atol, rtol=0)


def assert_equal(left, right):
    assert_close(left, right, atol=0)
