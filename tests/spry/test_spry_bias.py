"""Conditional bias on digits: exact expectation, straight line in the skew, gone on average."""

import numpy as np
import pytest

from lib.spry.experiments.bias import _averaged, _example_gradients, label_skew_bias, sampled_bias
from lib.spry.figures import theory as figures


@pytest.fixture(scope="module")
def table():
    return label_skew_bias(alphas=(0.1, 1.0, 100.0), seeds=2, draws=200)


def test_example_gradients_are_backprops():
    torch = pytest.importorskip("torch")
    from sklearn.datasets import load_digits

    found, y = _example_gradients(4, 0, 3)
    x = torch.tensor(np.c_[load_digits().data / 16, np.ones(len(y))])
    rng = np.random.default_rng(3)
    first = torch.tensor(rng.standard_normal((65, 4), dtype=np.float32) / 8, dtype=torch.float64, requires_grad=True)
    second = torch.tensor(
        rng.standard_normal((5, 10), dtype=np.float32) / np.float32(2), dtype=torch.float64, requires_grad=True
    )
    for i in (0, 700):
        hidden = torch.cat([torch.relu(x[i] @ first), torch.ones(1, dtype=torch.float64)])
        loss = torch.nn.functional.cross_entropy(hidden @ second, torch.tensor(int(y[i])))
        exact = torch.cat([part.ravel() for part in torch.autograd.grad(loss, [first, second])])
        assert found[i] == pytest.approx(exact.numpy(), abs=1e-5)


def test_measured_bias_is_its_expectation(table):
    assert table["bias2"].to_numpy() == pytest.approx(table["bias2_theory"].to_numpy(), rel=0.1)
    assert (table["bias2_label"] <= table["bias2_theory"] * 1.05).all()


def test_bias_rises_with_skew_and_vanishes_on_average(table):
    middle = table.groupby("alpha")[["skew", "bias2", "bias2_label"]].median().sort_index()
    assert middle["bias2"].is_monotonic_decreasing
    slopes = middle["bias2_label"] / middle["skew"]
    assert slopes.max() / slopes.min() < 1.5  # proportional to the skew
    assert 0.4 < (table["averaged2"] / table["averaged2_theory"]).mean() < 2


def test_figure_and_repeatability(table):
    assert table.equals(label_skew_bias(alphas=(0.1, 1.0, 100.0), seeds=2, draws=200))


def test_drawn_estimates_miss_the_gradient_by_chance_with_clients_alike_and_by_the_bias_otherwise():
    found = sampled_bias(alphas=(100.0, 0.1), draws=4000, seeds=2)
    over = found.assign(ratio=found["error2"] / found["chance2"]).set_index("alpha")
    alike = over.loc[np.inf]
    assert (alike["ratio"].sub(1).abs() < 0.2).all() and (alike["bias2"] == 0).all()
    assert (over.loc[0.1, "ratio"] > 5).all()
    excess = over.loc[0.1, "error2"] - over.loc[0.1, "chance2"]
    assert excess.to_numpy() == pytest.approx(over.loc[0.1, "bias2"].to_numpy(), rel=0.2)
    assert found.equals(sampled_bias(alphas=(100.0, 0.1), draws=4000, seeds=2))
    table = label_skew_bias(alphas=(0.1, 1.0), seeds=1, draws=20)
    caption = figures.label_skew_bias(table, found).scarce_caption
    assert "correlation with the skew" in caption and "with clients alike" in caption


def test_the_standard_error_is_that_of_the_closed_form():
    gradient, owners = np.arange(1.0, 41), np.repeat([0, 1], 20)
    _, chance = _averaged(gradient, gradient, owners, 20_000, np.random.default_rng(0))
    assert chance == pytest.approx(21 * np.square(gradient).sum() / 20_000, rel=0.03)
