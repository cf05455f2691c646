"""Soft-max regression by split forward gradients: exact gradients, unbiased steps, the floor of a fixed map."""

import numpy as np
import pytest

from lib.spry.convergence import Softmax, block_owners, digits_softmax, split_descent
from lib.spry.experiments.convergence import convergence_floor
from lib.spry.figures import theory as figures


def test_gradients_by_finite_differences():
    rng = np.random.default_rng(0)
    problem = Softmax(rng.standard_normal((2, 5, 3)), np.eye(4)[rng.integers(4, size=(2, 5))])
    w = rng.standard_normal(12)

    def losses(weights):
        scores = problem.features @ weights.reshape(3, 4)
        return -((scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))) * problem.labels).sum(axis=2).mean(axis=1)

    steps = 1e-6 * np.eye(12)
    expected = np.stack([(losses(w + h) - losses(w - h)) / 2e-6 for h in steps], axis=1)
    assert problem.gradients(w) == pytest.approx(expected, abs=1e-8)


def test_digits_are_dealt_once_and_equally():
    problem = digits_softmax(alpha=0.5, clients=6, features=20, seed=1)
    assert problem.features.shape == (6, 1797 // 6, 20)
    assert problem.dimension == 200
    assert (problem.counts.sum(axis=1) == 1797 // 6).all()


@pytest.mark.parametrize(("dimension", "blocks"), [(10, 3), (8, 4), (5, 1)])
def test_owners_cover_all_coordinates(dimension, blocks):
    owners = block_owners(dimension, np.arange(blocks))
    assert len(owners) == dimension
    assert (np.diff(owners) >= 0).all()
    assert set(owners) == set(range(blocks))


def test_identical_clients_have_no_bias():
    problem = digits_softmax(alpha=1.0, clients=4, features=16)
    same = Softmax(problem.features[[0, 0, 0, 0]], problem.labels[[0, 0, 0, 0]])
    plan = {"blocks": 4, "rounds": 10, "lr": 0.5, "exact": True}
    fixed = split_descent(same, **plan, resampled=False, rng=np.random.default_rng(0))
    w = np.zeros(same.dimension, dtype=np.float32)
    for norm in fixed:  # plain gradient descent
        gradient = same.gradients(w)[0]
        assert norm == pytest.approx(float(gradient @ gradient), rel=1e-4)
        w = w - np.float32(0.5) * gradient


def test_one_step_is_unbiased_given_the_owners():
    problem = digits_softmax(alpha=0.1, clients=4, features=8)
    rng = np.random.default_rng(0)
    gradients = problem.gradients(np.zeros(problem.dimension, dtype=np.float32))
    owners = block_owners(problem.dimension, np.arange(4))
    mean = gradients[owners, np.arange(problem.dimension)]
    v = rng.standard_normal((20_000, problem.dimension))
    jvps = (v * mean).reshape(len(v), 4, -1).sum(axis=2)
    found = (np.repeat(jvps, problem.dimension // 4, axis=1) * v).mean(axis=0)
    assert np.linalg.norm(found - mean) < 0.1 * np.linalg.norm(mean)


def test_too_many_blocks():
    problem = digits_softmax(alpha=1.0, clients=4, features=8)
    with pytest.raises(ValueError, match="every block needs a client"):
        split_descent(problem, blocks=5, rounds=1, lr=1.0, resampled=False, rng=np.random.default_rng(0))


def test_the_floor_belongs_to_the_fixed_map():
    table = convergence_floor(alphas=(100.0, 0.1), rounds=200, seeds=1, record=(50, 100, 200))
    end = table[table["round"] == 200].pivot_table(index="map", columns="alpha", values="norm2_theory")
    assert end.loc["fixed", 0.1] > 4 * end.loc["fixed", 100.0]
    assert end.loc["re-sampled", 0.1] < 2 * end.loc["re-sampled", 100.0]
    assert "slope" in figures.convergence_floor(table).scarce_caption
