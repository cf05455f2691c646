"""Small transformers: what is trainable, and jvp against backpropagation for every family and method."""

import functools

import pytest
import torch

from lib.federated.model import Model
from lib.spry.forward_gradient import forward_gradient
from lib.spry.perturbations import Key, perturbation
from lib.spry.text_model import LORA, METHODS, dropout_loss, text_model, trainable

PAIRS = [(family, method) for family in LORA for method in METHODS if (family, method) != ("llama", "bitfit")]


def batch(length=9):
    g = torch.Generator().manual_seed(0)
    x = torch.stack([torch.randint(1, 256, (3, length), generator=g), torch.ones(3, length, dtype=torch.int64)], dim=1)
    x[0, :, 6:] = 0
    return x, torch.tensor([0, 1, 1])


def moved(params, seed=1):
    """Return parameters away from their initial values, where half of LoRA's gradients are zero."""
    g = torch.Generator().manual_seed(seed)
    return {name: value + 0.05 * torch.randn(value.shape, generator=g).to(value) for name, value in params.items()}


def compare(net, *, mode, part, rtol):
    """Compare jvps with backpropagation's <grad, v> in all modes, perturbing all tensors or the last `part`."""
    x, y = batch()
    loss = dropout_loss(net, x, y, mode=mode, seed=3)
    params = moved(trainable(net))
    names = list(params)[-part:] if part else list(params)
    directions = perturbation(Key(0), {name: params[name].shape for name in names}, count=2)
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    value = loss(leaves)
    gradients = dict(zip(leaves, torch.autograd.grad(value, list(leaves.values())), strict=True))
    terms = torch.stack([(gradients[name] * directions[name]).flatten(1).sum(dim=1) for name in names])
    scale = torch.stack([gradients[name].norm() for name in names]).norm()  # typical size of a derivative
    for backend, at_once in (("func", False), ("func", True), ("dual", False)):
        found = forward_gradient(loss, params, directions, backend=backend, at_once=at_once)
        torch.testing.assert_close(found.jvps, terms.sum(dim=0).to(found.jvps), rtol=rtol, atol=rtol * scale.item())
        torch.testing.assert_close(found.loss, value.detach())


@pytest.mark.parametrize("mode", ["eval", "shared_mask"])
@pytest.mark.parametrize(("family", "method"), PAIRS)
def test_jvp_equals_backpropagation_to_a_millionth(family, method, mode):
    net = text_model(family, method=method, hidden=16).double()
    compare(net, mode=mode, part=0, rtol=1e-6)
    if mode == "eval":
        compare(net, mode=mode, part=3, rtol=1e-6)


@pytest.mark.parametrize("skip_frozen", [True, False])
@pytest.mark.parametrize("family", LORA)
def test_single_precision_is_close(family, skip_frozen):
    compare(text_model(family, hidden=16, skip_frozen=skip_frozen), mode="eval", part=0, rtol=5e-5)


COUNTS = {  # hidden 16, 2 layers, 2 classes; LoRA: 4 n r a target; heads: 2 d + 2 (OPT, Llama 2 d)
    ("bert", "lora"): 2 * 2 * 32 + 34,
    ("bert", "ia3"): 2 * (16 + 16 + 64) + 34,
    ("bert", "classifier"): 34,
    ("roberta", "lora"): 2 * 2 * 32 + 34 + 272,
    ("distilbert", "lora"): 2 * 2 * 32 + 34 + 272,
    ("distilbert", "ia3"): 2 * (16 + 16 + 64) + 34 + 272,
    ("albert", "lora"): 2 * 32 + 34,  # shared layers
    ("albert", "ia3"): 16 + 16 + 64 + 34,
    ("opt", "lora"): 2 * 2 * 32 + 32,
    ("opt", "ia3"): 2 * (16 + 16 + 64) + 32,
    ("llama", "lora"): 2 * 2 * 32 + 32,
    ("llama", "classifier"): 32,
}


@pytest.mark.parametrize(("family", "method"), COUNTS)
def test_number_of_trainable_parameters_is_the_one_computed_by_hand(family, method):
    params = trainable(text_model(family, method=method, hidden=16))
    assert sum(value.numel() for value in params.values()) == COUNTS[family, method]


def test_bitfit_trains_every_bias_and_no_weight_but_the_head():
    net = text_model("bert", method="bitfit", hidden=16)
    biases = {name for name, _ in net.named_parameters() if name.endswith("bias")}
    assert set(trainable(net)) == biases | {"net.classifier.weight"}
    with pytest.raises(ValueError, match="no biases"):
        text_model("llama", method="bitfit")


@pytest.mark.parametrize("family", LORA)
def test_outputs_are_deterministic_and_padding_does_not_matter(family):
    states = [text_model(family, seed=4, hidden=16).eval() for _ in range(2)]
    x, _ = batch()
    assert torch.equal(states[0](x), states[1](x)) and states[0](x).shape == (3, 2)
    assert not torch.equal(states[0](x), text_model(family, seed=5, hidden=16).eval()(x))
    torch.testing.assert_close(states[0](x[:1]), states[0](x[:1, :, :6]), rtol=1e-4, atol=1e-5)


def test_global_generator_is_left_as_it_was():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    net = text_model("bert", hidden=16)
    for mode in ("eval", "shared_mask", "as_released"):
        dropout_loss(net, *batch(), mode=mode)(trainable(net))
    assert torch.equal(before, torch.get_rng_state())


def test_dropout_modes_repeat_or_renew_their_masks():
    net = text_model("bert", hidden=16, dropout=0.4)
    params = moved(trainable(net))

    def values(mode, seed=0):
        loss = dropout_loss(net, *batch(), mode=mode, seed=seed)
        return [loss(params).item() for _ in range(3)]

    exact, shared, released = (values(mode) for mode in ("eval", "shared_mask", "as_released"))
    assert len(set(exact)) == len(set(shared)) == 1 and len(set(released)) == 3
    assert shared[0] == released[0] and exact[0] != shared[0]
    assert values("as_released") == released and values("shared_mask", seed=1) != shared
    assert values("as_released", seed=1)[0] not in released  # streams of neighbouring seeds do not overlap


@pytest.mark.parametrize("family", LORA)
def test_without_dropout_there_is_no_dropout_layer(family):
    net = text_model(family, dropout=0, hidden=16)
    assert not any(isinstance(module, torch.nn.Dropout) for module in net.modules())
    x, _ = batch()
    assert torch.equal(net.train()(x), net.eval()(x))


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="choose one of bert"):
        text_model("gpt5")
    with pytest.raises(ValueError, match="choose one of lora"):
        text_model("bert", method="full")
    with pytest.raises(ValueError, match="dropout mode"):
        dropout_loss(torch.nn.Linear(1, 1), *batch(), mode="other")


@pytest.mark.parametrize("family", ["bert", "opt"])
def test_redrawn_tensors_follow_the_seed_and_the_backbone_does_not(family):
    model = Model(functools.partial(text_model, family, dropout=0, redraw=True))
    first, again, other = model.init(1), model.init(1), model.init(2)
    drawn = [name for name in first if "lora_A" in name or (name.rpartition(".")[0].endswith(("classifier", "score")))]
    drawn = [name for name in drawn if name.endswith("weight")]
    assert len(drawn) >= 3
    for name in first:
        assert torch.equal(first[name], again[name])
        assert torch.equal(first[name], other[name]) == (name not in drawn)
    nets = [text_model(family, dropout=0, redraw=True) for _ in range(2)]
    frozen = [{n: v for n, v in net.named_parameters() if not v.requires_grad} for net in nets]
    assert frozen[0] and all(torch.equal(frozen[0][name], frozen[1][name]) for name in frozen[0])
