"""Finetuning the last layer of an encoder, on stored outputs of everything frozen, so that many methods fit on a CPU.

With LoRA on query and value of the last layer alone, what enters this layer, its keys, and its values but for LoRA's
part never change: every text passes the frozen weights once. IA3 scales the stored keys and values, BitFit shifts them.
The head reads the first token, so the rest of the layer is computed for that token alone. All is exact: logits and
derivatives equal those of the whole network.
"""

import copy

import torch
from torch import nn

from lib.spry.frozen_linear import skip_frozen_tangents
from lib.spry.text_model import draw_head, finetuned


class LastLayer(nn.Module):
    """The last layer of a BERT, its pooler and a classifier, called with what `frozen_states` returned.

    The classifier reads a few principal components of the pooled vector, constants of the frozen network, all of one
    size. As it is the pooled vector's mean is three quarters of its length, with which no gradient method copes well,
    and the number of trained weights sets the error of forward gradients.
    """

    def __init__(self, net: nn.Module, centre: torch.Tensor, components: torch.Tensor, method: str = "lora"):
        super().__init__()
        self.method = method
        self.heads = net.config.num_attention_heads
        self.layer = copy.deepcopy(net.bert.encoder.layer[-1])
        self.pooler = copy.deepcopy(net.bert.pooler)
        self.classifier = nn.Linear(components.shape[1], net.config.num_labels)
        # Constants of every process, not state: they are not trained and do not travel.
        self.register_buffer("centre", centre.clone(), persistent=False)
        self.register_buffer("components", components.clone(), persistent=False)
        own = self.layer.attention.self
        if method == "bitfit":  # the biases in the stored keys and values
            for name, bias in {"key_bias": own.key.bias, "value_bias": own.value.bias}.items():
                self.register_buffer(name, bias.detach().clone(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(N, classes)`` of `x` ``(N, T, 3 hidden + 1)``: inputs, keys, values, and 1 for tokens."""
        return self.classifier((self.pooled(x) - self.centre) @ self.components)

    def pooled(self, x: torch.Tensor) -> torch.Tensor:
        """Return the pooled vector ``(N, hidden)`` of the first token."""
        hidden, keys, values = x[..., :-1].chunk(3, dim=-1)
        own, first = self.layer.attention.self, hidden[:, 0]
        if self.method == "ia3":
            keys, values = keys * self.key_scale, values * self.value_scale
        elif self.method == "bitfit":
            keys, values = keys + (own.key.bias - self.key_bias), values + (own.value.bias - self.value_bias)
        query = own.query(first) * own.scaling
        # Products number by number: with one query a text, matrix products would first have to move all keys.
        scores = self._by_head(keys * query[:, None]).sum(dim=-1)
        chances = torch.softmax(scores.masked_fill(x[..., -1:] == 0, torch.finfo(x.dtype).min), dim=1)
        mixed = (self._by_head(values) * chances[..., None]).sum(dim=1)
        if self.method == "lora":
            mixed = mixed + self._adapted(own.value, chances, hidden)
        attended = self.layer.attention.output(mixed.flatten(1), first)
        inner = self.layer.intermediate(attended)
        inner = inner * self.inner_scale if self.method == "ia3" else inner
        return self.pooler(self.layer.output(inner, attended)[:, None])

    def _adapted(self, value: nn.Module, chances: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Return LoRA's part ``(N, heads, hidden / heads)`` of the values mixed with `chances` ``(N, T, heads)``."""
        down, up = value.lora_A["default"].weight, value.lora_B["default"].weight
        seen = chances.transpose(1, 2) @ (hidden @ down.T)
        return value.scaling["default"] * torch.einsum("nhr,hdr->nhd", seen, up.unflatten(0, (self.heads, -1)))

    def _by_head(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors.unflatten(-1, (self.heads, -1))


def last_layer(
    net: nn.Module,
    centre: torch.Tensor,
    components: torch.Tensor,
    *,
    method: str = "lora",
    rank: int = 1,
    alpha: float = 1,
) -> nn.Module:
    """Return the `LastLayer` of `net` with the tensors of `method` and a new head, all else frozen, without dropout.

    LoRA's matrices and the head come from torch's generator as it stands, so that ``Model.init(seed)`` gives others for
    every seed on the same frozen weights.

    Args:
        net: a ``BertForSequenceClassification`` without dropout or adapters; left as it is.
        centre: mean of the pooled vector, ``(hidden,)``, see `principal_components`.
        components: what the centred vector is multiplied by, ``(hidden, k)``.
        method: ``"lora"`` on query and value, ``"ia3"`` (scales of keys, values and the inner layer's outputs) or
            ``"bitfit"`` (all biases, the pooler's too).
        rank: LoRA's r.
        alpha: LoRA's scale; the update is multiplied by ``alpha / rank``.
    """
    top = LastLayer(net, centre, components, method)
    draw_head(top)
    # IA3's scales are added here: peft knows its places by names that the layer has in a whole network.
    of_peft = "classifier" if method == "ia3" else method
    top = finetuned(top, "bert", method=of_peft, rank=rank, alpha=alpha, dropout=0.0)
    if method == "ia3":
        width, inner = net.config.hidden_size, net.config.intermediate_size
        for name, size in {"key_scale": width, "value_scale": width, "inner_scale": inner}.items():
            top.register_parameter(name, nn.Parameter(torch.ones(size)))
    return skip_frozen_tangents(top)


@torch.no_grad()
def frozen_states(net: nn.Module, x: torch.Tensor, *, block: int = 64) -> torch.Tensor:
    """Return ``(N, T, 3 hidden + 1)``: inputs, keys and values of the last layer of `net`, and the mask.

    Args:
        net: as for `last_layer`.
        x: ``(N, 2, T)`` token ids and masks.
        block: texts a pass.
    """
    encoder, own = net.bert.encoder, net.bert.encoder.layer[-1].attention.self
    found = torch.empty(len(x), x.shape[2], 3 * net.config.hidden_size + 1)
    net.eval()
    last = encoder.layer[-1]
    encoder.layer[-1] = _Through()
    try:
        for rows, out in zip(x.split(block), found.split(block), strict=True):
            hidden = net.bert(rows[:, 0], attention_mask=rows[:, 1]).last_hidden_state
            parts = (hidden, own.key(hidden), own.value(hidden), rows[:, 1:].transpose(1, 2).to(hidden))
            torch.cat(parts, dim=-1, out=out)
    finally:
        encoder.layer[-1] = last
    return found


class _Through(nn.Module):
    def forward(self, hidden: torch.Tensor, *_, **__) -> torch.Tensor:
        return hidden


@torch.no_grad()
def principal_components(
    net: nn.Module, states: torch.Tensor, count: int, *, block: int = 256
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean ``(hidden,)`` and components ``(hidden, count)`` of the frozen network's pooled vector over `states`.

    The components are scaled so that the `count` numbers have equal variance and a mean squared length of one.
    """
    width = net.config.hidden_size
    pooled = frozen_pooled(net, states, torch.zeros(width), torch.eye(width), block=block)
    centre = pooled.mean(dim=0)
    _, lengths, directions = torch.linalg.svd(pooled - centre, full_matrices=False)
    return centre, directions[:count].T * (len(pooled) / count) ** 0.5 / lengths[:count]


@torch.no_grad()
def frozen_pooled(
    net: nn.Module, states: torch.Tensor, centre: torch.Tensor, components: torch.Tensor, *, block: int = 256
) -> torch.Tensor:
    """Return what the classifier reads ``(N, k)`` of `states` while the last layer is as it was pretrained."""
    top = last_layer(net, centre, components)  # LoRA changes nothing while its B is zero
    return torch.cat([(top.pooled(rows) - centre) @ components for rows in states.split(block)])


class Classifier(nn.Module):
    """The classifier of `LastLayer` alone, drawn in the same way, called with what `frozen_pooled` returned."""

    def __init__(self, components: int, classes: int):
        super().__init__()
        self.classifier = nn.Linear(components, classes)
        draw_head(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(N, classes)`` of `x` ``(N, k)``."""
        return self.classifier(x)
