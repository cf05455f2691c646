"""Networks without state: initial values, stacked calls, losses, metrics."""

import functools
import pickle

import pytest
import torch
from federated_toys import CNN, MLP, MODELS, NORM, assert_equal, regression_model, toy_federation
from torch import nn

from lib.federated import Model
from lib.federated.evaluation import shared_metrics, stacked_metrics
from lib.federated.model import squared_error
from lib.federated.stack import stack
from lib.nets import mlp


def with_dropout():
    return nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.1))


def test_init_depends_on_the_seed_alone_and_leaves_the_global_generator():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = MLP.init(1)
    assert (torch.random.get_rng_state() == before).all()
    torch.manual_seed(77)
    assert_equal(first, MLP.init(1))
    assert (first["0.weight"] != MLP.init(2)["0.weight"]).any()
    assert not any(value.requires_grad for value in first.values())


def test_names_are_parameters_then_floating_buffers():
    assert NORM.parameter_names == ("0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias")
    assert NORM.buffer_names == ("1.running_mean", "1.running_var")  # the counter of batches is an integer
    assert tuple(NORM.init(0)) == NORM.names
    assert CNN.buffer_names == ()


@pytest.mark.parametrize("network", MODELS)
@pytest.mark.parametrize("clients", [1, 3])
def test_stacked_call_equals_calls_of_the_network(network, clients):
    model, shape = MODELS[network]
    values, x = [model.init(seed) for seed in range(clients)], torch.randn(clients, 4, *shape)
    found = model.stacked(stack(values), x)
    for c in range(clients):
        net = model.build()
        net.load_state_dict(values[c])
        torch.testing.assert_close(found[c], net(x[c]))


def test_a_model_travels_to_another_process():
    model = pickle.loads(pickle.dumps(regression_model(3)))
    assert_equal(model.init(0), regression_model(3).init(0))


def test_a_network_that_draws_random_numbers_is_refused():
    with pytest.raises(ValueError, match="without dropout"):
        _ = Model(with_dropout).names


def test_squared_error_is_half_the_squared_distance():
    found = squared_error(torch.tensor([[1.0], [3.0]]), torch.tensor([0.0, 1.0]))
    assert found.tolist() == [0.5, 2.0]


@pytest.mark.parametrize("network", MODELS)
def test_metrics_are_those_of_each_client(network, monkeypatch):
    model, shape = MODELS[network]
    monkeypatch.setattr("lib.federated.evaluation.BLOCK", 4)  # several blocks, the last one partly empty
    datas = [toy_federation((5,), shape=shape, test=test, seed=test).clients[0] for test in (9, 1, 0, 6)]
    values = [model.init(seed) for seed in range(4)]
    rows = stacked_metrics(model, stack(values), datas, prefix="own")
    for data, value, row in zip(datas, values, rows, strict=True):
        if len(data.test_x) == 0:
            assert row == {}
            continue
        net = model.build()
        net.load_state_dict(value)
        outputs = net(data.test_x)
        assert row["own_loss"] == pytest.approx(nn.functional.cross_entropy(outputs, data.test_y).item(), abs=1e-6)
        assert row["own_accuracy"] == pytest.approx((outputs.argmax(1) == data.test_y).float().mean().item())
    same = stacked_metrics(model, stack([values[0]] * 4), datas, prefix="own")
    shared = shared_metrics(model, values[0], datas, prefix="own")
    for one, other in zip(same, shared, strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_real_targets_have_a_loss_and_no_accuracy():
    model, data = regression_model(6), toy_federation((4,)).clients[0]
    data = type(data)(data.train_x, data.train_x[:, 0], data.test_x, data.test_x[:, 0])
    row = stacked_metrics(model, stack([model.init(0)]), [data], prefix="own")[0]
    expected = 0.5 * (data.test_x @ model.init(0)["weight"][0] - data.test_y).square().mean()
    assert row == {"own_loss": pytest.approx(expected.item(), abs=1e-6)}


def flat_mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 4, bias=False), nn.GELU(), nn.Sequential(nn.Linear(4, 3)))


def token_net():
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))


def unit_net():
    return mlp((4, 6, 3))


def bare_linear():
    return nn.Linear(4, 2)


def normed():
    return nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.Linear(5, 2))


def transposing():
    return nn.Sequential(nn.Flatten(0, 1), nn.Linear(4, 2))


@pytest.mark.parametrize(
    ("build", "shape", "batched"),
    [
        (flat_mlp, (3, 2, 2), True),
        (token_net, (7, 4), True),
        (token_net, (3, 2, 4), True),
        (unit_net, (4,), True),
        (bare_linear, (4,), True),
        (normed, (4,), False),
        (transposing, (2, 4), False),
    ],
)
def test_chains_of_linear_layers_are_batched_and_equal_the_networks(build, shape, batched, monkeypatch):
    model, x = Model(build), torch.randn(3, 5, *shape)
    values = [model.init(seed) for seed in range(3)]
    expected = torch.stack([model(value, inputs) for value, inputs in zip(values, x, strict=True)])
    torch.testing.assert_close(model.stacked(stack(values), x), expected)
    if batched:  # without vmap, which is the point
        monkeypatch.setattr("lib.federated.stacked.vmap", None)
        torch.testing.assert_close(model.stacked(stack(values), x), expected)


@pytest.mark.parametrize(
    ("model", "shape", "batch", "alone"),
    [
        (CNN, (1, 32, 32), 16, False),
        (CNN, (1, 32, 32), 17, True),
        (CNN, (1, 32, 32), None, True),  # a full batch of 40
        (CNN, (1, 8, 8), None, False),
        (MLP, (6,), None, False),
        (NORM, (6,), 2, True),
    ],
)
def test_convolutions_over_large_minibatches_and_running_statistics_train_one_by_one(model, shape, batch, alone):
    assert model.trains_one_by_one(toy_federation((40,), shape=shape).clients[0], batch) == alone


def half_frozen(p=0.0):
    net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(p), nn.Tanh(), nn.Linear(4, 2))
    net[0].requires_grad_(False)
    net.register_buffer("constant", torch.ones(3), persistent=False)
    return net


def test_frozen_parameters_stay_in_the_network_and_are_the_same_in_every_process():
    model, x = Model(half_frozen), torch.randn(5, 3)
    assert model.names == model.parameter_names == ("3.weight", "3.bias") == tuple(model.init(4))
    assert model.has_frozen and not MLP.has_frozen
    torch.manual_seed(0)
    expected = half_frozen()
    expected.load_state_dict(model.init(4), strict=False)
    torch.testing.assert_close(model(model.init(4), x), expected(x))
    stacked = model.stacked(stack([model.init(4), model.init(5)]), torch.stack([x, x]))
    torch.testing.assert_close(stacked[0], expected(x))
    torch.testing.assert_close(stacked[1], model(model.init(5), x))


def test_dropout_that_does_nothing_is_accepted_and_other_dropout_must_be_announced():
    half = functools.partial(half_frozen, 0.5)
    with pytest.raises(ValueError, match="without dropout"):
        _ = Model(half).names
    model, x = Model(half, dropout=True), torch.ones(1, 200, 3)
    values = model.init(0)
    torch.testing.assert_close(model(values, x[0]), Model(half_frozen)(values, x[0]))  # not when it is evaluated
    assert len(model(values, x[0], train=True).unique(dim=0)) > 1
    with pytest.raises(ValueError, match=r"seeds its calls"):
        model.stacked(stack([values]), x, train=True)
