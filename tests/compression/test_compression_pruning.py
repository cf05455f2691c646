import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.compression import layers, networks
from lib.compression.data import Images
from lib.compression.pruning import (
    filter_scores,
    library_pruning,
    paper_rounds,
    shrink_search,
    shrunk,
    taylor_pruning,
    taylor_pruning_to,
    width_scaled,
)
from lib.compression.pruning.chain import convolutions, without_filters
from lib.compression.pruning.comparison import LIBRARY, TAYLOR, WIDTH, thinned, thinning
from lib.compression.pruning.shrinkage import MULTIPLIERS, WidthPolicy, width_groups
from lib.compression.pruning.taylor import least_important
from lib.compression.students import trained_teacher
from lib.compression.training import Recipe


def images(n=60):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(n, 1, 8, 8, generator=generator), torch.arange(n) % 10
    x[torch.arange(n), 0, y % 8, :] += 2.0  # the class shows in a row
    return Images(x[None], y, x, y, x, y, classes=10, members=tuple(range(10)))


def trained(architecture, seed=0):
    net = networks.build(architecture, seed=seed)
    with torch.no_grad():  # normalization that does something
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                for value in (module.weight, module.bias, module.running_mean):
                    value.copy_(torch.randn(value.shape, generator=torch.Generator().manual_seed(seed + 1)))
    return net.eval()


VGG = networks.mini_vgg((5, "M", 6, 7))


def nothing(net):
    return None


def test_filters_that_do_nothing_can_go_without_a_trace():
    net, keep = trained(VGG), [torch.ones(width, dtype=torch.bool) for width in (5, 6, 7)]
    keep[0][1] = keep[1][[0, 5]] = keep[2][3] = False
    norms = [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for norm, mask in zip(norms, keep, strict=True):
            norm.weight[~mask] = norm.bias[~mask] = 0.0
    smaller, x = without_filters(net, keep), images().test_x
    torch.testing.assert_close(smaller(x), net(x), rtol=1e-5, atol=1e-5)
    assert [layer.out_channels for layer in convolutions(smaller)] == [4, 4, 6]
    assert sum(p.numel() for p in smaller.parameters()) == layers.parameter_count(smaller.architecture)
    assert not torch.allclose(without_filters(trained(VGG), keep)(x), trained(VGG)(x))


def test_filters_are_cut_from_chains_only_and_never_all():
    net = trained(VGG)
    with pytest.raises(ValueError, match="keep at least one"):
        without_filters(net, [torch.zeros(5), torch.ones(6), torch.ones(7)])
    with pytest.raises(ValueError, match="one bool a filter"):
        without_filters(net, [torch.ones(5), torch.ones(6)])
    with pytest.raises(ValueError, match="use library_pruning"):
        convolutions(networks.build(networks.mini_resnet()))


def test_scores_are_first_order_changes_of_the_loss():
    net, data = trained(VGG), images()
    x, y = data.test_x, data.test_y
    raw = []
    for layer in convolutions(net):
        scale = torch.ones(layer.out_channels, requires_grad=True)
        hook = layer.register_forward_hook(lambda _, __, out, s=scale: out * s[:, None, None])
        loss = torch.nn.functional.cross_entropy(net(x), y)
        hook.remove()
        positions = 64 if layer is convolutions(net)[0] else 16
        raw.append(torch.autograd.grad(loss, scale)[0].abs() / positions)
    for batch in (7, 60):
        for score, expected in zip(filter_scores(net, x, y, batch=batch), raw, strict=True):
            torch.testing.assert_close(score, expected / expected.norm(), rtol=1e-3, atol=1e-5)
    assert not net.training and not any(module._forward_hooks for module in net.modules())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), remove=st.integers(0, 12))
def test_the_least_important_go_and_one_stays_in_every_layer(seed, remove):
    generator = torch.Generator().manual_seed(seed)
    scores = [torch.rand(n, generator=generator) for n in (1, 3, 4, 8)]
    masks = least_important(scores, remove)
    assert sum(int((~mask).sum()) for mask in masks) == remove and all(mask.any() for mask in masks)
    gone = torch.cat([score[~mask] for score, mask in zip(scores, masks, strict=True)])
    free = torch.cat([s[m & (s < s.max())] for s, m in zip(scores, masks, strict=True)])
    assert not len(gone) or not len(free) or gone.max() <= free.min()
    with pytest.raises(ValueError, match="between 0 and 12"):
        least_important(scores, 13)


def test_the_paper_s_rounds():
    widths = [width for width in networks.VGG11 if width != "M"]
    assert sum(widths) == 2752 and paper_rounds(sum(widths)) == 3
    assert [paper_rounds(n) for n in (511, 512, 1024, 1536)] == [0, 0, 1, 2]


def test_taylor_pruning_by_filters_and_to_a_size():
    net, data, tuned = trained(VGG), images(), []
    before = [p.clone() for p in net.parameters()]
    pruned = taylor_pruning(net, data, remove=2, rounds=3, tune=lambda one: tuned.append(one.architecture))
    assert sum(layer.out_channels for layer in convolutions(pruned)) == 18 - 6 and len(tuned) == 3
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    full = layers.parameter_count(VGG)
    small = taylor_pruning_to(net, data, parameters=full // 3, rounds=2, tune=nothing)
    assert layers.parameter_count(small.architecture) <= full // 3
    with pytest.raises(ValueError, match="one filter a layer has"):
        taylor_pruning_to(net, data, parameters=20, rounds=2, tune=nothing)


@pytest.mark.parametrize("teacher", [networks.mini_resnet(), networks.mini_vgg(), networks.resnet18()])
def test_uniform_width_is_the_widest_within_the_budget(teacher):
    full = layers.parameter_count(teacher)
    for share in (0.16, 0.5, 0.99):
        found = width_scaled(teacher, int(share * full))
        assert layers.parameter_count(found) <= share * full
        assert len(layers.places(found)) == len(layers.places(teacher))
        factors = np.linspace(0, 1, 2001)
        sizes = [layers.parameter_count(networks.narrowed(teacher, factor)) for factor in factors]
        assert layers.parameter_count(found) >= max(size for size in sizes if size <= share * full)
    assert width_scaled(teacher, full) == teacher
    with pytest.raises(ValueError, match="one filter a layer has"):
        width_scaled(teacher, 10)


@pytest.mark.parametrize("importance", ["taylor", "magnitude"])
@pytest.mark.parametrize("teacher", [networks.mini_resnet(), networks.mini_vgg()])
def test_the_library_prunes_both_kinds_of_networks(teacher, importance):
    pytest.importorskip("torch_pruning")
    net, data, tuned = trained(teacher), images(), []
    target = layers.parameter_count(teacher) // 3
    found = library_pruning(net, data, parameters=target, tune=tuned.append, importance=importance, rounds=2)
    size = sum(p.numel() for p in found.parameters())
    # Filters that never respond have the same Taylor score of zero, and the library removes them together.
    least = {"magnitude": 0.7, "taylor": 0.3}[importance]
    assert size == layers.parameter_count(found.architecture) and least * target < size <= target
    assert found(data.test_x).shape == (60, 10) and tuned == [found, found]
    assert net.architecture == teacher and sum(p.numel() for p in net.parameters()) > size
    rebuilt = networks.build(found.architecture)
    assert {k: v.shape for k, v in rebuilt.state_dict().items()} == {k: v.shape for k, v in found.state_dict().items()}


def test_the_library_s_limits():
    pytest.importorskip("torch_pruning")
    net = trained(networks.mini_vgg())
    with pytest.raises(ValueError, match="choose one of taylor, magnitude"):
        library_pruning(net, images(), parameters=1000, tune=nothing, importance="luck")
    with pytest.raises(ValueError, match="30 parameters cannot be reached"):
        library_pruning(net, images(), parameters=30, tune=nothing, rounds=1)


def test_widths_that_are_added_to_one_another_shrink_together():
    teacher = networks.resnet((12, 20), blocks=2, channels=1, pixels=8)
    assert width_groups(teacher) == [0, 1, 0, 2, 0, 3, 4, 4, 5, 4]
    assert width_groups(VGG) == [0, 1, 2]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        student = layers.student(teacher, rng.random(len(layers.places(teacher))) < 0.5)
        factors = rng.choice(MULTIPLIERS, max(width_groups(student)) + 1)
        net = networks.build(shrunk(student, factors, least=1))
        assert net(images().test_x).shape == (60, 10)


def test_shrunk_widths_by_hand():
    found = shrunk(networks.mini_vgg((30, 50, 8)), (0.25, 0.5, 0.25))
    assert [leaf.outputs for leaf in found.parts if leaf.kind == "conv"] == [10, 25, 8]
    with pytest.raises(ValueError, match="2 multipliers for 3 widths"):
        shrunk(VGG, (1.0, 1.0))


def test_log_probabilities_of_widths_sum_to_one():
    policy = WidthPolicy(hidden=4)
    widths, seen = torch.tensor([8.0, 16.0]), {}
    drawn, logs = policy.draw(widths, 4000, torch.Generator().manual_seed(0))
    for row, log in zip(drawn.tolist(), logs.tolist(), strict=True):
        seen[tuple(row)] = log
    assert len(seen) == 121 and np.exp(list(seen.values())).sum() == pytest.approx(1, abs=1e-4)
    share = np.mean([row[0] == 10 for row in drawn.tolist()])
    exact = sum(np.exp(log) for row, log in seen.items() if row[0] == 10)
    assert share == pytest.approx(exact, abs=4 * np.sqrt(exact / 4000))


def test_the_search_for_widths_finds_a_known_optimum_and_trains_nothing_twice():
    asked, teacher = [], networks.mini_vgg((40, 80, 20))

    def evaluate(candidates):
        asked.extend(candidates)
        sizes = [layers.parameter_count(one) / layers.parameter_count(teacher) for one in candidates]
        return [{"a": 1.0, "t": 1.0, "c": size} for size in sizes]

    found = shrink_search(
        teacher, evaluate, reward=lambda a, t, c: 1 - abs(c - 0.3), iterations=60, least=1, lr=0.03, seed=1
    )
    assert len(asked) == len(set(asked)) == found.history["trained"].sum() < 300
    first, last = (found.history["reward"].iloc[part].mean() for part in (slice(0, 50), slice(-50, None)))
    assert last > first + 0.05
    assert layers.parameter_count(found.best) / layers.parameter_count(teacher) == pytest.approx(
        found.history.loc[found.history["reward"].idxmax(), "c"]
    )


def test_methods_reach_the_size_that_they_are_given():
    data, recipe = images(), Recipe(epochs=1, batch=30)
    teachers = [
        trained_teacher(architecture, data, recipe=recipe) for architecture in (VGG, networks.mini_resnet((4, 6)))
    ]
    for teacher, expected in zip(teachers, ([TAYLOR, LIBRARY, WIDTH], [LIBRARY, WIDTH]), strict=True):
        target = layers.parameter_count(teacher.architecture) // 2
        table = thinning([teacher], parameters=[target], recipe=recipe, rounds=1)
        assert table["method"].tolist() == expected and (table["parameters"] <= target).all()
        assert (table["c"] * table["compression"]).to_numpy() == pytest.approx(1)
    with pytest.raises(ValueError, match="no method 'magic': choose from Taylor pruning"):
        thinned(teachers[0], "magic", parameters=100, recipe=recipe)


def test_multipliers_are_the_code_s():
    assert len(MULTIPLIERS) == 11 and MULTIPLIERS.count(0.5) == 5
    assert all(a <= b for a, b in itertools.pairwise(MULTIPLIERS))
