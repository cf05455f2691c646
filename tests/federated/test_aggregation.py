"""From updates to an average."""

import numpy as np
import pytest
import torch
from federated_toys import assert_close, assert_equal
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.federated.aggregation import client_weights, combine, weighted_mean
from lib.federated.types import Update


def updates(count, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {"a": (2, 3), "b": (4,), "c": ()}
    return {
        3 * c + 1: Update(
            {name: torch.tensor(rng.standard_normal(shape)) for name, shape in shapes.items()},
            {"examples": int(rng.integers(1, 9))},
        )
        for c in range(count)
    }


def test_shares_are_examples_over_their_sum_or_equal():
    found = updates(4)
    counts = np.array([update.scalars["examples"] for update in found.values()])
    assert client_weights(found, "examples").tolist() == pytest.approx(counts / counts.sum(), abs=1e-15)
    assert client_weights(found, "uniform").tolist() == [0.25] * 4
    with pytest.raises(ValueError, match="choose 'examples' or 'uniform'"):
        client_weights(found, "loss")


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 6), seed=st.integers(0, 99))
def test_the_mean_is_the_sum_written_out(count, seed):
    found = updates(count, seed)
    shares = client_weights(found, "examples")
    expected = {
        name: sum(share * update.tensors[name] for share, update in zip(shares, found.values(), strict=True))
        for name in ("a", "b", "c")
    }
    assert_close(combine(found, shares), expected, atol=1e-12)


def test_any_rule_sees_one_vector_a_client():
    found, seen = updates(5), []

    def rule(values, weights):
        seen.append(values.shape)
        return weighted_mean(values, weights)

    shares = client_weights(found, "uniform")
    assert_close(combine(found, shares, rule), combine(found, shares), atol=1e-12)
    assert seen == [(5, 11)]


def test_the_median_rule_is_the_median_of_each_entry():
    found = updates(5)
    middle = combine(found, client_weights(found, "uniform"), lambda values, weights: values.median(dim=0).values)
    for name, value in middle.items():
        np.testing.assert_array_equal(value, np.median([u.tensors[name] for u in found.values()], axis=0))


def test_updates_without_tensors_average_to_nothing():
    empty = {c: Update({}, {"examples": 1}) for c in range(3)}
    assert_equal(combine(empty, client_weights(empty, "examples")), {})
