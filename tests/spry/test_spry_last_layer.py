"""The last layer on stored states equals the whole network: logits, derivatives, and what a seed draws."""

import functools
import re

import pytest
import torch

pytest.importorskip("transformers")
pytest.importorskip("peft")

from lib.federated.model import Model
from lib.spry.forward_gradient import forward_gradient
from lib.spry.last_layer import frozen_states, last_layer, principal_components
from lib.spry.text_model import finetuned, text_model

pytestmark = pytest.mark.filterwarnings("ignore")  # transformers and peft warn about themselves
WIDTH, CLASSES = 32, 3


@pytest.fixture(scope="module")
def net():
    return frozen_net()


def frozen_net():
    options = {"layers": 3, "hidden": WIDTH, "heads": 4, "classes": CLASSES, "dropout": 0.0, "skip_frozen": False}
    return text_model("bert", method="classifier", seed=3, **options).net.eval()


@pytest.fixture(scope="module")
def texts():
    ids = torch.randint(1, 256, (6, 10), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(10) < torch.tensor([10, 7, 2, 10, 5, 9])[:, None]).long()
    return torch.stack([ids * mask, mask], dim=1)


LAYER = "bert.encoder.layer.2."
SCALES = {
    "key_scale": f"{LAYER}attention.self.key.ia3_l.default",
    "value_scale": f"{LAYER}attention.self.value.ia3_l.default",
    "inner_scale": f"{LAYER}output.dense.ia3_l.default",
}


def full_name(name):
    """Return the name in the whole network."""
    return SCALES.get(name, re.sub("^layer[.]", LAYER, name) if "." in name else name).replace("pooler", "bert.pooler")


def whole(texts, values, method="lora"):
    """Return the logits of the whole network finetuned in all layers, its values those of the last one's."""
    net = finetuned(frozen_net(), "bert", method=method, rank=2, alpha=3, dropout=0.0)
    ours = {full_name(name): value for name, value in values.items()}
    assert set(ours) < {name for name, value in net.named_parameters() if value.requires_grad}
    for name, value in net.named_parameters():  # the other layers are as they were: B is zero, scales are one
        if name in ours:
            value.data.copy_(ours[name].reshape(value.shape))
    return net(input_ids=texts[:, 0], attention_mask=texts[:, 1]).logits, net, ours


def perturbed(model):
    generator = torch.Generator().manual_seed(1)
    return {n: v + 0.3 * torch.randn(v.shape, generator=generator) for n, v in model.init(0).items()}


@pytest.mark.parametrize("method", ["lora", "ia3", "bitfit"])
def test_logits_and_derivatives_equal_those_of_the_whole_network(net, texts, method):
    options = {"method": method, "rank": 2, "alpha": 3}
    model = Model(functools.partial(last_layer, net, torch.zeros(WIDTH), torch.eye(WIDTH), **options))
    states, values = frozen_states(net, texts, block=4), perturbed(model)
    logits, full, ours = whole(texts, values, method)
    torch.testing.assert_close(model(values, states), logits, atol=1e-5, rtol=1e-5)
    # The derivative along one direction, by forward mode here and by backpropagation there.
    y, generator = torch.tensor([0, 1, 2, 0, 1, 2]), torch.Generator().manual_seed(2)
    v = {name: torch.randn(1, *value.shape, generator=generator) for name, value in values.items()}
    found = forward_gradient(lambda p: model.loss(model(p, states), y).mean(), values, v)
    torch.nn.functional.cross_entropy(logits, y).backward()
    names = zip(ours, v, strict=True)
    exact = sum((dict(full.named_parameters())[name].grad.flatten() @ v[short].flatten()) for name, short in names)
    assert float(found.jvps) == pytest.approx(float(exact), rel=1e-4)


def test_only_the_adapters_and_the_head_are_trained(net):
    model = Model(functools.partial(last_layer, net, torch.zeros(WIDTH), torch.eye(WIDTH)[:, :5]))
    sizes = {name: value.numel() for name, value in model.init(0).items()}
    assert sum(sizes.values()) == 4 * WIDTH + CLASSES * 5 + CLASSES and len(sizes) == 6
    assert model.has_frozen and not model.buffer_names
    first, second, again = (model.init(seed) for seed in (0, 1, 0))
    assert torch.equal(first["classifier.weight"], again["classifier.weight"])
    drawn = [name for name in first if "lora_A" in name] + ["classifier.weight"]
    assert not any(torch.equal(first[name], second[name]) for name in drawn)


@pytest.mark.parametrize(
    ("method", "adapted"), [("ia3", 2 * WIDTH + 4 * WIDTH), ("bitfit", (3 + 1 + 1 + 4 + 1 + 1 + 1) * WIDTH)]
)
def test_scales_and_biases_are_trained_with_the_head_at_the_end(net, method, adapted):
    """IA3: keys, values, inner layer. BitFit: query, key, value, output, norm, inner, output, norm, pooler."""
    model = Model(functools.partial(last_layer, net, torch.zeros(WIDTH), torch.eye(WIDTH)[:, :5], method=method))
    sizes = {name: value.numel() for name, value in model.init(0).items()}
    assert sum(sizes.values()) == adapted + CLASSES * 5 + CLASSES and not model.buffer_names
    assert list(sizes)[-2:] == ["classifier.weight", "classifier.bias"]  # what classifier_share takes


def test_stored_states_leave_the_network_alone_and_hide_padding(net, texts):
    before = net(input_ids=texts[:, 0], attention_mask=texts[:, 1]).logits
    states = frozen_states(net, texts)
    assert torch.equal(net(input_ids=texts[:, 0], attention_mask=texts[:, 1]).logits, before)
    assert states.shape == (6, 10, 3 * WIDTH + 1) and torch.equal(states[..., -1].long(), texts[:, 1])
    model = Model(functools.partial(last_layer, net, torch.zeros(WIDTH), torch.eye(WIDTH)))
    values, other = model.init(0), states.clone()
    other[2, 2:, :-1] = 99.0
    torch.testing.assert_close(model(values, other), model(values, states))


def test_principal_components_are_white(net, texts):
    states = frozen_states(net, texts.repeat(4, 1, 1))
    centre, components = principal_components(net, states, 3)
    top = last_layer(net, centre, components)
    with torch.no_grad():
        scores = (top.pooled(states) - centre) @ components
    torch.testing.assert_close(scores.mean(dim=0), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(scores.T @ scores / len(scores), torch.eye(3) / 3, atol=1e-3, rtol=0)
