"""Small federations, networks and gradients by hand for the tests of Spry's federated methods."""

import functools

import numpy as np
import torch
from torch import nn

from lib.federated import ClientData, Federation, LocalSGD, Model
from lib.federated.local import minibatches

D, CLASSES = 4, 3
LOCAL = LocalSGD(lr=0.05, batch_size=4, epochs=1)


def small_net():
    return nn.Sequential(nn.Linear(D, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, CLASSES))


def dropout_net():
    net = nn.Sequential(nn.Linear(D, 8), nn.Dropout(0.4), nn.Tanh(), nn.Linear(8, CLASSES))
    net[0].weight.requires_grad_(False)
    return net


def equal_net(blocks):
    """Layers of one shape, as the LoRA tensors of one model have."""
    return nn.Sequential(*[nn.Linear(D, D) for _ in range(blocks)])


class OneAdapter(nn.Module):
    """A linear map of rank one beside a frozen one, its tensors named and started as LoRA's."""

    def __init__(self):
        super().__init__()
        self.frozen = nn.Linear(D, CLASSES).requires_grad_(False)
        self.lora_A, self.lora_B = nn.Parameter(torch.randn(1, D)), nn.Parameter(torch.zeros(CLASSES, 1))

    def forward(self, x):
        return self.frozen(x) + x @ self.lora_A.T @ self.lora_B.T


MODEL = Model(small_net)  # six tensors, three units of weight and bias
DROPOUT = Model(dropout_net, dropout=True)
LORA = Model(OneAdapter)  # one unit
EQUAL = Model(functools.partial(equal_net, 4))


def toy(sizes=(9, 6, 13, 8), *, seed=0):
    clients = []
    for c, n in enumerate(sizes):
        rng = np.random.default_rng([3, seed, c])
        x = torch.from_numpy(rng.standard_normal((n + 7, D))).float()
        y = (x[:, :CLASSES] + torch.eye(CLASSES)[c % CLASSES]).argmax(dim=1)
        clients.append(ClientData(x[:n], y[:n], x[n:], y[n:]))
    return Federation("toy", tuple(clients), CLASSES)


def batches(data, local, rng):
    """The client's minibatches, in order."""
    return [(data.train_x[rows], data.train_y[rows]) for rows in minibatches(data.examples, local, rng)]


def true_gradient(model, values, x, y):
    """Backpropagation on the network itself."""
    net = model.build().train()
    net.load_state_dict(values, strict=False)
    model.loss(net(x), y).mean().backward()
    return {name: value.grad for name, value in net.named_parameters()}


def assert_near(left, right, atol=1e-6):
    assert list(left) == list(right)
    for name in left:
        torch.testing.assert_close(left[name], right[name], atol=atol, rtol=0)
