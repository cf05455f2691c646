"""Layers of several models against torch's own and against themselves alone; encoders and padding."""

import pytest
import torch

from lib.segmentation.encoder import FlatRecurrent, HierarchicalAttention, Widths
from lib.segmentation.generator import generate
from lib.segmentation.layers import Attention, Linear, Perceptron, Recurrent
from lib.segmentation.networks import Networks, repeat, represent, stacked


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@pytest.mark.parametrize("both", [False, True])
def test_recurrence_is_that_of_torch(both):
    torch.manual_seed(0)
    layer = Recurrent(5, 4, generators(1), both=both)
    peer = torch.nn.GRU(5, 4, batch_first=True, bidirectional=both)
    with torch.no_grad():
        for name, suffix in (("ahead", "_l0"), ("back", "_l0_reverse"))[: 1 + both]:
            for part, theirs in (("input", "ih"), ("state", "hh")):
                getattr(peer, f"weight_{theirs}{suffix}").copy_(getattr(layer, f"{name}_{part}_weight")[0].T)
                getattr(peer, f"bias_{theirs}{suffix}").copy_(getattr(layer, f"{name}_{part}_bias")[0, 0])
    lengths = torch.tensor([6, 3, 1])
    x = torch.randn(3, 6, 5)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
    wanted, _ = torch.nn.utils.rnn.pad_packed_sequence(peer(packed)[0], batch_first=True)
    mask = torch.arange(6) < lengths[:, None]
    gates = [part.view(1, 3, 6, -1) for part in layer.gates(x.reshape(1, 18, 5))]
    found = layer.run(gates, mask[None])[0]
    assert torch.allclose(found * mask[..., None], wanted, atol=1e-6)


def test_attention_by_hand():
    layer = Attention(3, generators(2))
    states, mask = torch.randn(1, 2, 4, 3), torch.tensor([[[True, True, False, True], [False] * 4]])
    found = layer(states, mask)[0]
    u = torch.tanh(states[0, 0] @ layer.project.weight[0] + layer.project.bias[0])
    score = (u @ layer.query[0])[:, 0][mask[0, 0]]
    wanted = torch.softmax(score, 0) @ states[0, 0][mask[0, 0]]
    assert torch.allclose(found[0], wanted, atol=1e-6) and (found[1] == 0).all()


@pytest.mark.parametrize("encoder", [HierarchicalAttention, FlatRecurrent])
def test_a_model_in_a_stack_computes_what_it_does_alone(encoder):
    users = generate(n=20, seed=1)
    pages = torch.from_numpy(users.pages)
    both = encoder(users.n_pages, Widths(4, 3, 5), generators(1, 2))(pages.expand(2, -1, -1, -1))
    for place, seed in enumerate((1, 2)):
        alone = encoder(users.n_pages, Widths(4, 3, 5), generators(seed))(pages[None])
        assert torch.allclose(both[place], alone[0], atol=1e-6)


@pytest.mark.parametrize(
    ("encoder", "widths"),
    [
        (HierarchicalAttention, Widths(4, 3, 5)),
        (HierarchicalAttention, Widths(4, 3, 5, bidirectional=True)),
        (FlatRecurrent, Widths(4, 3, 5)),
    ],
)
def test_padding_changes_nothing(encoder, widths):
    users = generate(n=30, seed=2)
    pages = torch.from_numpy(users.pages)
    wider = torch.zeros(30, 5, 9, dtype=pages.dtype)
    wider[:, :3, :6] = pages
    model = encoder(users.n_pages, widths, generators(3))
    assert torch.allclose(model(pages[None]), model(wider[None]), atol=1e-6)


def test_a_user_without_pages_gets_zero_and_a_finite_gradient():
    model = HierarchicalAttention(4, Widths(4, 3, 5), generators(1))
    pages = torch.tensor([[[[0, 0], [0, 0]], [[1, 2], [0, 0]]]])
    z = model(pages)
    assert (z[0, 0] == 0).all() and (z[0, 1] != 0).all()
    z.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_order_of_pages_matters_and_representations_are_bounded():
    model = HierarchicalAttention(4, Widths(4, 3, 5), generators(1))
    z = model(torch.tensor([[[[1, 2, 3]], [[3, 2, 1]]]]))
    assert not torch.allclose(z[0, 0], z[0, 1]) and (z.abs() < 1).all()


def test_linear_and_perceptron_by_hand():
    layer, deep = Linear(3, 2, generators(1, 2)), Perceptron(3, 4, 2, generators(1, 2))
    x = torch.randn(2, 5, 3)
    for r in range(2):
        assert torch.allclose(layer(x)[r], x[r] @ layer.weight[r] + layer.bias[r], atol=1e-6)
        hidden = torch.relu(x[r] @ deep.first.weight[r] + deep.first.bias[r])
        assert torch.allclose(deep(x)[r], hidden @ deep.last.weight[r] + deep.last.bias[r], atol=1e-6)


def test_repeated_networks_are_equal_and_independent():
    users = generate(n=10, seed=1)
    networks = Networks(users, [1, 2], segments=4, widths=Widths(4, 3, 5))
    wide = repeat(networks, 3)
    pages, _, _ = stacked([users, users])
    z, zs = represent(networks, pages), represent(wide, pages.repeat_interleave(3, dim=0))
    assert torch.allclose(zs, z.repeat_interleave(3, dim=0), atol=1e-6)
    with torch.no_grad():
        wide.encoder.embedding[0] += 1
    assert not torch.allclose(represent(wide, pages.repeat_interleave(3, dim=0))[0], z[0])
    assert torch.allclose(represent(networks, pages), z)


def test_networks_refuse():
    users = generate(n=4, seed=1)
    with pytest.raises(ValueError, match="attention"):
        Networks(users, [1], segments=4, widths=Widths(), encoder="transformer")
    with pytest.raises(ValueError, match="at least 2"):
        Networks(users, [1], segments=1, widths=Widths())
    with pytest.raises(ValueError, match="one size"):
        stacked([users, generate(n=5, seed=1)])
