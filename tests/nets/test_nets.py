"""Each network against parameter counts worked out by hand, and what a chain of units promises."""

import itertools

import pytest
import torch
from torch import nn

from lib.nets import mlp, mobilenet_v1, resnet34, small_cnn, unit_names
from lib.nets.units import UnitNet, norm_layer

NETS = {
    "mlp": (lambda norm: mlp((64, 64, 64, 32, 10)), (3, 64), 4),
    "small_cnn": (lambda norm: small_cnn((8, 16), classes=7, norm=norm), (3, 3, 32, 32), 3),
    "small_cnn, all features": (lambda norm: small_cnn((8, 16), norm=norm, pixels=29), (3, 3, 29, 29), 3),
    "mobilenet_v1": (lambda norm: mobilenet_v1(width=0.25, norm=norm), (3, 3, 32, 32), 15),
    "resnet34": (lambda norm: resnet34(width=0.125, norm=norm, stem="cifar"), (3, 3, 32, 32), 18),
}


def last_units(net, count):
    sizes = {name: parameter.numel() for name, parameter in net.named_parameters()}
    return sum(sizes[name] for unit in unit_names(net)[-count:] for name in unit)


def test_mobilenet_counts_by_hand():
    net = mobilenet_v1(norm="batch")
    # Widths of the 13 blocks; a block from a to b channels has 9a + ab weights and 2a + 2b of normalization.
    widths = [32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
    blocks = [9 * a + a * b + 2 * a + 2 * b for a, b in itertools.pairwise(widths)]
    head = 1024 * 10 + 10
    assert len(blocks) == 13 and sum(p.numel() for p in net.parameters()) == 27 * 32 + 64 + sum(blocks) + head
    assert sum(p.numel() for p in net.parameters()) == 3_217_226
    assert [last_units(net, count) for count in (1, 2, 3, 4)] == [10_250, 1_072_138, 1_604_106, 1_872_906]


def test_resnet_counts_by_hand():
    net = resnet34(norm="batch")
    total, channels = 3 * 64 * 49 + 128, 64
    for wide, count in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for _ in range(count):
            total += 9 * channels * wide + 9 * wide * wide + 4 * wide
            total += channels * wide + 2 * wide if channels != wide else 0
            channels = wide
    assert sum(p.numel() for p in net.parameters()) == total + 5130 == 21_289_802
    assert [last_units(net, count) for count in (1, 2, 3, 4)] == [5_130, 4_725_770, 9_446_410, 13_119_498]


def test_mlp_counts_by_hand():
    net = mlp((64, 64, 64, 32, 10))
    assert [last_units(net, count) for count in (1, 2, 3, 4)] == [330, 2410, 6570, 10730]


def test_small_cnn_counts_by_hand():
    body = 27 * 8 + 16 + 72 * 16 + 32
    assert sum(p.numel() for p in small_cnn((8, 16)).parameters()) == body + 170
    assert sum(p.numel() for p in small_cnn((8, 16), pixels=28).parameters()) == body + 49 * 160 + 10


@pytest.mark.parametrize("norm", ["group", "batch"])
@pytest.mark.parametrize("name", NETS)
def test_units_are_the_whole_network_in_order(name, norm):
    build, shape, units = NETS[name]
    net = build(norm).eval()
    assert len(net.blocks) == units == len(unit_names(net))
    assert [n for unit in unit_names(net) for n in unit] == [n for n, _ in net.named_parameters()]
    inputs = torch.linspace(-1, 1, steps=torch.Size(shape).numel()).reshape(shape)
    hidden = inputs
    for unit in net.blocks:
        hidden = unit(hidden)
    assert torch.equal(hidden, net(inputs)) and hidden.shape[0] == 3 and hidden.dim() == 2
    assert torch.isfinite(hidden).all() and hidden.std() > 0
    assert any(isinstance(module, nn.BatchNorm2d) for module in net.modules()) == (norm == "batch" and name != "mlp")


@pytest.mark.parametrize("channels", [8, 16, 24, 32, 48, 512, 1024])
def test_groups_never_normalize_one_pixel_to_zero(channels):
    layer = norm_layer("group", channels)
    assert channels % layer.num_groups == 0 and channels // layer.num_groups >= 8 and layer.num_groups <= 32
    assert layer(torch.arange(channels, dtype=torch.float32).reshape(1, channels, 1, 1)).std() > 0.5


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match="norm"):
        small_cnn(norm="layer")
    with pytest.raises(ValueError, match="sizes"):
        mlp((10,))
    with pytest.raises(ValueError, match="stem"):
        resnet34(stem="tiny")
    with pytest.raises(ValueError, match="width"):
        mobilenet_v1(width=0)
    with pytest.raises(ValueError, match="two"):
        small_cnn(classes=1)
    with pytest.raises(ValueError, match="channels"):
        small_cnn(())
    with pytest.raises(ValueError, match="blocks"):
        unit_names(nn.Linear(2, 2))
    net = UnitNet([nn.Linear(2, 2)])
    net.extra = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="outside"):
        unit_names(net)
