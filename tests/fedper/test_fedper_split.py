"""Which tensors are shared and which are personal, on networks small enough to write the answer down."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.federated.model import Model
from lib.fedper.split import by_name, last_units, personal_count, tensor_names
from lib.nets import mlp, mobilenet_v1, resnet34, small_cnn


def test_last_units_of_a_perceptron():
    net = mlp((4, 3, 2))
    assert last_units(net, 0).personal == ()
    assert last_units(net, 1).personal == ("blocks.1.0.weight", "blocks.1.0.bias")
    assert last_units(net, 1).base == ("blocks.0.0.weight", "blocks.0.0.bias")
    assert last_units(net, 2).base == ()


@given(widths=st.lists(st.integers(1, 5), min_size=2, max_size=13), data=st.data())
@settings(max_examples=30, deadline=None)
def test_base_and_personal_are_a_partition_in_network_order(widths, data):
    net = mlp(widths)
    units = data.draw(st.integers(0, len(net.blocks)))
    split = last_units(net, units)
    assert split.base + split.personal == tuple(tensor_names(net))
    kept = sum(value.numel() for unit in list(net.blocks)[len(net.blocks) - units :] for value in unit.parameters())
    assert personal_count(net, split) == kept


@pytest.mark.parametrize(
    ("build", "counts"),
    [
        (mobilenet_v1, [0, 10_250, 1_072_138, 1_604_106, 1_872_906]),
        (resnet34, [0, 5_130, 4_725_770, 9_446_410, 13_119_498]),
    ],
    ids=["MobileNet-v1", "ResNet-34"],
)  # fmt: skip
def test_personal_parameters_of_the_papers_networks(build, counts):
    with torch.device("meta"):
        net = build()
    assert [personal_count(net, last_units(net, units)) for units in range(5)] == counts


@pytest.mark.parametrize("units", [-1, 4])
def test_impossible_numbers_of_units_are_refused(units):
    with pytest.raises(ValueError, match="choose 0 to 3"):
        last_units(mlp((4, 3, 2, 2)), units)


def test_split_by_name():
    net = mlp((4, 3, 2))
    assert by_name(net, ["*.bias"]).personal == ("blocks.0.0.bias", "blocks.1.0.bias")
    assert by_name(net, ["blocks.1.*", "*0.bias"]).base == ("blocks.0.0.weight",)
    with pytest.raises(ValueError, match="no parameter matches 'head"):
        by_name(net, ["head.*"])


def test_running_statistics_follow_the_policy():
    net = small_cnn((8, 16), norm="batch")
    with pytest.raises(ValueError, match="bn_policy"):
        last_units(net, 1)
    statistics = {
        "blocks.0.1.running_mean",
        "blocks.0.1.running_var",
        "blocks.1.1.running_mean",
        "blocks.1.1.running_var",
    }
    average, local = last_units(net, 1, bn_policy="average"), last_units(net, 1, bn_policy="local")
    assert statistics <= set(average.base) and set(local.personal) - set(average.personal) == statistics
    assert not [name for name in (*local.base, *local.personal) if "num_batches" in name]
    # Statistics of a personal unit are personal under either policy.
    deep = last_units(net, 2, bn_policy="average")
    assert {"blocks.1.1.running_mean", "blocks.1.1.weight"} <= set(deep.personal)
    with pytest.raises(ValueError, match="bn_policy is 'frozen'"):
        last_units(net, 1, bn_policy="frozen")
    assert last_units(small_cnn(norm="group"), 1, bn_policy="average") == last_units(small_cnn(norm="group"), 1)


def test_frozen_parameters_are_neither_shared_nor_kept():
    def build():
        net = small_cnn((4, 8))
        next(net.parameters()).requires_grad_(False)
        return net

    split = last_units(build(), 1)
    assert set(split.base + split.personal) == set(Model(build).names)
