"""Transformers of a given shape with random weights, in any number format, on any device, for measuring."""

from typing import Any, Literal

import torch
from torch import nn

from lib.spry.four_bit import quantize
from lib.spry.frozen_linear import skip_frozen_tangents
from lib.spry.memory_model import Shape
from lib.spry.text_model import TextModel, finetuned

Weights = Literal["full", "4bit", "4bit kept"]


def build(
    shape: Shape,
    *,
    rank: int = 1,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    weights: Weights = "full",
    skip_frozen: bool = False,
    seed: int = 0,
) -> TextModel:
    """Return a sequence classifier of `shape` with random weights, LoRA on query and value, and no dropout.

    Dropout would add masks to what backpropagation keeps, and nothing that grows with depth to the other methods.

    Args:
        shape: of the network.
        rank: LoRA's r.
        device: where the weights are made.
        dtype: of all weights.
        weights: ``"full"``; ``"4bit"``, frozen linear layers in four bits; or ``"4bit kept"``, the same but autograd
            keeps the dequantized weights.
        skip_frozen: apply `skip_frozen_tangents`, for forward mode. Its layers keep more for the backward pass, so
            backpropagation is measured with the stock layers.
        seed: of the weights; torch's global generators are left as they were.
    """
    devices = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=devices), torch.device(device):
        torch.manual_seed(seed)
        default = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            net = _classifier(shape)
            net = finetuned(net, shape.family, rank=rank, alpha=1, dropout=0.0).to(dtype)
        finally:
            torch.set_default_dtype(default)
    if weights != "full":
        # The head is trained and stays; adapters wrap the frozen layers and keep their own two matrices.
        net = quantize(net, keep_dequantized=weights == "4bit kept")
    return TextModel(skip_frozen_tangents(net) if skip_frozen else net).train()


def _classifier(shape: Shape) -> nn.Module:
    """Return the model of transformers with eager attention, the only kind with forward-mode rules everywhere."""
    import transformers

    family = shape.family
    common: dict[str, Any] = {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_labels": shape.classes,
        "pad_token_id": 0,
        "attn_implementation": "eager",
        "use_cache": False,
    }
    if family in ("bert", "roberta"):
        places = {"max_position_embeddings": shape.positions + (2 if family == "roberta" else 0)}
        rates = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        types = {"type_vocab_size": 1 if family == "roberta" else 2}
        options = {"intermediate_size": shape.inner} | places | rates | types
    else:
        options = {"max_position_embeddings": shape.positions}
        options |= {"bos_token_id": None, "eos_token_id": None, "attention_dropout": 0.0}
        if family == "opt":
            options |= {"ffn_dim": shape.inner, "word_embed_proj_dim": shape.hidden, "dropout": 0.0}
        else:
            options |= {"intermediate_size": shape.inner, "num_key_value_heads": shape.heads}
    name = {"bert": "Bert", "roberta": "Roberta", "opt": "OPT", "llama": "Llama"}[family]
    config = getattr(transformers, f"{name}Config")(**common, **options)
    return getattr(transformers, f"{name}ForSequenceClassification")(config)
