"""The networks of the authors' code: exact numbers of parameters, and the routed LSTM against plain modules."""

import pytest
import torch
from torch import nn

from lib.federated import ClientData, Federation, LocalSGD, run
from lib.federated.seeds import client_rng
from lib.flow.flow import as_released, flow
from lib.flow.lstm import LSTMRouting, shakespeare_routing, stackoverflow_routing, token_loss
from lib.flow.networks import cifar_routing, emnist_routing

SMALL = {
    "one layer": LSTMRouting(7, 4, 5, widths=(6,)),
    "two layers": LSTMRouting(7, 4, 5, layers=2, sees_cells=True, widths=(6, 3)),
    "outputs": LSTMRouting(7, 4, 5, projection=3, route_outputs=True, widths=(6,)),
    "projection": LSTMRouting(7, 4, 5, projection=3, widths=(6,)),
}


def count(model):
    return sum(value.numel() for value in model.init(0).values())


@pytest.mark.parametrize(
    ("routing", "network", "policy"),
    [
        (emnist_routing(), 1_206_590, 336_158),
        (stackoverflow_routing(), 4_053_428, 891_151),
        (shakespeare_routing(), 822_570, 672_002),
        (cifar_routing(), 11_181_514, 4_151_512),
    ],
    ids=["EMNIST", "Stack Overflow", "Shakespeare", "CIFAR-10"],
)
def test_parameters(routing, network, policy):
    assert (count(routing.model), count(routing.policy)) == (network, policy)


def test_emnist_and_cifar_networks_route_their_units():
    for routing, shape, units in ((emnist_routing(), (1, 28, 28), 4), (cifar_routing(width=0.125), (3, 32, 32), 6)):
        shared, local, policy = routing.model.init(1), routing.model.init(2), routing.policy.init(3)
        x = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(0))
        sides = [{name: value.expand(2, *value.shape) for name, value in v.items()} for v in (shared, local, policy)]
        soft, shares = routing.forward(*sides, x, "soft")
        assert shares.shape == (2, 3, units) and soft.shape[:2] == (2, 3)
        for value, one in ((0.0, shared), (1.0, local)):
            found, _ = routing.forward(*sides, x, "hard", shares=torch.full_like(shares, value))
            expected = torch.stack([routing.model(one, x[c]) for c in range(2)])
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def test_the_stem_of_the_resnet_mixes_before_normalization():
    from lib.flow.routing import split_unit

    branch, after = split_unit(cifar_routing(width=0.125).model.network().blocks[0])
    assert [type(layer) for layer in branch] == [nn.Conv2d]
    assert [type(layer) for layer in after] == [nn.GroupNorm, nn.ReLU, nn.MaxPool2d]


def tokens(clients=2, n=3, steps=6):
    return torch.randint(7, (clients, n, steps), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", SMALL)
def test_the_network_is_torchs_lstm(name):
    routing = SMALL[name]
    net, values = routing.model.build(), routing.model.init(1)
    net.load_state_dict(values)
    lstm = nn.LSTM(4, 5, num_layers=routing.layers, batch_first=True)
    for layer, cell in enumerate(net.cells):
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(lstm, f"{kind}_l{layer}").data = getattr(cell, kind).data
    x = tokens()
    h, _ = lstm(net.embedding(x[0]))
    for head in net.heads:
        h = head(h)
    torch.testing.assert_close(net(x[0]), h)
    torch.testing.assert_close(routing.model(values, x[0]), h)
    stacked = {name: torch.stack([value, value + 0.1]) for name, value in values.items()}
    torch.testing.assert_close(routing.model.stacked(stacked, x)[0], h)


def by_hand(routing, one, other, policy, x, hard):
    """One client's routed model, time step by time step, with plain modules."""

    def share(logits):
        q = torch.softmax(logits, dim=-1)
        return (q.round() if hard else q)[..., 1:]

    def through(layers, v):
        for place, layer in enumerate(layers):
            v = layer(v) if place == len(layers) - 1 else torch.relu(layer(v))
        return v

    state = [(torch.zeros(len(x), 5), torch.zeros(len(x), 5)) for _ in range(routing.layers)]
    own, outputs, shares = list(state), [], []
    for step in range(x.shape[1]):
        a, b = one.embedding(x[:, step]), other.embedding(x[:, step])
        first = a
        for layer in range(routing.layers):
            seen = [*state[layer], *own[layer]] if routing.sees_cells else [state[layer][0], own[layer][0]]
            q = share(through(policy.state, torch.cat([first, *seen], 1)))
            shares.append(q)
            new = one.cells[layer](a, state[layer])
            own[layer] = other.cells[layer](b, own[layer])
            state[layer] = tuple((1 - q) * m + q * n for m, n in zip(new, own[layer], strict=True))
            a, b = state[layer][0], own[layer][0]
        if routing.route_outputs:
            a, b = one.heads[0](a), other.heads[0](b)
            h = torch.relu(policy.output[1](torch.relu(policy.output[0](torch.cat([a, b], 1)))))
            q, r = share(policy.output[2](h)), share(policy.output[4](torch.relu(policy.output[3](h))))
            h = (1 - q) * a + q * b
            outputs.append((1 - r) * one.heads[1](h) + r * other.heads[1](h))
        else:
            for head in one.heads:
                a = head(a)
            outputs.append(a)
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("mode", ["soft", "hard"])
def test_the_routed_lstm_is_the_one_written_step_by_step(name, mode):
    routing = SMALL[name]
    values = [routing.model.init(1), routing.model.init(2), routing.policy.init(3)]
    nets = [model.build() for model in (routing.model, routing.model, routing.policy)]
    for net, own in zip(nets, values, strict=True):
        net.load_state_dict(own)
    x = tokens()
    sides = [{n: value.expand(2, *value.shape) for n, value in own.items()} for own in values]
    found, shares = routing.forward(*sides, x, mode)
    for c in range(2):
        torch.testing.assert_close(found[c], by_hand(routing, *nets, x[c], mode == "hard"), atol=1e-5, rtol=1e-4)
    assert shares.shape == (2, 3, routing.layers + 2 * routing.route_outputs, 6)
    zero, _ = routing.forward(*sides, x, mode, shares=torch.zeros_like(shares))
    torch.testing.assert_close(zero, routing.model.stacked(sides[0], x))


def counting():
    def client(shift):
        text = (torch.arange(400) * shift) % 7
        windows = text[: 40 * 10].reshape(40, 10)
        return ClientData(windows[:30, :-1], windows[:30, 1:], windows[30:, :-1], windows[30:, 1:])

    return Federation("counting", (client(1), client(2), client(3)), 7)


@pytest.mark.parametrize("name", ["one layer", "outputs"])
def test_a_routed_lstm_trains_as_released(name):
    algorithm = as_released(SMALL[name], LocalSGD(lr=0.1, momentum=0.9, batch_size=10, epochs=1))
    table = run(algorithm, counting(), rounds=1, on_failure="raise").table
    assert (table["status"] == "trained").all() and table["personal_loss"].between(0, 10).all()


def test_flow_learns_to_predict_tokens():
    federation = counting()
    algorithm = flow(LSTMRouting(7, 8, 16, widths=(16,)), LocalSGD(lr=1.0, momentum=0.9, batch_size=10, epochs=3))
    table = run(algorithm, federation, rounds=6, seed=1, evaluate_every=6, on_failure="raise").table
    assert table.query("round == 6")["personal_accuracy"].mean() > 0.8
    state = algorithm.init(1)
    one = algorithm.evaluate(state, federation.clients[0], {}, client_rng(0, 1, 0))
    assert set(one) == {"global_loss", "global_accuracy", "personal_loss", "personal_accuracy"}


def test_the_loss_of_tokens_is_their_mean():
    outputs, targets = torch.randn(3, 4, 7), torch.randint(7, (3, 4))
    expected = [nn.functional.cross_entropy(o, t).item() for o, t in zip(outputs, targets, strict=True)]
    assert token_loss(outputs, targets).tolist() == pytest.approx(expected, rel=1e-5)


def test_routed_outputs_need_two_layers():
    with pytest.raises(ValueError, match="projection"):
        LSTMRouting(7, 4, 5, route_outputs=True)
    with pytest.raises(ValueError, match="every time step"):
        LSTMRouting(7, 4, 5, by="client")
