"""Transformers with random weights and few trainable tensors, small enough to check everything on a CPU.

Families and finetuning methods are those of Spry's experiments (arXiv 2405.15551, released scripts): LoRA on query and
value, IA3, BitFit, or the classification head alone. The head is always trained, the backbone never.
"""

import re
from typing import Literal

import torch
from torch import nn
from torch.func import functional_call

from lib.federated.types import Tensors
from lib.spry.forward_gradient import Loss
from lib.spry.frozen_linear import skip_frozen_tangents

DropoutMode = Literal["eval", "shared_mask", "as_released"]
METHODS = ("lora", "ia3", "bitfit", "classifier")
PADDING = 0  # token id of padding, in every family

# Names in transformers' modules: LoRA's targets, IA3's scaled outputs and scaled inputs, and the head.
LORA = {
    "bert": ("query", "value"),
    "roberta": ("query", "value"),
    "distilbert": ("q_lin", "v_lin"),
    "albert": ("query", "value"),
    "opt": ("q_proj", "v_proj"),
    "llama": ("q_proj", "v_proj"),
}
IA3 = {
    "bert": (r"key|value", r"\d+\.output\.dense"),
    "roberta": (r"key|value", r"\d+\.output\.dense"),
    "distilbert": (r"k_lin|v_lin", r"ffn\.lin2"),
    "albert": (r"key|value", r"ffn_output"),
    "opt": (r"k_proj|v_proj", r"fc2"),
    "llama": (r"k_proj|v_proj", r"down_proj"),
}
HEADS = ("classifier", "pre_classifier", "score")


class TextModel(nn.Module):
    """A sequence classifier of transformers, called with one tensor of token ids and masks."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(N, classes)`` of `x` ``(N, 2, T)`` int64: token ids, and 1 for tokens or 0 for padding."""
        return self.net(input_ids=x[:, 0], attention_mask=x[:, 1]).logits


def text_model(
    family: str,
    *,
    layers: int = 2,
    hidden: int = 32,
    heads: int = 2,
    vocabulary: int = 256,
    length: int = 32,
    classes: int = 2,
    method: str = "lora",
    rank: int = 1,
    alpha: float = 1,
    dropout: float = 0.1,
    seed: int = 0,
    redraw: bool = False,
    skip_frozen: bool = True,
) -> TextModel:
    """Return a transformer with random weights; the same arguments give the same weights unless `redraw` is set.

    Args:
        family: ``"bert"``, ``"roberta"``, ``"distilbert"``, ``"albert"``, ``"opt"`` or ``"llama"``.
        layers: number of transformer layers (ALBERT's share one set of weights).
        hidden: width; the feed-forward layers are four times as wide.
        heads: attention heads, a divisor of `hidden`.
        vocabulary: number of token ids; id 0 is padding.
        length: longest sequence, in tokens.
        classes: number of classes.
        method: ``"lora"``, ``"ia3"``, ``"bitfit"`` (all biases) or ``"classifier"`` (the head alone).
        rank: LoRA's r.
        alpha: LoRA's scale; the update is multiplied by ``alpha / rank``.
        dropout: rate everywhere, LoRA included; at 0 there is no dropout module at all.
        seed: of the random weights. Torch's global generator is left as it was.
        redraw: draw the trainable tensors from torch's generator as it stands, so that `Model.init(seed)` gives other
            ones for every seed on the same backbone.
        skip_frozen: apply `skip_frozen_tangents`; the values are the same either way.

    Raises ValueError for an unknown family or method, or for BitFit on Llama, which has no biases.
    """
    if family not in LORA:
        raise ValueError(f"unknown family {family!r}: choose one of {', '.join(LORA)}")
    own = int(torch.randint(2**31, ())) if redraw else None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = _backbone(family, layers, hidden, heads, vocabulary, length, classes, dropout)
        if own is not None:
            torch.manual_seed(own)
            draw_head(net)
        net = finetuned(net, family, method=method, rank=rank, alpha=alpha, dropout=dropout)
    if dropout == 0:
        remove_dropout(net)
    return TextModel(skip_frozen_tangents(net) if skip_frozen else net)


def draw_head(net: nn.Module) -> None:
    """Draw the linear layers of the head anew from torch's generator, as transformers does: normal weights, no bias."""
    for name, part in net.named_children():
        for layer in part.modules() if name in HEADS else ():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.02)  # initializer_range of every family here
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


def finetuned(
    net: nn.Module, family: str, *, method: str = "lora", rank: int = 1, alpha: float = 1, dropout: float = 0.1
) -> nn.Module:
    """Return `net`, a sequence classifier of transformers, with only the tensors of `method` and the head trainable.

    The tensors that LoRA and IA3 add are inside the modules of `net`; their values come from torch's global generator.
    """
    import peft

    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}: choose one of {', '.join(METHODS)}")
    net.requires_grad_(False)
    if method == "lora":
        config = peft.LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(LORA[family]))
        peft.inject_adapter_in_model(config, net)
    elif method == "ia3":
        outputs, inputs = IA3[family]
        config = peft.IA3Config(
            target_modules=rf".*\.({outputs}|{inputs})", feedforward_modules=rf".*\.({inputs})", task_type="SEQ_CLS"
        )
        peft.inject_adapter_in_model(config, net)
    elif method == "bitfit":
        biases = [value for name, value in net.named_parameters() if re.search(r"(^|\.)bias$", name)]
        if not biases:
            raise ValueError(f"{family} has no biases for BitFit to train: use method='lora', 'ia3' or 'classifier'")
        for bias in biases:
            bias.requires_grad_(True)
    for name, part in net.named_children():
        if name in HEADS:
            part.requires_grad_(True)
    return net


def trainable(net: nn.Module) -> Tensors:
    """Return the trainable parameters of `net`, by name, detached; the others are the frozen backbone."""
    return {name: value.detach() for name, value in net.named_parameters() if value.requires_grad}


def dropout_loss(
    net: nn.Module, x: torch.Tensor, y: torch.Tensor, *, mode: DropoutMode = "eval", seed: int = 0
) -> Loss:
    """Return the mean cross-entropy of `net` on a minibatch as a function of (some of) its parameters.

    Args:
        net: a network from inputs to logits, such as `TextModel`; its train or eval mode is set at every call.
        x: inputs.
        y: ``(N,)`` labels.
        mode: ``"eval"``, without dropout; ``"shared_mask"``, the same masks at every call, so that differences of two
            calls are differences of one function; or ``"as_released"``, new masks at every call, as in the released
            code of the finite-difference methods.
        seed: of the masks. Torch's global generators are left as they were.
    """
    if mode not in ("eval", "shared_mask", "as_released"):
        raise ValueError(f"dropout mode is {mode!r}: choose 'eval', 'shared_mask' or 'as_released'")
    devices = [x.device] if x.device.type == "cuda" else []
    calls = 0

    def loss(params: Tensors) -> torch.Tensor:
        nonlocal calls
        if net.training != (mode != "eval"):
            net.train(mode != "eval")
        with torch.random.fork_rng(devices=devices, enabled=mode != "eval"):
            if mode != "eval":
                torch.manual_seed((seed * 1_000_003 + calls * (mode == "as_released")) % 2**63)
            calls += 1
            return nn.functional.cross_entropy(functional_call(net, params, (x,)), y)

    return loss


def _backbone(
    family: str, layers: int, hidden: int, heads: int, vocabulary: int, length: int, classes: int, dropout: float
) -> nn.Module:
    """Return a sequence classifier of transformers with random weights.

    Attention is eager: the fused kernels have no forward-mode rule (on the CPU ALBERT, OPT and Llama fail with them,
    and the others without dropout).
    """
    import transformers

    common = {"vocab_size": vocabulary, "num_labels": classes, "pad_token_id": PADDING, "attn_implementation": "eager"}
    ends = {"bos_token_id": None, "eos_token_id": None, "use_cache": False}
    shape = {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads}
    inner = {"intermediate_size": 4 * hidden}
    rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    rates["classifier_dropout_prob" if family == "albert" else "classifier_dropout"] = dropout
    # RoBERTa counts positions from the padding id plus one.
    places = {"max_position_embeddings": length + (2 if family == "roberta" else 0)}
    options = {
        "bert": shape | inner | rates,
        "roberta": shape | inner | rates,
        "albert": shape | inner | rates | {"embedding_size": max(8, hidden // 4)},
        "distilbert": {"dim": hidden, "n_layers": layers, "n_heads": heads, "hidden_dim": 4 * hidden}
        | {"dropout": dropout, "attention_dropout": dropout, "seq_classif_dropout": dropout},
        "opt": shape
        | ends
        | {"ffn_dim": 4 * hidden, "word_embed_proj_dim": hidden, "attention_dropout": dropout}
        | {"dropout": dropout},
        "llama": shape | inner | ends | {"num_key_value_heads": heads, "attention_dropout": dropout},
    }[family]
    name = {"opt": "OPT", "bert": "Bert", "roberta": "Roberta", "distilbert": "DistilBert"}.get(family, family.title())
    config = getattr(transformers, f"{name}Config")(**common, **places, **options)
    return getattr(transformers, f"{name}ForSequenceClassification")(config)


class _NoDropout(nn.Identity):
    p = 0.0  # the attention layers of the BERT family read their dropout layer's rate


def remove_dropout(net: nn.Module) -> None:
    """Replace every dropout layer of `net` by the identity."""
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, _NoDropout())
