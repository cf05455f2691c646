"""Stacked local training against the usual loop, client by client."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from federated_toys import MLP, MODELS, NORM, D, assert_close, assert_equal, plain_training, toy_federation
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lib.federated import LocalSGD, Model, batches
from lib.federated.batches import cohort_batches
from lib.federated.local import minibatches
from lib.federated.seeds import client_rng
from lib.federated.stack import stack, unstack
from lib.federated.training import local_sgd

SETTINGS = {
    "epoch": LocalSGD(lr=0.1, batch_size=4),
    "momentum, 3 epochs": LocalSGD(lr=0.05, momentum=0.9, batch_size=5, epochs=3),
    "decay, 7 steps": LocalSGD(lr=0.1, weight_decay=0.1, batch_size=4, epochs=None, steps=7),
    "all": LocalSGD(lr=0.1, momentum=0.5, weight_decay=0.01, batch_size=None, epochs=2),
    "none": LocalSGD(lr=0.1, epochs=0),
}


def rngs(count):
    return [client_rng(3, 1, c) for c in range(count)]


@pytest.mark.parametrize("network", MODELS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_stack_equals_the_plain_loop(network, setting):
    (model, shape), sgd = MODELS[network], SETTINGS[setting]
    datas = toy_federation(shape=shape).clients
    starts = [model.init(seed) for seed in range(len(datas))]
    before = [{name: value.clone() for name, value in start.items()} for start in starts]
    together = unstack(local_sgd(model, stack(starts), datas, sgd, rngs(4)), 4)
    for start, old, data, found, rng in zip(starts, before, datas, together, rngs(4), strict=True):
        assert_close(found, plain_training(model, start, data, sgd, rng))
        assert_equal(start, old)


class Summed(nn.Module):
    """A linear layer whose weight is the sum of two parameters, which so share one gradient."""

    def __init__(self):
        super().__init__()
        self.a, self.b = (nn.Parameter(torch.randn(3, D)) for _ in range(2))

    def forward(self, x):
        return x @ (self.a + self.b).T


def test_parameters_that_share_a_gradient_keep_momenta_of_their_own():
    model, sgd = Model(Summed), LocalSGD(lr=0.05, momentum=0.9, batch_size=4, epochs=2)
    datas, start = toy_federation().clients, model.init(0)
    for data, found, rng in zip(
        datas, unstack(local_sgd(model, stack([start] * 4), datas, sgd, rngs(4)), 4), rngs(4), strict=True
    ):
        assert_close(found, plain_training(model, start, data, sgd, rng))


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    batch_size=st.integers(1, 13),
    rounds=st.one_of(st.tuples(st.integers(0, 3), st.none()), st.tuples(st.none(), st.integers(0, 9))),
)
def test_any_sizes_and_schedules_equal_the_plain_loop(sizes, batch_size, rounds):
    sgd = LocalSGD(lr=0.1, momentum=0.8, batch_size=batch_size, epochs=rounds[0], steps=rounds[1])
    datas, start = toy_federation(sizes).clients, MLP.init(0)
    together = unstack(local_sgd(MLP, stack([start] * len(sizes)), datas, sgd, rngs(len(sizes))), len(sizes))
    for data, found, rng in zip(datas, together, rngs(len(sizes)), strict=True):
        assert_close(found, plain_training(MLP, start, data, sgd, rng))


@pytest.mark.parametrize("network", MODELS)
def test_proximal_term_and_frozen_parameters_equal_the_plain_loop(network):
    model, shape = MODELS[network]
    sgd, datas = LocalSGD(lr=0.1, momentum=0.9, batch_size=4, epochs=2), toy_federation(shape=shape).clients
    starts, anchor = [model.init(seed) for seed in range(4)], model.init(9)
    head = model.parameter_names[-2:]
    options = {"trained": head, "proximal": 0.5}
    together = local_sgd(model, stack(starts), datas, sgd, rngs(4), anchor=stack([anchor] * 4), **options)
    for start, data, found, rng in zip(starts, datas, unstack(together, 4), rngs(4), strict=True):
        assert_close(found, plain_training(model, start, data, sgd, rng, anchor=anchor, **options))
        assert all((found[name] == start[name]).all() for name in model.names if name not in head)


def test_running_statistics_are_those_of_the_plain_loop():
    data, sgd = toy_federation().clients[1], LocalSGD(lr=0.1, batch_size=4, epochs=2)
    start = NORM.init(0)
    found = unstack(local_sgd(NORM, stack([start]), [data], sgd, rngs(1)), 1)[0]
    expected = plain_training(NORM, start, data, sgd, rngs(1)[0])
    assert_close(found, expected)
    assert (start["1.running_mean"] == 0).all() and (found["1.running_mean"] != 0).any()


def test_a_client_that_diverges_leaves_the_others_alone():
    datas, sgd = toy_federation().clients, LocalSGD(lr=0.1, batch_size=4)
    start = MLP.init(0)
    bad = replace(datas[1], train_x=datas[1].train_x * float("inf"))
    good = unstack(local_sgd(MLP, stack([start] * 4), datas, sgd, rngs(4)), 4)
    found = unstack(local_sgd(MLP, stack([start] * 4), [datas[0], bad, *datas[2:]], sgd, rngs(4)), 4)
    assert not all(torch.isfinite(value).all() for value in found[1].values())
    for c in (0, 2, 3):
        assert_equal(found[c], good[c])


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 30), size=st.integers(1, 40), epochs=st.integers(0, 3), steps=st.integers(0, 20))
def test_minibatches_visit_every_example_once_an_epoch(n, size, epochs, steps):
    batches = minibatches(n, LocalSGD(batch_size=size, epochs=epochs), np.random.default_rng(0))
    per_epoch = -(-n // size)
    assert len(batches) == epochs * per_epoch
    for e in range(epochs):
        rows = np.concatenate(batches[e * per_epoch : (e + 1) * per_epoch])
        np.testing.assert_array_equal(np.sort(rows), np.arange(n))
    stepped = minibatches(n, LocalSGD(batch_size=size, epochs=None, steps=steps), np.random.default_rng(0))
    assert len(stepped) == steps
    for one, other in zip(batches, stepped, strict=False):
        np.testing.assert_array_equal(one, other)
    part = minibatches(n, LocalSGD(batch_size=size, epochs=epochs + 0.5), np.random.default_rng(0))
    assert len(part) == -(-(2 * epochs + 1) * per_epoch // 2)
    for one, other in zip(batches, part, strict=False):
        np.testing.assert_array_equal(one, other)
    assert minibatches(0, LocalSGD(epochs=None, steps=steps), np.random.default_rng(0)) == []


def test_padding_has_no_weight_and_finished_clients_are_inactive():
    datas = toy_federation(sizes=(5, 2)).clients
    steps = list(cohort_batches(datas, LocalSGD(batch_size=4), rngs(2)))
    assert [step.weights.sum(dim=1).tolist() for step in steps] == [[1, 1], [1, 0]]
    assert (steps[0].weights[1] > 0).tolist() == [True, True, False, False]
    assert steps[0].active is None and steps[1].active.tolist() == [1, 0]
    for client, data in enumerate(datas):
        held = {tuple(row) for row in data.train_x.tolist()}
        assert all({tuple(row) for row in step.x[client].tolist()} <= held for step in steps)


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 1, "steps": 1},
        {"epochs": None},
        {"lr": -1.0},
        {"momentum": 1.0},
        {"weight_decay": -0.1},
        {"batch_size": 0},
        {"epochs": -1},
        {"epochs": None, "steps": -1},
    ],
)
def test_impossible_settings_are_refused(options):
    with pytest.raises(ValueError, match=r"give either|correct them"):
        LocalSGD(**options)


def test_minibatches_are_the_same_whether_examples_are_joined_or_not(monkeypatch):
    datas = toy_federation((7, 12, 3), shape=(2, 3)).clients
    sgd = LocalSGD(batch_size=4, epochs=2)
    joined = list(cohort_batches(datas, sgd, rngs(3)))
    monkeypatch.setattr(batches, "JOINED_NUMBERS", 0)
    apart = list(cohort_batches(datas, sgd, rngs(3)))
    assert len(joined) == len(apart) == 6
    for one, other in zip(joined, apart, strict=True):
        assert torch.equal(one.x, other.x) and torch.equal(one.y, other.y) and torch.equal(one.weights, other.weights)
    drawn = minibatches(12, sgd, rngs(3)[1])
    assert all(torch.equal(step.x[1], datas[1].train_x[rows]) for step, rows in zip(apart[:3], drawn, strict=False))
