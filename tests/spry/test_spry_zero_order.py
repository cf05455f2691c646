"""Zero-order estimates against exact derivatives, and the released defects against their descriptions."""

import pytest
import torch

from lib.spry.forward_gradient import forward_gradient
from lib.spry.perturbations import Key, perturbation
from lib.spry.text_model import dropout_loss, text_model, trainable
from lib.spry.zero_order import baffle, central_difference, cosines, gradient_variance, mezo

PARAMS = {"a": torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64), "b": torch.tensor(0.4, dtype=torch.float64)}


def smooth(p):
    return (p["a"].exp().sum() * p["b"].sin()).log()


def quadratic(p):
    return (p["a"] ** 2).sum() + p["a"].sum() * p["b"]


def directions_of(count=4, key=0):
    return perturbation(Key(key), {"a": (3,), "b": ()}, count=count)


def test_error_of_a_central_difference_is_quadratic_in_the_step():
    exact = forward_gradient(smooth, PARAMS, directions_of()).jvps
    coarse, fine = (central_difference(smooth, PARAMS, directions_of(), step=h).jvps - exact for h in (2e-2, 1e-2))
    torch.testing.assert_close(coarse / fine, torch.full_like(fine, 4), rtol=2e-2, atol=0)


@pytest.mark.parametrize("method", [mezo, baffle])
def test_on_a_quadratic_all_equal_the_forward_gradient(method):
    want = forward_gradient(quadratic, PARAMS, directions_of())
    found = method(quadratic, PARAMS, directions_of(), step=0.5)
    torch.testing.assert_close(found.jvps, want.jvps)
    torch.testing.assert_close(found.gradient, want.gradient)
    assert found.passes == 8 and want.passes == 4


@pytest.mark.parametrize("names", [("a", "b"), ("b",)])
def test_all_points_at_once_are_the_points_one_by_one(names):
    some = {name: directions_of()[name] for name in names}
    one, many = (central_difference(smooth, PARAMS, some, step=0.1, at_once=way) for way in (False, True))
    torch.testing.assert_close(many.jvps, one.jvps)
    torch.testing.assert_close(many.loss, one.loss)
    torch.testing.assert_close(many.gradient, one.gradient)
    assert many.passes == one.passes == 8


def test_only_some_tensors_can_be_perturbed():
    only = {"b": directions_of()["b"]}
    found = central_difference(quadratic, PARAMS, only, step=0.1)
    torch.testing.assert_close(found.jvps, PARAMS["a"].sum() * only["b"].double())
    assert list(found.gradient) == ["b"]


def test_released_baffle_scales_only_the_first_perturbation():
    step, found = 0.1, baffle(quadratic, PARAMS, directions_of(), step=0.1)
    released = baffle(quadratic, PARAMS, directions_of(), step=step, as_released=True)
    difference = 2 * step * found.jvps  # f(w + delta) - f(w - delta)
    torch.testing.assert_close(released.jvps[0], difference[0] / step)  # not over 2 step
    torch.testing.assert_close(released.jvps[1:], difference[1:] * (step / 2))  # times, not over
    assert released.passes == found.passes
    v = directions_of()["a"].double()
    torch.testing.assert_close(released.gradient["a"], (released.jvps[:, None] * v).mean(dim=0))


def test_cosines_are_over_all_names_together():
    candidates, previous = directions_of(10), {"a": torch.tensor([1.0, 2.0, 3.0]), "b": torch.tensor(-1.0)}
    flat = torch.cat([candidates["a"], candidates["b"][:, None]], dim=1)
    want = torch.nn.functional.cosine_similarity(flat, torch.tensor([[1.0, 2.0, 3.0, -1.0]]))
    torch.testing.assert_close(cosines(candidates, previous), want)


def test_cosine_with_nothing_is_zero():
    assert not cosines(directions_of(), {"a": torch.zeros(3), "b": torch.tensor(0.0)}).any()


def test_gate_estimates_the_variance_of_the_mean():
    g = torch.Generator().manual_seed(0)
    gradients = [{"w": 3 * torch.randn(50_000, generator=g) + 1} for _ in range(8)]
    assert gradient_variance(gradients) == pytest.approx(9 / 8, rel=0.03)
    assert gradient_variance([{"w": torch.ones(2)}] * 4) == 0
    with pytest.raises(ValueError, match="two gradients"):
        gradient_variance(gradients[:1])


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match="step is 0"):
        mezo(quadratic, PARAMS, directions_of(), step=0)
    with pytest.raises(ValueError, match="K >= 1"):
        mezo(quadratic, PARAMS, {})


def dropout_correlation(mode, step):
    """Return the correlation of finite differences with the exact derivatives of the same loss, over 30 directions."""
    net = text_model("bert", layers=2, hidden=16, dropout=0.1).double()
    g = torch.Generator().manual_seed(0)
    x = torch.stack([torch.randint(1, 256, (4, 6), generator=g), torch.ones(4, 6, dtype=torch.int64)], dim=1)
    y = torch.tensor([0, 1, 1, 0])
    params = {name: value + 0.1 * torch.randn(value.shape, generator=g) for name, value in trainable(net).items()}
    directions = perturbation(Key(0), {name: value.shape for name, value in params.items()}, count=30)
    exact = forward_gradient(
        dropout_loss(net, x, y, mode="eval" if mode == "eval" else "shared_mask"), params, directions
    )
    found = baffle(dropout_loss(net, x, y, mode=mode), params, directions, step=step)
    return torch.corrcoef(torch.stack([exact.jvps, found.jvps]))[0, 1].item()


@pytest.mark.parametrize("mode", ["eval", "shared_mask"])
def test_finite_differences_are_exact_when_dropout_is_off_or_its_mask_shared(mode):
    assert dropout_correlation(mode, 1e-4) > 0.999


def test_new_masks_at_every_value_drown_the_derivative():
    """The released code's way: the two sides of a difference are two different functions."""
    assert abs(dropout_correlation("as_released", 1e-4)) < 0.6
