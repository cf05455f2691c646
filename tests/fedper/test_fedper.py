"""FedPer against what it must equal exactly: FedAvg, training alone, plain SGD; and its variants."""

import functools

import numpy as np
import pytest
import torch
from torch import nn

from lib.federated.algorithms import FedAvg, LocalOnly
from lib.federated.evaluation import stacked_metrics
from lib.federated.local import LocalSGD, minibatches
from lib.federated.model import Model
from lib.federated.run import run
from lib.federated.seeds import client_rng
from lib.federated.stack import stack
from lib.federated.types import ClientData, Federation
from lib.fedper.fedper import fedper
from lib.nets import mlp, small_cnn

NET = functools.partial(mlp, (5, 6, 4, 3))
SGD = LocalSGD(lr=0.1, momentum=0.9, batch_size=4, epochs=2)


def federation(sizes=(9, 14, 5), *, features=(5,), seed=0):
    generator = torch.Generator().manual_seed(seed)
    clients = []
    for size in sizes:
        x = torch.randn(size + 6, *features, generator=generator)
        y = torch.randint(3, (size + 6,), generator=generator)
        clients.append(ClientData(x[:size], y[:size], x[size:], y[size:]))
    return Federation("toy", tuple(clients), 3)


def same(first, second):
    assert list(first) == list(second)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_no_personal_unit_is_fedavg_bit_for_bit():
    toy = federation()
    ours = run(fedper(NET, personal_units=0, local=SGD), toy, rounds=3, seed=7)
    theirs = run(FedAvg(model=Model(NET), local=SGD), toy, rounds=3, seed=7)
    same(ours.state.tensors, theirs.state.tensors)
    assert ours.table["personal_accuracy"].tolist() == theirs.table["personal_accuracy"].tolist()
    assert ours.table["bytes_up"].tolist() == theirs.table["bytes_up"].tolist()


def test_all_units_personal_is_training_alone_bit_for_bit():
    toy = federation()
    ours = run(fedper(NET, personal_units=3, local=SGD), toy, rounds=3, seed=7)
    theirs = run(LocalOnly(model=Model(NET), local=SGD), toy, rounds=3, seed=7)
    assert ours.state.tensors == {} and ours.memories.keys() == theirs.memories.keys()
    for client in ours.memories:
        same(ours.memories[client], theirs.memories[client])


def test_one_client_is_plain_sgd():
    toy = federation((9,))
    start = Model(NET).init(7)
    net = NET()
    net.load_state_dict(start)
    data = toy.clients[0]
    for round in (1, 2):
        # Momentum starts from zero in every round, so each round has an optimizer of its own.
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        for rows in minibatches(9, SGD, client_rng(7, round, 0)):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(data.train_x[rows]), data.train_y[rows]).backward()
            optimizer.step()
    history = run(fedper(NET, personal_units=1, local=SGD, head_init="common", seed=7), toy, rounds=2, seed=7)
    found = history.state.tensors | history.memories[0]
    assert max((found[name] - value).abs().max() for name, value in net.state_dict().items()) < 1e-6


def test_personal_tensors_are_never_sent():
    toy = federation()
    algorithm = fedper(NET, personal_units=2, local=SGD)
    history = run(algorithm, toy, rounds=1)
    sizes = {name: value.numel() for name, value in NET().named_parameters()}
    base = [name for name in sizes if name not in algorithm.personal]
    assert list(history.state.tensors) == base
    # Four bytes a number, and eight for the number of examples.
    assert (history.table["bytes_up"] == 4 * sum(sizes[name] for name in base) + 8).all()


def test_initial_heads_are_independent_or_common():
    toy, frozen = federation(), LocalSGD(lr=0.0, batch_size=None)
    name = "blocks.2.0.weight"

    def heads(start):
        algorithm = fedper(NET, personal_units=1, local=frozen, head_init=start, seed=5)
        return [memory[name] for memory in run(algorithm, toy, rounds=1, seed=5).memories.values()]

    one, two, three = heads("independent")
    assert not torch.equal(one, two) and not torch.equal(two, three)
    assert all(torch.equal(head, Model(NET).init(5)[name]) for head in heads("common"))


def test_accuracy_after_local_training_is_that_of_the_model_before_it_is_averaged():
    toy = federation()
    algorithm = fedper(NET, personal_units=1, local=SGD, eval_timing="both")
    plain = run(fedper(NET, personal_units=1, local=SGD), toy, rounds=1, seed=3)
    both = run(algorithm, toy, rounds=1, seed=3)
    same(plain.state.tensors, both.state.tensors)
    assert both.table["personal_accuracy"].tolist() == plain.table["personal_accuracy"].tolist()
    sent = algorithm.configure(algorithm.init(3), 1, range(3), np.random.default_rng(0))
    for client, data in enumerate(toy.clients):
        update, kept = algorithm.train(sent[client], data, {}, client_rng(3, 1, client))
        expected = stacked_metrics(algorithm.model, stack([update.tensors | kept]), [data], prefix="local")[0]
        row = both.table[both.table["client"] == client]
        assert row["local_accuracy"].item() == pytest.approx(expected["local_accuracy"])


def test_fine_tuning_moves_the_head_alone_and_only_where_asked():
    toy = federation()
    plain = run(fedper(NET, personal_units=1, local=SGD), toy, rounds=2, seed=3)
    tuned = fedper(NET, personal_units=1, local=SGD, ft_epochs_eval=3)
    history = run(tuned, toy, rounds=2, seed=3)
    same(plain.state.tensors, history.state.tensors)
    for client in plain.memories:
        same(plain.memories[client], history.memories[client])
    memories = [history.memories[c] for c in range(3)]
    rngs = [np.random.default_rng(c) for c in range(3)]
    models = tuned.personal_models(history.state, toy.clients, memories, rngs)
    for name, values in models.items():
        moved = [not torch.equal(v, (history.state.tensors | memories[c])[name]) for c, v in enumerate(values)]
        assert moved == [name in tuned.personal] * 3


def test_fine_tuning_before_the_joint_phase_fits_the_head_to_the_received_base():
    toy = federation()
    # No joint step at all: what moves is the fine-tuning alone.
    local = LocalSGD(lr=0.1, batch_size=None, epochs=None, steps=0)
    before = run(fedper(NET, personal_units=1, local=local), toy, rounds=1, seed=3)
    after = run(fedper(NET, personal_units=1, local=local, ft_epochs_train=5), toy, rounds=1, seed=3)
    same(before.state.tensors, after.state.tensors)
    model = Model(NET)
    for client, data in enumerate(toy.clients):
        losses = [
            model.loss(model(history.state.tensors | history.memories[client], data.train_x), data.train_y).mean()
            for history in (before, after)
        ]
        assert losses[1] < losses[0]


@pytest.mark.parametrize("policy", ["average", "local"])
def test_batch_normalization_trains_under_either_policy(policy):
    toy = federation((8, 8), features=(3, 8, 8))
    build = functools.partial(small_cnn, (8, 8), classes=3, norm="batch")
    algorithm = fedper(build, personal_units=1, local=LocalSGD(lr=0.05, batch_size=4), bn_policy=policy)
    history = run(algorithm, toy, rounds=2, on_failure="raise")
    mean = "blocks.0.1.running_mean"
    assert (mean in history.state.tensors) == (policy == "average")
    if policy == "local":
        assert not torch.equal(history.memories[0][mean], history.memories[1][mean])
    else:
        assert history.state.tensors[mean].abs().max() > 0


def test_bad_options_are_refused():
    for options, message in (
        ({"head_init": "zero"}, "head_init"),
        ({"eval_timing": "never"}, "eval_timing"),
        ({"ft_epochs_eval": -1}, "fine-tuning"),
        ({"personal_units": 4}, "choose 0 to 3"),
    ):
        with pytest.raises(ValueError, match=message):
            fedper(NET, **({"personal_units": 1, "local": SGD} | options))
