"""Closed forms of forward gradients against exact moments, simulation and each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.spry import theory
from lib.spry.experiments.estimator import estimator_error, one_step_error


@pytest.mark.parametrize(("block", "perturbations"), [(1, 1), (2, 1), (3, 4), (5, 2)])
def test_second_moment_from_products_of_normal_moments(block, perturbations):
    # E||1/K sum (v.g) v||^2 by Isserlis: same k gives E[(v.g)^2 v.v], different ones ||g||^2.
    g = np.arange(1.0, block + 1)
    moment = {0: 1.0, 1: 0.0, 2: 1.0, 4: 3.0}
    same = 0.0
    for i in range(block):
        for j in range(block):
            for a in range(block):
                powers = np.zeros(block, dtype=int)
                for place in (i, j, a, a):
                    powers[place] += 1
                same += g[i] * g[j] * np.prod([moment.get(int(p), 0.0) for p in powers])
    length = g @ g
    exact = (same / perturbations + (perturbations - 1) / perturbations * length) / length
    assert theory.relative_second_moment(block, perturbations) == pytest.approx(exact, rel=1e-12)
    assert theory.relative_mse(block, perturbations) == pytest.approx(exact - 1, rel=1e-12)


@given(st.integers(0, 8), st.integers(0, 5), st.integers(1, 20))
def test_one_step_gains_nothing_from_splitting(log_block, log_clients, perturbations):
    clients = 2**log_clients
    dimension = clients * 2**log_block
    split = theory.round_mse("split", dimension, clients, perturbations)
    own = theory.round_mse("own directions", dimension, clients, perturbations)
    shared = theory.round_mse("shared directions", dimension, clients, perturbations)
    assert own <= split <= shared
    assert split - own == pytest.approx((1 - 1 / clients) / perturbations)


def test_cosine_for_one_direction_is_the_sphere_mean():
    # In two dimensions the mean of |cos(angle)| is 2/pi; in three 1/2; in one 1.
    assert [theory.expected_cosine(p) for p in (1, 2, 3)] == pytest.approx([1, 2 / np.pi, 0.5])
    assert theory.expected_cosine(10_000) == pytest.approx(np.sqrt(2 / (np.pi * 10_000)), rel=1e-3)


def test_measured_errors_are_on_the_formulas():
    table = estimator_error(dimensions=(16, 256), draws=1500, seeds=2)
    cells = table.groupby(["dimension", "perturbations", "clients"]).mean()
    assert cells["mse"].to_numpy() == pytest.approx(cells["mse_theory"].to_numpy(), rel=0.1)
    assert cells["second_moment"].to_numpy() == pytest.approx(cells["second_moment_theory"].to_numpy(), rel=0.1)
    known = cells.dropna()
    assert known["cosine"].to_numpy() == pytest.approx(known["cosine_theory"].to_numpy(), rel=0.05)
    assert table.equals(estimator_error(dimensions=(16, 256), draws=1500, seeds=2))


def test_measured_round_errors():
    cells = one_step_error(dimension=64, draws=2000, seeds=2).groupby(["method", "clients"]).mean()
    assert cells["mse"].to_numpy() == pytest.approx(cells["mse_theory"].to_numpy(), rel=0.15)


@given(st.data())
@settings(max_examples=30)
def test_bias_over_random_owners_by_enumeration(data):
    clients, blocks = data.draw(st.integers(2, 4)), data.draw(st.integers(1, 3))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    gradients = rng.standard_normal((clients, 2 * blocks))
    target = gradients.mean(axis=0)
    holders = np.array(list(np.ndindex(*(clients,) * blocks)))  # every way to hand out the blocks
    bias = theory.conditional_bias(gradients, target, np.repeat(holders, 2, axis=1))
    assert np.square(bias).sum(axis=1).mean() == pytest.approx(theory.expected_squared_bias(gradients, target))
    assert bias.mean(axis=0) == pytest.approx(np.zeros(2 * blocks), abs=1e-12)


def test_equal_class_mixes_leave_no_bias():
    rng = np.random.default_rng(0)
    by_class, mix = rng.standard_normal((3, 6)), np.array([2, 1, 3])
    counts = mix * np.array([[1], [4], [2]])
    target = mix @ by_class / mix.sum()
    assert theory.label_skew(counts) == pytest.approx(np.zeros((3, 3)))
    assert theory.expected_squared_bias(theory.skew_gradients(by_class, counts), target) == pytest.approx(0)


def test_bias_of_label_skew_is_skew_times_class_gradients():
    rng = np.random.default_rng(1)
    by_class, counts = rng.standard_normal((3, 4)), np.array([[5, 1, 0], [1, 2, 3]])
    target = counts.sum(axis=0) @ by_class / counts.sum()
    found = theory.conditional_bias(theory.skew_gradients(by_class, counts), target, np.array([0, 0, 1, 1]))
    expected = theory.label_skew(counts) @ by_class
    assert found == pytest.approx(np.r_[expected[0, :2], expected[1, 2:]])


def test_unknown_method():
    with pytest.raises(ValueError, match="choose one of split"):
        theory.round_mse("none", 4, 2)
