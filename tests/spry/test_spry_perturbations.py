"""Perturbations from keys: the same numbers whatever else is drawn, and the right distribution."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lib.spry.perturbations import Key, perturbation

INDEX = st.integers(0, 2**32 - 1)
KEYS = st.builds(Key, st.integers(0, 2**64 - 1), INDEX, INDEX, INDEX, INDEX)
SHAPES = {"a": torch.Size([3, 2]), "b": torch.Size([]), "head.weight": torch.Size([5])}


@given(KEYS, st.integers(1, 4), st.integers(1, 4), st.sets(st.sampled_from(sorted(SHAPES)), min_size=1))
@settings(max_examples=50, deadline=None)
def test_numbers_depend_on_key_and_name_only(key, short, more, names):
    whole = perturbation(key, SHAPES, count=short + more)
    part = perturbation(key, {name: SHAPES[name] for name in sorted(names, reverse=True)}, count=short)
    for name in names:
        assert part[name].shape == (short, *SHAPES[name]) and part[name].dtype == torch.float32
        assert torch.equal(part[name], whole[name][:short])


@given(KEYS, KEYS)
@settings(max_examples=50, deadline=None)
def test_different_keys_give_different_numbers(one, other):
    same = torch.equal(perturbation(one, SHAPES)["a"], perturbation(other, SHAPES)["a"])
    assert same == (one == other)


def test_every_field_of_the_key_and_the_name_counts():
    keys = [Key(1), Key(0, 1), Key(0, 0, 1), Key(0, 0, 0, 1), Key(0, 0, 0, 0, 1), Key(0)]
    draws = [perturbation(key, {"a": (4,)})["a"] for key in keys] + [perturbation(Key(0), {"b": (4,)})["b"]]
    assert len({tuple(draw.flatten().tolist()) for draw in draws}) == len(draws)


def test_neither_global_generator_is_touched():
    torch.manual_seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    perturbation(Key(3), SHAPES)
    assert torch.equal(before[0], torch.get_rng_state()) and (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002


def test_numbers_are_those_written_down():
    """A client of another version must regenerate what the server drew: these numbers are the wire format."""
    drawn = perturbation(Key(1, 2, 3, 4, 5), {"w": (3,)})["w"]
    assert drawn.flatten().tolist() == pytest.approx(WRITTEN, abs=1e-7)


WRITTEN = [0.41231075, 0.70381004, 2.04860735]


def test_distribution_is_standard_normal_and_streams_are_independent():
    draws = [perturbation(Key(7, unit=unit), {"w": (20_000,)})["w"][0].numpy() for unit in range(3)]
    for draw in draws:
        assert stats.kstest(draw, "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(draws) - np.eye(3)).max() < 4 / np.sqrt(20_000)


@pytest.mark.parametrize(
    "fields", [{"seed": -1}, {"seed": 2**64}, {"seed": 0, "unit": 2**32}, {"seed": 0, "round": -1}]
)
def test_keys_outside_the_range_are_refused(fields):
    with pytest.raises(ValueError, match="give a seed"):
        Key(**fields)


def test_no_perturbation_is_refused():
    with pytest.raises(ValueError, match="count is 0"):
        perturbation(Key(0), SHAPES, count=0)
