"""Algorithms that predict with more than one set of weights, against what one writes by hand on tiny cases."""

import functools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from federated_toys import MLP, assert_close, assert_equal, plain_training, toy_federation

from lib.federated import ClientData, Federation, LocalSGD, Model, run
from lib.federated.algorithms import APFL, Ditto, Ensemble, FedAvg, FineTuned, HypCluster, KNNPer
from lib.federated.batches import scheduled_batches
from lib.federated.checks import ClientError
from lib.federated.seeds import client_rng
from lib.federated.side_by_side import run_side_by_side
from lib.federated.types import ServerState
from lib.nets import mlp, small_cnn

SGD = LocalSGD(lr=0.1, momentum=0.9, batch_size=4, epochs=2)
UNITS = Model(functools.partial(mlp, (6, 5, 3)))


def rngs(count):
    return [client_rng(0, 1, c) for c in range(count)]


def state_of(algorithm):
    return algorithm.init(3)


def test_knn_per_is_the_weighted_vote_of_the_nearest_features():
    algorithm = KNNPer(model=UNITS, local=SGD, neighbours=3, weight=0.3)
    state, data = state_of(algorithm), toy_federation().clients[1]
    net = UNITS.build()
    net.load_state_dict(state.tensors)
    (outputs,) = algorithm.personal_outputs(state, [data], [{}], rngs(1))
    for row, x in zip(outputs, data.test_x, strict=True):
        features = [net.blocks[0](one).detach().numpy() for one in data.train_x]
        far = [np.linalg.norm(one - net.blocks[0](x).detach().numpy()) for one in features]
        nearest, votes = np.argsort(far)[:3], np.zeros(3)
        for i in nearest:
            votes[data.train_y[i]] += np.exp(-far[i])
        expected = 0.3 * votes / votes.sum() + 0.7 * torch.softmax(net(x), 0).detach().numpy()
        assert row.exp().numpy() == pytest.approx(expected, abs=1e-5)


def test_knn_per_with_weight_zero_is_the_model_and_with_one_the_nearest_label():
    state, datas = state_of(FedAvg(model=UNITS, local=SGD)), toy_federation().clients
    plain = KNNPer(model=UNITS, local=SGD, weight=0.0).evaluate_cohort(state, datas, [{}] * 4, rngs(4))
    for row in plain:
        assert row["personal_accuracy"] == row["global_accuracy"]
        assert row["personal_loss"] == pytest.approx(row["global_loss"], abs=1e-5)
    own = replace(datas[1], test_x=datas[1].train_x, test_y=datas[1].train_y)
    (row,) = KNNPer(model=UNITS, local=SGD, weight=1.0, neighbours=1).evaluate_cohort(state, [own], [{}], rngs(1))
    assert row["personal_accuracy"] == 1.0  # every training example is its own nearest neighbour


def test_knn_per_pools_the_features_of_a_convolutional_network():
    model = Model(functools.partial(small_cnn, (8, 8), classes=3, image_channels=1))
    algorithm, data = KNNPer(model=model, local=SGD), toy_federation(shape=(1, 6, 6)).clients[0]
    values = algorithm.init(0).tensors
    net = model.build()
    net.load_state_dict(values)
    expected = net.blocks[1](net.blocks[0](data.test_x)).mean(dim=(2, 3))
    assert torch.allclose(algorithm._features(values, data.test_x), expected, atol=1e-6)


def test_an_ensemble_of_weight_one_is_the_fine_tuned_model_and_of_weight_zero_the_shared_one():
    datas, tuned = toy_federation().clients, FineTuned(model=MLP, local=SGD, finetune=SGD)
    state = state_of(tuned)
    rows = {a: Ensemble(model=MLP, local=SGD, finetune=SGD, alpha=a) for a in (0.0, 1.0)}
    zero, one = (rows[a].evaluate_cohort(state, datas, [{}] * 4, rngs(4)) for a in (0.0, 1.0))
    for z, o, own in zip(zero, one, tuned.evaluate_cohort(state, datas, [{}] * 4, rngs(4)), strict=True):
        assert z["personal_accuracy"] == own["global_accuracy"]
        assert o["personal_loss"] == pytest.approx(own["personal_loss"], abs=1e-5)


def test_an_ensemble_averages_probabilities_and_its_clients_choose_without_their_test_data():
    (data,) = toy_federation((20,)).clients
    algorithm = Ensemble(model=MLP, local=SGD, finetune=SGD, alpha=0.3)
    state = state_of(algorithm)
    own = plain_training(MLP, state.tensors, data, SGD, client_rng(0, 1, 0))
    (outputs,) = algorithm.personal_outputs(state, [data], [{}], rngs(1))
    probabilities = [torch.softmax(MLP(values, data.test_x), 1) for values in (own, state.tensors)]
    assert torch.allclose(outputs.exp(), 0.3 * probabilities[0] + 0.7 * probabilities[1], atol=1e-5)
    chooser = replace(algorithm, alpha=None)
    kept = ClientData(data.train_x[:16], data.train_y[:16], data.train_x[16:], data.train_y[16:])
    held = plain_training(MLP, state.tensors, kept, SGD, client_rng(0, 1, 0))
    losses = []
    for alpha in chooser.choices:
        p = alpha * torch.softmax(MLP(held, kept.test_x), 1) + (1 - alpha) * torch.softmax(
            MLP(state.tensors, kept.test_x), 1
        )
        losses.append(-p[range(4), kept.test_y].log().mean().item())
    spoilt = replace(data, test_x=data.test_x + 9, test_y=(data.test_y + 1) % 3)
    for one in (data, spoilt):
        assert chooser._chosen(state, [one], [{}], rngs(1)) == [chooser.choices[int(np.argmin(losses))]]


def test_hypcluster_with_one_model_is_fedavg():
    federation = toy_federation()
    one = run(HypCluster(model=MLP, local=SGD, clusters=1), federation, rounds=3, seed=5)
    other = run(FedAvg(model=MLP, local=SGD), federation, rounds=3, seed=5)
    assert_close({name.removeprefix("0."): value for name, value in one.state.tensors.items()}, other.state.tensors)
    assert one.table["personal_accuracy"].tolist() == pytest.approx(other.table["personal_accuracy"].tolist())


def test_hypcluster_trains_each_model_on_the_clients_that_prefer_it():
    """Two camps with opposite labels end up with a model each, which is FedAvg among themselves."""
    rng, clients = np.random.default_rng(0), []
    for c in range(4):
        x = torch.from_numpy(rng.standard_normal((60, 6))).float()
        y = (x[:, 0] > 0).long() if c < 2 else (x[:, 0] <= 0).long()
        clients.append(ClientData(x[:40], y[:40], x[40:], y[40:]))
    federation = Federation("camps", tuple(clients), 3)
    history = run(HypCluster(model=MLP, local=SGD, clusters=2), federation, rounds=6, seed=0, on_failure="raise")
    last = history.table[history.table["round"] == 6]
    picks = last["cluster"].tolist()
    assert picks[0] == picks[1] != picks[2] == picks[3]
    assert last["personal_accuracy"].min() > 0.8


def test_hypcluster_leaves_a_model_alone_that_nobody_picks():
    algorithm = HypCluster(model=MLP, local=SGD, clusters=2)
    state, (data,) = algorithm.init(0), toy_federation((8,)).clients
    sent = algorithm.configure(state, 1, [0], np.random.default_rng(0))[0]
    update, _ = algorithm.train(sent, data, {}, client_rng(0, 1, 0))
    new = algorithm.aggregate(state, {0: update})
    other = 1 - update.scalars["cluster"]
    assert_equal(algorithm._cluster(new.tensors, other), algorithm._cluster(state.tensors, other))
    losses = [MLP.loss(MLP(algorithm._cluster(state.tensors, k), data.train_x), data.train_y).mean() for k in (0, 1)]
    assert update.scalars["cluster"] == int(np.argmin([float(loss) for loss in losses]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KNNPer(model=UNITS, local=SGD, neighbours=0), "neighbour"),
        (lambda: KNNPer(model=UNITS, local=SGD, weight=1.5), "weight"),
        (lambda: Ensemble(model=UNITS, local=SGD, alpha=-0.1), "alpha"),
        (lambda: HypCluster(model=UNITS, local=SGD, clusters=0), "model"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("chunk", [3, 100])
@pytest.mark.parametrize("cohort_size", [None, 3])
@pytest.mark.parametrize(
    "algorithm",
    [
        FedAvg(model=MLP, local=SGD),
        Ditto(model=MLP, local=SGD),
        APFL(model=MLP, local=replace(SGD, momentum=0.0)),
        HypCluster(model=MLP, local=SGD),
    ],
    ids=lambda a: type(a).__name__,
)
def test_runs_side_by_side_are_the_runs_one_after_the_other(algorithm, cohort_size, chunk):
    federations, seeds = [toy_federation(), toy_federation((5, 9, 4, 6), seed=1)], [3, 4]
    setting = {"rounds": 3, "cohort_size": cohort_size, "evaluate_every": 2}
    together = run_side_by_side(algorithm, federations, seeds, **setting, chunk=chunk)
    for federation, seed, outcome in zip(federations, seeds, together, strict=True):
        alone = run(algorithm, federation, seed=seed, **setting)
        assert isinstance(outcome.state, ServerState) and outcome.state.round == 3
        assert_close(outcome.state.tensors, alone.state.tensors)
        assert set(outcome.memories) == set(alone.memories)
        for client, memory in alone.memories.items():
            assert_close(outcome.memories[client], memory)
        apart = ["seconds"]  # who trains together shares the time
        pd.testing.assert_frame_equal(outcome.table.drop(columns=apart), alone.table.drop(columns=apart), rtol=1e-4)
        assert len(outcome.table) and outcome.failures.empty


def test_side_by_side_stops_at_the_first_overflow():
    wild = FedAvg(model=MLP, local=replace(SGD, lr=1e38))
    with pytest.raises(ClientError, match="round 1"):
        run_side_by_side(wild, [toy_federation()], [0], rounds=2)


def test_side_by_side_refuses_nonsense():
    with pytest.raises(ValueError, match="rounds"):
        run_side_by_side(FedAvg(model=MLP), [toy_federation()], [0], rounds=0)


def test_given_minibatches_are_used_as_they_are():
    datas = toy_federation((3, 4)).clients
    steps = list(scheduled_batches(datas, [[np.array([2, 0])], [np.array([1]), np.array([3, 3, 0])]]))
    assert len(steps) == 2
    assert torch.equal(steps[0].x[0], datas[0].train_x[[2, 0]]) and torch.equal(steps[0].x[1, 0], datas[1].train_x[1])
    assert steps[0].weights.tolist() == [[0.5, 0.5], [1.0, 0.0]] and steps[0].active is None
    assert steps[1].active.tolist() == [0.0, 1.0] and torch.equal(steps[1].x[1], datas[1].train_x[[3, 3, 0]])
