"""Layers that skip absent tangents: equal to PyTorch's in value, forward mode, backward and under vmap; and cheaper."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

from lib.profiling import peak_memory
from lib.spry.forward_gradient import forward_gradient
from lib.spry.frozen_adapter import is_lora
from lib.spry.frozen_attention import attention
from lib.spry.frozen_linear import skip_frozen_tangents
from lib.spry.frozen_norms import RmsNorm, is_rms_norm
from lib.spry.perturbations import Key, perturbation
from lib.spry.text_model import dropout_loss, text_model, trainable


class LlamaRMSNorm(nn.Module):
    """Written after the published definition (Zhang and Sennrich 2019), under the name that transformers uses."""

    def __init__(self, size):
        super().__init__()
        self.weight, self.variance_epsilon = nn.Parameter(torch.ones(size)), 1e-6

    def forward(self, x):
        return self.weight * x / (x.square().mean(-1, keepdim=True) + self.variance_epsilon).sqrt()


def lora(rank):
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=rank, lora_alpha=3, target_modules=["0"])
    return peft.inject_adapter_in_model(config, nn.Sequential(nn.Linear(5, 3)))[0]


LAYERS = {
    "linear, wide": lambda: nn.Linear(3, 5),
    "linear, narrow": lambda: nn.Linear(5, 3),
    "linear, no bias": lambda: nn.Linear(3, 5, bias=False),
    "layer norm": lambda: nn.LayerNorm(5),
    "layer norm, no bias": lambda: nn.LayerNorm(5, bias=False),
    "layer norm, two axes": lambda: nn.LayerNorm((4, 5)),
    "rms norm": lambda: LlamaRMSNorm(5),
    "lora": lambda: lora(2),
    "lora, scale 1": lambda: lora(3),
}


def case(name, batch=()):
    """Return a stock layer with random parameters, ours with the same ones, and inputs (x, parameters)."""
    g = torch.Generator().manual_seed(0)
    stock = LAYERS[name]().double()
    for value in stock.parameters():
        value.data = torch.randn(value.shape, generator=g, dtype=torch.float64)
    ours = skip_frozen_tangents(nn.Sequential(stock))[0]
    assert type(ours) is not type(stock)
    features = stock.weight.shape if "norm" in name else stock.weight.shape[1:]
    x = torch.randn((*batch, 2, 4, *features[-1:]), generator=g, dtype=torch.float64)
    return stock, ours, {"x": x, **{key: value.detach() for key, value in stock.named_parameters()}}


@pytest.mark.parametrize("form", ["bias", "switched off", "another precision"])
def test_forms_of_lora_that_the_rule_does_not_know_keep_their_values(form):
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=2, target_modules=["0"], lora_bias=form == "bias")
    model = peft.inject_adapter_in_model(config, nn.Sequential(nn.Linear(5, 3)))
    with torch.no_grad():
        for value in model.parameters():
            value.normal_()
    layer = model[0]
    if form == "switched off":
        layer.enable_adapters(False)
    if form == "another precision":
        layer.base_layer.bfloat16()
        assert not is_lora(layer)
        return
    x = torch.randn(4, 5)
    before = model(x)
    assert not is_lora(layer)
    torch.testing.assert_close(skip_frozen_tangents(model)(x), before)


def call(layer, values):
    return torch.func.functional_call(layer, {name: v for name, v in values.items() if name != "x"}, (values["x"],))


def subsets(names):
    return [{name for bit, name in enumerate(names) if mask >> bit & 1} for mask in range(1, 2 ** len(names))]


@pytest.mark.parametrize("name", LAYERS)
def test_derivatives_in_both_modes_equal_stock_for_every_subset_of_tangents(name):
    stock, ours, values = case(name)
    g = torch.Generator().manual_seed(1)
    assert torch.allclose(call(ours, values), call(stock, values), rtol=1e-12)
    for moving in subsets(list(values)):
        primals = {key: values[key] for key in moving}
        tangents = {key: torch.randn((3, *values[key].shape), generator=g, dtype=torch.float64) for key in moving}
        found, want = [], []
        for layer, results in ((ours, found), (stock, want)):

            def value_at(p, layer=layer):
                return call(layer, values | p)

            one = {key: value[0] for key, value in tangents.items()}
            results += torch.func.jvp(value_at, (primals,), (one,))
            with forward_ad.dual_level():
                duals = {key: forward_ad.make_dual(value, one[key]) for key, value in primals.items()}
                results += forward_ad.unpack_dual(value_at(duals))
            results.append(torch.func.vmap(lambda t, f=value_at, p=primals: torch.func.jvp(f, (p,), (t,))[1])(tangents))
            gradients = torch.func.grad(lambda p, f=value_at: f(p).sin().sum())(primals)
            results += [gradients[key] for key in sorted(gradients)]
            leaves = {key: value.clone().requires_grad_() for key, value in primals.items()}
            value_at(leaves).sin().sum().backward()
            results += [leaves[key].grad for key in sorted(leaves)]
        torch.testing.assert_close(found, want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["linear, wide", "linear, narrow", "layer norm", "rms norm", "lora"])
def test_second_derivatives_and_batches_pass_gradcheck(name):
    _, ours, values = case(name)
    inputs = [value.requires_grad_() for value in values.values()]
    assert torch.autograd.gradcheck(
        lambda *args: call(ours, dict(zip(values, args, strict=True))),
        inputs,
        check_forward_ad=True,
        check_batched_grad=True,
        check_batched_forward_grad=True,
    )


@pytest.mark.parametrize("name", LAYERS)
def test_stacked_parameters_of_several_clients(name):
    """vmap over the values themselves, not only over tangents."""
    stock, ours, values = case(name, batch=(3,))
    many = {"x": values["x"]} | {key: torch.stack([v, 2 * v, v + 1]) for key, v in values.items() if key != "x"}
    for transform in (
        lambda f: f,
        lambda f: lambda p: torch.func.jvp(f, (p,), (p,))[1],
        lambda f: torch.func.grad(lambda p: f(p).sin().sum()),
    ):
        found, want = (torch.func.vmap(transform(lambda p, m=layer: call(m, p)))(many) for layer in (ours, stock))
        torch.testing.assert_close(found, want, rtol=1e-10, atol=1e-10)


def eager(query, key, value, mask, scaling):
    weights = torch.softmax(query @ key.transpose(2, 3) * scaling + (0 if mask is None else mask), dim=-1)
    return (weights @ value).transpose(1, 2), weights


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("masked", [True, False])
def test_attention_equals_its_formula(masked, groups):
    g = torch.Generator().manual_seed(0)
    q = torch.randn(2, 4, 5, 3, generator=g, dtype=torch.float64)
    k, v = torch.randn(2, 2, 4 // groups, 5, 3, generator=g, dtype=torch.float64)
    mask = torch.where(torch.rand(2, 1, 5, 5, generator=g) < 0.3, -1e9, 0.0).double() if masked else None
    module = nn.Module().eval()

    def ours(q, k, v):
        return attention(module, q, k, v, mask, scaling=0.7, dropout=0.5)

    def formula(q, k, v):
        return eager(q, k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1), mask, 0.7)

    tangents = tuple(torch.randn(value.shape, generator=g, dtype=torch.float64) for value in (q, k, v))
    for moving in subsets([0, 1, 2]):
        chosen = sorted(moving)

        def at(function, *changed, chosen=chosen):
            return function(*(dict(zip(chosen, changed, strict=True)).get(i, a) for i, a in enumerate((q, k, v))))

        primals, directions = (tuple(values[i] for i in chosen) for values in ((q, k, v), tangents))
        found, want = [], []
        for results, function in ((found, partial(at, ours)), (want, partial(at, formula))):
            results += torch.func.jvp(function, primals, directions)
            squares = torch.func.grad(lambda p, f=function: f(*p)[0].sin().sum())(primals)
            results += squares
        torch.testing.assert_close(found, want, rtol=1e-10, atol=1e-10)
    leaves = [value.requires_grad_() for value in (q, k, v)]
    assert torch.autograd.gradcheck(ours, leaves, check_forward_ad=True, check_batched_grad=True)


def text_case(layers=2, hidden=16, length=9, family="bert", skip_frozen=True, rank=1):
    net = text_model(family, layers=layers, hidden=hidden, length=length, rank=rank, dropout=0, skip_frozen=skip_frozen)
    g = torch.Generator().manual_seed(0)
    x = torch.stack([torch.randint(1, 256, (4, length), generator=g), torch.ones(4, length, dtype=torch.int64)], 1)
    x[0, :, length // 2 :] = 0
    params = {name: value + 0.1 * torch.randn(value.shape, generator=g) for name, value in trainable(net).items()}
    return dropout_loss(net, x, torch.tensor([0, 1, 1, 0])), params


def flops(function):
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()


def jvp_flops(loss, params, names):
    directions = perturbation(Key(0), {name: params[name].shape for name in names})
    return flops(lambda: forward_gradient(loss, params, directions))


def test_frozen_weights_cost_no_product():
    """A linear layer with a frozen weight costs two products, stock's three."""
    x, layer = torch.randn(8, 16), nn.Linear(16, 16).requires_grad_(False)
    ratios = {}
    for name, net in (("stock", layer), ("ours", skip_frozen_tangents(nn.Linear(16, 16)))):
        forward = flops(lambda net=net: net(x))
        ratios[name] = flops(lambda net=net: torch.func.jvp(net, (x,), (x,)))
        ratios[name] /= forward
    assert ratios == {"stock": 3, "ours": 2}


def test_a_lora_transformer_of_16_layers_costs_little_more_than_two_forward_passes():
    ratios = []
    for skip_frozen in (True, False):
        loss, params = text_case(layers=16, hidden=64, length=32, skip_frozen=skip_frozen)
        with torch.no_grad():
            forward = flops(lambda loss=loss, params=params: loss(params))
        ratios.append(jvp_flops(loss, params, params) / forward)
    assert ratios[0] < 2.2 and ratios[1] > 2.8


def zero_tangents(loss, params):
    """Return how many all-zero tangents PyTorch makes in a pass; the shape of each is worked out in Python."""
    directions = perturbation(Key(0), {name: value.shape for name, value in params.items()})
    with torch.profiler.profile() as found:
        forward_gradient(loss, params, directions)
    return sum(event.name == "aten::_efficientzerotensor" for event in found.events())


def test_no_layer_makes_an_all_zero_tangent():
    """Only the sum of the embeddings, which have none, with the first layer's output does."""
    counts = {
        (skip, n): zero_tangents(*text_case(layers=n, skip_frozen=skip)) for skip in (True, False) for n in (1, 4)
    }
    assert counts[True, 4] == counts[True, 1] <= 1
    assert counts[False, 4] - counts[False, 1] > 60


def test_layers_below_the_first_perturbed_one_carry_no_tangent():
    loss, params = text_case(layers=8)
    with torch.no_grad():
        forward = flops(lambda: loss(params))
    head = [name for name in params if "classifier" in name]
    last = [name for name in params if "layer.7." in name]
    assert jvp_flops(loss, params, head) < 1.01 * forward
    assert jvp_flops(loss, params, last) < forward * (1 + 1.3 / 8)
    assert jvp_flops(loss, params, params) > 1.9 * forward


@pytest.mark.parametrize("family", ["bert", "distilbert", "albert", "opt", "llama"])
def test_whole_transformers_equal_stock(family):
    found, want = [], []
    for results, skip_frozen in ((found, True), (want, False)):
        loss, params = text_case(family=family, skip_frozen=skip_frozen)
        directions = perturbation(Key(0), {name: value.shape for name, value in params.items()}, count=2)
        for at_once in (False, True):
            result = forward_gradient(loss, params, directions, at_once=at_once)
            results += [result.loss, result.jvps]
        gradients = torch.func.grad(loss)(params)
        results += [gradients[name] for name in params]
        many = {name: torch.stack([value, 1.1 * value]) for name, value in params.items()}
        results.append(torch.func.vmap(loss)(many))
    torch.testing.assert_close(found, want, rtol=2e-4, atol=2e-6)


def test_dropout_draws_the_same_masks_as_stock():
    losses = []
    for skip_frozen in (True, False):
        net = text_model("bert", hidden=16, dropout=0.3, skip_frozen=skip_frozen)
        x = torch.ones(3, 2, 7, dtype=torch.int64)
        loss = dropout_loss(net, x, torch.tensor([0, 1, 0]), mode="shared_mask", seed=5)
        losses.append(loss(trainable(net)))
    torch.testing.assert_close(*losses)


def peak(loss, params, backward):
    def step():
        if backward:
            leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
            torch.autograd.grad(loss(leaves), list(leaves.values()))
        else:
            directions = perturbation(Key(0), {name: value.shape for name, value in params.items()})
            forward_gradient(loss, params, directions)

    step()
    with peak_memory() as found:
        step()
    return found.extra_bytes


def test_memory_is_no_more_than_stock_and_flat_in_depth():
    peaks = {}
    for skip_frozen in (True, False):
        for layers in (2, 6):
            loss, params = text_case(layers=layers, hidden=64, length=64, skip_frozen=skip_frozen)
            for backward in (True, False):
                peaks[skip_frozen, layers, backward] = peak(loss, params, backward)
    for layers in (2, 6):
        assert peaks[True, layers, True] <= 1.01 * peaks[False, layers, True]
        assert peaks[True, layers, False] <= 0.95 * peaks[False, layers, False]
    assert peaks[True, 6, False] < 1.05 * peaks[True, 2, False]
    assert peaks[True, 6, True] > 2 * peaks[True, 2, True]


def test_parameters_are_shared_and_keep_their_names():
    net = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    before = dict(net.named_parameters())
    after = dict(skip_frozen_tangents(net).named_parameters())
    assert list(before) == list(after) and all(before[name] is after[name] for name in before)
    assert type(skip_frozen_tangents(nn.Linear(2, 2))) is not nn.Linear


def test_rms_norm_in_16_bits_is_that_of_transformers():
    from transformers.models.llama.modeling_llama import LlamaRMSNorm as Published

    published = Published(8).to(torch.bfloat16)
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    assert is_rms_norm(published)
    assert torch.equal(RmsNorm(published)(x), published(x))
    tangent = torch.func.jvp(RmsNorm(published), (x,), (x + 1,))[1]
    torch.testing.assert_close(tangent, torch.func.jvp(published, (x,), (x + 1,))[1], rtol=0.05, atol=0.02)
