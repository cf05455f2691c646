"""One suite for every server optimizer, then a few steps of each against its recursion written out in numpy."""

import numpy as np
import pytest
import torch
from federated_toys import assert_equal
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.federated.server_optimizers import fedadagrad, fedadam, fedavg, fedyogi

OPTIMIZERS = {"fedavg": fedavg, "fedadagrad": fedadagrad, "fedadam": fedadam, "fedyogi": fedyogi}


def tensors(seed, scale=1.0):
    rng = np.random.default_rng(seed)
    shapes = {"b.weight": (3, 2), "a": (4,), "scalar": ()}
    return {name: torch.tensor(scale * rng.standard_normal(shape)) for name, shape in shapes.items()}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_names_order_shapes_and_dtypes_are_kept_and_arguments_unchanged(name):
    weights, average = tensors(0), tensors(1)
    copies = [{key: value.clone() for key, value in part.items()} for part in (weights, average)]
    moments = {}
    for step in (1, 2):
        frozen = {key: value.clone() for key, value in moments.items()}
        new, after = OPTIMIZERS[name](weights, average, moments, step=step)
        assert_equal(moments, frozen)
        assert list(new) == list(weights)
        assert all(new[key].shape == weights[key].shape and new[key].dtype == torch.float64 for key in weights)
        moments = after
    assert_equal(weights, copies[0])
    assert_equal(average, copies[1])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_average_that_did_not_move_moves_nothing(name):
    weights = tensors(0)
    assert_equal(OPTIMIZERS[name](weights, weights, {}, step=1)[0], weights)


@pytest.mark.parametrize("name", OPTIMIZERS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99))
def test_each_step_goes_towards_the_average(name, seed):
    weights, average = tensors(seed), tensors(seed + 100)
    new, _ = OPTIMIZERS[name](weights, average, {}, step=1, lr=1e-3)
    for key, value in weights.items():
        assert (((new[key] - value) * (average[key] - value)) > 0).all()


@pytest.mark.parametrize("name", ["fedadagrad", "fedadam", "fedyogi"])
def test_adaptive_steps_do_not_depend_on_the_scale_of_the_updates(name):
    weights, small = tensors(0), tensors(1, scale=1.0)
    options = {"step": 1, "tau": 1e-12, "initial_v": 0.0, "lr": 0.1}
    zero = {key: torch.zeros_like(value) for key, value in weights.items()}
    one, _ = OPTIMIZERS[name](zero, small, {}, **options)
    ten, _ = OPTIMIZERS[name](zero, {key: 10 * value for key, value in small.items()}, {}, **options)
    for key in one:
        torch.testing.assert_close(one[key], ten[key])


def test_fedavg_takes_the_average_or_part_of_the_way():
    weights, average = tensors(0), tensors(1)
    assert_equal(fedavg(weights, average, {})[0], average)
    half, _ = fedavg(weights, average, {}, lr=0.5)
    torch.testing.assert_close(half["a"], (weights["a"] + average["a"]) / 2)


def recursion(name, start, averages, *, lr, beta1, beta2, tau, initial_v, correct):
    """Algorithm 2 of arXiv 2003.00295 on one number."""
    x, m, v = start, 0.0, initial_v
    for t, average in enumerate(averages, start=1):
        delta = average - x
        m = beta1 * m + (1 - beta1) * delta
        if name == "fedadagrad":
            v = v + delta**2
        elif name == "fedadam":
            v = beta2 * v + (1 - beta2) * delta**2
        else:
            v = v - (1 - beta2) * delta**2 * np.sign(v - delta**2)
        rate = lr * np.sqrt(1 - beta2**t) / (1 - beta1**t) if correct else lr
        x = x + rate * m / (np.sqrt(v) + tau)
    return x


@pytest.mark.parametrize("initial_v", [None, 0.0, 0.3])
@pytest.mark.parametrize(
    ("name", "extra"),
    [("fedadagrad", {}), ("fedadam", {}), ("fedadam", {"bias_correction": True}), ("fedyogi", {})],
)
def test_four_steps_follow_the_recursion(name, extra, initial_v):
    averages = [1.0, -0.5, 2.0, 2.0]
    betas = {"beta1": 0.8} | ({} if name == "fedadagrad" else {"beta2": 0.9})
    x, moments = {"w": torch.tensor([0.2, 0.7], dtype=torch.float64)}, {}
    for step, average in enumerate(averages, start=1):
        target = {"w": torch.full((2,), average, dtype=torch.float64)}
        x, moments = OPTIMIZERS[name](
            x, target, moments, step=step, lr=0.3, tau=0.05, initial_v=initial_v, **betas, **extra
        )
    v0 = 0.05**2 if initial_v is None else initial_v
    expected = [
        recursion(name, start, averages, lr=0.3, beta1=0.8, beta2=0.9, tau=0.05, initial_v=v0, correct=bool(extra))
        for start in (0.2, 0.7)
    ]
    assert x["w"].tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["fedadagrad", "fedadam", "fedyogi"])
def test_a_denominator_without_floor_is_refused(name):
    with pytest.raises(ValueError, match="tau = 0 must be positive"):
        OPTIMIZERS[name](tensors(0), tensors(1), {}, tau=0)
