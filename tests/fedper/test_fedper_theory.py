"""Propositions against closed forms, brute force and an implementation without any federation."""

import functools
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.run import run
from lib.federated.stack import select
from lib.federated.types import ClientData, Federation
from lib.fedper import theory
from lib.fedper.aesthetics import aesthetics_federation, level_probabilities, levels, picture_pool, tastes
from lib.fedper.ceiling import permutation_ceiling, personal_ceiling, single_model_ceiling
from lib.fedper.experiments import block_descent_check, shared_representation
from lib.fedper.fedper import fedper
from lib.nets import mlp

NET = functools.partial(mlp, (5, 4, 3))


def toy_federation(sizes=(4, 9, 6)):
    generator = torch.Generator().manual_seed(1)
    data = [(torch.randn(n, 5, generator=generator), torch.randint(3, (n,), generator=generator)) for n in sizes]
    return Federation("toy", tuple(ClientData(x, y, x, y) for x, y in data), 3)


def test_one_full_batch_step_is_block_descent():
    table = block_descent_check(rates=(0.05,), rounds=15)
    assert table["difference"].max() <= 1e-6
    assert (table["objective"].diff().dropna() < 0).all()


def test_block_descent_is_gradient_descent_with_scaled_steps():
    toy, model, lr = toy_federation(), Model(NET), 0.1
    values = {name: value.double() for name, value in model.init(0).items()}
    base = {name: value for name, value in values.items() if name.startswith("blocks.0")}
    head = {name: value for name, value in values.items() if name.startswith("blocks.1")}
    toy = Federation(
        "toy", tuple(ClientData(d.train_x.double(), d.train_y, d.test_x.double(), d.test_y) for d in toy.clients), 3
    )
    first, second = theory.block_descent(model, toy, base, [head] * 3, lr=lr, steps=1)
    # Independent: finite differences of the objective written with numpy for one weight of each block.
    shares = np.array([4, 9, 6]) / 19

    def objective(change, name, client=None):
        total = 0.0
        for j, data in enumerate(toy.clients):
            w = {key: value.numpy().copy() for key, value in values.items()}
            if client is None or client == j:
                w[name].flat[0] += change
            hidden = np.maximum(data.train_x.numpy() @ w["blocks.0.0.weight"].T + w["blocks.0.0.bias"], 0)
            logits = hidden @ w["blocks.1.0.weight"].T + w["blocks.1.0.bias"]
            log = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
            total -= shares[j] * log[np.arange(len(log)), data.train_y.numpy()].mean()
        return total

    assert first.objective == pytest.approx(objective(0.0, "blocks.0.0.bias"))
    for name, client in (("blocks.0.0.weight", None), ("blocks.1.0.weight", 1)):
        slope = (objective(1e-5, name, client) - objective(-1e-5, name, client)) / 2e-5
        before, after = (s.base if client is None else s.personal[client] for s in (first, second))
        moved = (after[name] - before[name]).flatten()[0].item()
        assert moved == pytest.approx(-lr * slope / (1 if client is None else shares[client]), rel=1e-6)


def test_trajectory_is_the_engine():
    toy = toy_federation()
    algorithm = fedper(NET, personal_units=1, local=LocalSGD(lr=0.1, momentum=0.9, batch_size=2, epochs=1))
    *_, (state, memories) = theory.trajectory(algorithm, toy, rounds=3, seed=4)
    history = run(algorithm, toy, rounds=3, seed=4)
    assert all(torch.equal(value, history.state.tensors[name]) for name, value in state.tensors.items())
    for client, memory in history.memories.items():
        assert all(torch.equal(value, memories[client][name]) for name, value in memory.items())
    assert theory.largest_difference(state.tensors, select(history.state.tensors, state.tensors)) == 0


def test_largest_curvature_is_the_top_eigenvalue_of_the_hessian():
    model, data = Model(functools.partial(mlp, (5, 3, 3))), toy_federation().clients[1]
    values = {name: value.double() for name, value in model.init(0).items()}
    data = ClientData(data.train_x.double(), data.train_y, data.test_x.double(), data.test_y)
    sizes = [value.numel() for value in values.values()]

    def loss(flat):
        parts = dict(zip(values, flat.split(sizes), strict=True))
        return model.loss(model({n: parts[n].view_as(values[n]) for n in values}, data.train_x), data.train_y).mean()

    flat = torch.cat([value.flatten() for value in values.values()])
    exact = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat)).abs().max()
    found = theory.largest_curvature(model, values, data, iterations=300)
    assert found == pytest.approx(float(exact), rel=1e-6)
    assert theory.largest_curvature(model, values, data) <= float(exact) * (1 + 1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_subspace_distance_against_the_cosines(seed):
    rng = np.random.default_rng(seed)
    rows, directions = rng.standard_normal((2, 6)), rng.standard_normal((6, 2))
    a, b = np.linalg.qr(rows.T)[0], np.linalg.qr(directions)[0]
    smallest_cosine = np.linalg.svd(a.T @ b, compute_uv=False).min()
    found = theory.subspace_distance(rows, directions)
    assert found == pytest.approx(np.sqrt(max(0, 1 - smallest_cosine**2)), abs=1e-9)
    mixed = rng.standard_normal((2, 2)) @ rows
    assert theory.subspace_distance(mixed, rows.T) < 1e-6
    assert theory.subspace_distance(np.eye(6)[:2], np.eye(6)[:, 2:4]) == pytest.approx(1)


def test_linear_federation_is_noiseless_and_low_dimensional():
    toy, directions = theory.linear_federation(clients=5, examples=12, d=8, r=2, seed=0)
    assert np.allclose(directions.T @ directions, np.eye(2))
    for data in toy.clients:
        features = data.train_x.double().numpy() @ directions
        fit, *_ = np.linalg.lstsq(features, data.train_y.double().numpy(), rcond=None)
        assert np.abs(data.test_x.numpy() @ directions @ fit - data.test_y.numpy()).max() < 1e-4
    with pytest.raises(ValueError, match="below d"):
        theory.linear_federation(clients=1, examples=5, d=2, r=2, seed=0)


def test_shared_representation_is_found_together():
    table = shared_representation(examples=(10,), rounds=40, seeds=1)
    last = table[table["round"] == 40].set_index("method")
    assert last.loc["FedRep", "distance"] < last.loc["FedPer", "distance"] < last.loc["FedAvg", "distance"]
    assert last.loc["FedRep", "error"] < last.loc["local only", "error"]


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4), st.integers(2, 3))
@settings(max_examples=30, deadline=None)
def test_ceiling_by_brute_force_over_all_models(seed, users, inputs, classes):
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(classes), size=(users, inputs))
    accuracies = [
        np.mean([probabilities[:, x, answer].mean() for x, answer in enumerate(model)])
        for model in itertools.product(range(classes), repeat=inputs)
    ]
    assert single_model_ceiling(probabilities) == pytest.approx(max(accuracies))
    assert single_model_ceiling(probabilities) <= personal_ceiling(probabilities) + 1e-12


def test_permutation_ceiling_by_hand_and_against_the_general_one():
    names = np.array([[0, 1, 2], [0, 2, 1], [0, 1, 2]])
    assert permutation_ceiling(names, [1, 1, 2]) == pytest.approx((1 + 2 / 3 + 2 * 2 / 3) / 4)
    rng = np.random.default_rng(0)
    names = np.array([rng.permutation(4) for _ in range(5)])
    votes = np.eye(4)[names]  # one input a class, each user certain
    assert permutation_ceiling(names, np.ones(4)) == pytest.approx(single_model_ceiling(votes))
    with pytest.raises(ValueError, match="permutation"):
        permutation_ceiling(np.array([[0, 0]]), [1, 1])
    with pytest.raises(ValueError, match="sum to one"):
        single_model_ceiling(np.ones((2, 2, 2)))


def test_surrogate_has_the_promised_moments():
    pool = picture_pool(pictures=3000, seed=2)
    assert np.allclose(pool.factors.mean(axis=0), 0) and np.allclose(pool.factors.std(axis=0), 1)
    rng = np.random.default_rng(0)
    alike = tastes(6, 4, 0.0, rng)
    assert np.allclose(alike, alike[0]) and np.allclose(np.linalg.norm(tastes(6, 4, 1.0, rng), axis=1), 1)
    own = tastes(4000, 4, 1.0, rng)
    assert np.abs(own.mean(axis=0)).max() < 0.05
    assert np.bincount(levels(rng.standard_normal(1000))).tolist() == [200] * 5
    with pytest.raises(ValueError, match="individual taste"):
        tastes(3, 4, 1.5, rng)


def test_level_probabilities_against_simulated_ratings():
    pool = picture_pool(pictures=400, seed=0)
    weights = tastes(3, 4, 0.5, np.random.default_rng(0))
    found = level_probabilities(pool, weights, noise=0.4, seed=5)
    assert found.shape == (3, 400, 5) and np.allclose(found.sum(axis=2), 1, atol=1e-5)
    # The same tastes and thresholds, ratings drawn anew many times.
    rng = np.random.default_rng([5, 2])
    means = pool.factors @ weights.T
    cuts = np.quantile(means + 0.4 * rng.standard_normal(means.shape), [0.2, 0.4, 0.6, 0.8], axis=0)
    drawn = np.random.default_rng(1).standard_normal((4000, 400)) * 0.4 + means[:, 1]
    counted = np.stack([(np.searchsorted(cuts[:, 1], drawn) == level).mean(axis=0) for level in range(5)], axis=1)
    assert np.abs(counted - found[1]).max() < 0.05


def test_federation_of_raters():
    pool = picture_pool(pictures=500, seed=0)
    made = aesthetics_federation(pool, a=1.0, users=4, ratings=(60, 90), seed=1)
    again = aesthetics_federation(pool, a=1.0, users=4, ratings=(60, 90), seed=1)
    assert len(made) == 4 and made.classes == 5
    for one, two in zip(made.clients, again.clients, strict=True):
        assert 60 <= len(one.train_y) + len(one.test_y) <= 90 and torch.equal(one.train_x, two.train_x)
        assert torch.bincount(torch.cat([one.train_y, one.test_y])).diff().abs().max() <= 2
    with pytest.raises(ValueError, match="ratings"):
        aesthetics_federation(pool, a=1.0, ratings=(60, 600))
