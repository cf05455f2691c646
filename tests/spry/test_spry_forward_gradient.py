"""Forward gradients against closed forms and backpropagation."""

import math

import pytest
import torch

from lib.spry.forward_gradient import combine, forward_gradient
from lib.spry.perturbations import Key, perturbation

MODES = [("func", False), ("func", True), ("dual", False), (None, False), (None, True)]


def toy():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(9, 4, generator=g, dtype=torch.float64)
    params = {
        name: torch.randn(shape, generator=g, dtype=torch.float64)
        for name, shape in {"first": (4, 5), "bias": (5,), "last": (5,)}.items()
    }
    return lambda p: (torch.tanh(x @ p["first"] + p["bias"]) @ p["last"]).square().mean(), params


def directions_of(params, names, count=3):
    return perturbation(Key(5), {name: params[name].shape for name in names}, count=count)


@pytest.mark.parametrize(("backend", "at_once"), MODES)
@pytest.mark.parametrize("names", [["first", "bias", "last"], ["bias"], ["last", "first"]])
def test_directional_derivatives_are_those_of_backpropagation(backend, at_once, names):
    loss, params = toy()
    directions = directions_of(params, names)
    found = forward_gradient(loss, params, directions, backend=backend, at_once=at_once)
    exact = torch.func.grad(loss)(params)
    want = sum((exact[name] * directions[name]).flatten(1).sum(dim=1) for name in names)
    torch.testing.assert_close(found.jvps, want, rtol=1e-12, atol=0)
    torch.testing.assert_close(found.loss, loss(params))
    assert list(found.gradient) == names and found.passes == (1 if at_once else 3)
    for name in names:
        mean = torch.stack([jvp * v for jvp, v in zip(want, directions[name].double(), strict=True)]).mean(dim=0)
        torch.testing.assert_close(found.gradient[name], mean)


def test_basis_directions_give_the_gradient_itself():
    """With the d scaled basis vectors sqrt(d) e_k the mean of jvp_k v_k is the gradient."""
    loss, params = toy()
    basis = {"bias": math.sqrt(5) * torch.eye(5)}
    exact = torch.func.grad(loss)(params)["bias"]
    torch.testing.assert_close(forward_gradient(loss, params, basis).gradient["bias"], exact, rtol=1e-6, atol=1e-8)


def test_unbiased_with_the_variance_of_gaussian_directions():
    """E g = grad, and E |g - grad|^2 = (d + 1) / K |grad|^2."""
    gradient = torch.linspace(-1, 1, 6, dtype=torch.float64)
    draws, count = 20_000, 2
    directions = {"w": perturbation(Key(1), {"w": (6,)}, count=draws * count)["w"]}
    found = forward_gradient(
        lambda p: p["w"] @ gradient, {"w": torch.zeros(6, dtype=torch.float64)}, directions, at_once=True
    )
    grouped = (found.jvps[:, None] * directions["w"].double()).reshape(draws, count, 6).mean(dim=1)
    squared = (grouped - gradient).square().sum(dim=1)
    expected = 7 / count * gradient.square().sum()
    assert abs(squared.mean() - expected) < 4 * squared.std() / math.sqrt(draws)
    error = (grouped.mean(dim=0) - gradient).abs()
    assert (error < 4 * grouped.std(dim=0) / math.sqrt(draws)).all()


def test_nothing_requires_grad_and_inputs_stay_as_they_are():
    loss, params = toy()
    params = {name: value.requires_grad_() for name, value in params.items()}
    before = {name: value.detach().clone() for name, value in params.items()}
    for backend, at_once in MODES:
        found = forward_gradient(loss, params, directions_of(params, ["first"]), backend=backend, at_once=at_once)
        tensors = [found.loss, found.jvps, *found.gradient.values()]
        assert not any(tensor.requires_grad for tensor in tensors)
    assert all(torch.equal(params[name], before[name]) and params[name].grad is None for name in params)


@pytest.mark.parametrize(("backend", "at_once"), MODES)
def test_a_loss_that_the_perturbed_tensors_do_not_reach_has_derivative_zero(backend, at_once):
    _, params = toy()
    found = forward_gradient(
        lambda p: p["last"].sum(), params, directions_of(params, ["bias"]), backend=backend, at_once=at_once
    )
    assert not found.jvps.any() and not found.gradient["bias"].any()


def test_directions_take_the_type_of_the_parameters():
    params = {"w": torch.ones(3, dtype=torch.bfloat16)}
    found = forward_gradient(lambda p: p["w"].square().sum(), params, {"w": torch.eye(3)})
    assert found.gradient["w"].dtype == torch.bfloat16 and found.jvps.tolist() == [2, 2, 2]


def test_derivatives_that_are_not_finite_are_left_out():
    directions = {"w": torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])}
    jvps = torch.tensor([3.0, math.inf, 5.0])
    assert combine(jvps, directions)["w"].tolist() == [4.0, 2.5]
    assert combine(torch.tensor([math.nan] * 3), directions)["w"].tolist() == [0.0, 0.0]
    params, factors = {"w": torch.ones(2, dtype=torch.float16)}, torch.tensor([1000, 1], dtype=torch.float16)
    found = forward_gradient(lambda p: p["w"] @ factors, params, {"w": torch.tensor([[100.0, 0.0], [0.0, 1.0]])})
    assert found.jvps.tolist() == [math.inf, 1] and found.gradient["w"].tolist() == [0, 1]


def test_bad_requests_are_refused():
    loss, params = toy()
    good = directions_of(params, ["bias"])
    for directions, message in (
        ({}, "K >= 1"),
        ({"bias": torch.zeros(0, 5)}, "K >= 1"),
        ({"bias": torch.zeros(5)}, "must be"),
        ({"other": torch.zeros(1, 5)}, "must be"),
        (good | {"last": torch.zeros(2, 5)}, "K >= 1"),
    ):
        with pytest.raises(ValueError, match=message):
            forward_gradient(loss, params, directions)
    with pytest.raises(ValueError, match="choose 'func' or 'dual'"):
        forward_gradient(loss, params, good, backend="other")
    with pytest.raises(ValueError, match="backend='func'"):
        forward_gradient(loss, params, good, backend="dual", at_once=True)
