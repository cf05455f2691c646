import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.compression import layers, networks

TEACHERS = {
    "resnet18": networks.resnet18(),
    "vgg11": networks.vgg11(),
    "mini_resnet": networks.mini_resnet(),
    "mini_vgg": networks.mini_vgg(),
}


def count(net):
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("architecture", "parameters"),
    [
        (networks.resnet18(), 11_173_962),
        (networks.resnet18(100), 11_220_132),
        (layers.minimal(networks.resnet18()), 1_728_970),
        (layers.minimal(networks.resnet18(100)), 1_775_140),
        (networks.vgg11(), 9_231_114),
        (networks.mini_resnet(), 11_302),
        (networks.mini_resnet((8, 16, 32)), 44_226),
        (layers.minimal(networks.mini_resnet()), 1_854),
        (layers.minimal(networks.mini_resnet((8, 16, 32))), 6_898),
        (networks.vgg((64, "M", 128, "M", 256, 256, "M", 512, "M", 512, "M")), 4_509_450),
    ],
)
def test_exact_parameter_counts_of_the_specification(architecture, parameters):
    assert layers.parameter_count(architecture) == parameters == count(networks.build(architecture))


@pytest.mark.parametrize(
    ("name", "leaves", "free"), [("resnet18", 51, 39), ("vgg11", 31, 28), ("mini_resnet", 39, 30), ("mini_vgg", 13, 10)]
)
def test_leaves_and_free_decisions(name, leaves, free):
    assert layers.leaf_count(TEACHERS[name]) == leaves
    assert layers.free(TEACHERS[name]).sum() == free


def test_compression_floors():
    for classes, ratio in ((10, 6.4628), (100, 6.3207)):
        teacher = networks.resnet18(classes)
        found = layers.parameter_count(teacher) / layers.parameter_count(layers.minimal(teacher))
        assert found == pytest.approx(ratio, abs=5e-5)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["mini_resnet", "mini_vgg"]), st.data())
def test_any_student_runs_and_has_the_counted_parameters(name, data):
    teacher = TEACHERS[name]
    keep = data.draw(
        st.lists(st.booleans(), min_size=len(layers.places(teacher)), max_size=len(layers.places(teacher)))
    )
    small = layers.student(teacher, keep)
    net = networks.build(small).eval()
    assert net(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert count(net) == layers.parameter_count(small)
    kept = np.array(keep) | ~layers.free(teacher)
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules()) == sum(
        flag and place.leaf.kind == "batchnorm" for flag, place in zip(kept, layers.places(teacher), strict=True)
    ) + sum(len(part.shortcut) // 2 for part in teacher.parts if isinstance(part, layers.Block))


def test_a_block_without_main_path_is_the_identity_and_not_twice_its_input():
    teacher = networks.resnet((4,), channels=1, pixels=8, blocks=1)
    small = layers.minimal(teacher)
    assert [part.kind for part in small.parts] == ["conv", "avgpool", "linear"]


def test_pooling_of_a_vgg_may_go_until_the_classifier_is_too_wide():
    teacher = TEACHERS["vgg11"]
    assert "linear" in layers.invalid(layers.minimal(teacher), teacher)
    keep = layers.smallest_valid(teacher)
    small = layers.student(teacher, keep)
    assert layers.invalid(small, teacher) is None and layers.linear_inputs(small) == 64 * 16 * 16
    assert layers.invalid(teacher, teacher) == "it has no fewer parameters than the teacher"


def test_units_keep_convolution_normalization_and_activation_together():
    teacher = TEACHERS["mini_resnet"]
    keep = layers.by_unit(teacher, np.zeros(layers.units(teacher).max() + 1))
    kept = [place.leaf.kind for place, flag in zip(layers.places(teacher), keep, strict=True) if flag]
    assert kept == ["conv", "batchnorm", "relu"] * 3 + ["avgpool", "linear"]
    with pytest.raises(ValueError, match="units"):
        layers.by_unit(teacher, [True])


def test_seed_decides_weights_and_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    first, second, other = (networks.build(TEACHERS["mini_vgg"], seed=seed) for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(next(first.parameters()), next(other.parameters()))


def test_wrong_number_of_decisions_is_refused():
    with pytest.raises(ValueError, match="35 layers"):
        layers.student(TEACHERS["mini_resnet"], [True])


def test_half_the_width_is_about_a_quarter_of_the_parameters():
    thin = networks.narrowed(networks.resnet18(), 0.5)
    assert thin == networks.resnet((32, 64, 128, 256))
