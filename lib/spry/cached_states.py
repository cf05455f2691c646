"""One file with all that training LoRA in an encoder's last layer needs, for a machine without the encoder.

``python -m lib.spry.cached_states ag-news FILE`` writes it: what enters the last layer, rounded to eight bits a number
with a scale a token, labels, the last layer and the pooler in float16. Keys and values are computed again from them.
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from lib.federated.types import Tensors

SPARE = 1e-12  # scale of a token whose numbers are all zero


def pack(states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `states` ``(N, T, d)`` as int8 and scales ``(N, T, 1)`` float16-rounded, at most 1/254 of a token off."""
    scales = (states.abs().amax(dim=-1, keepdim=True) / 127).clamp(min=SPARE)
    return (states / scales).round().to(torch.int8), scales


def save_states(name: str, file: Path, *, examples: int, length: int = 16, components: int = 16, seed: int = 0) -> None:
    """Write the file for `examples` texts of data set `name`, cut to `length` word pieces.

    The principal components that the classifier reads come from the second half, on which nothing is judged.
    """
    from lib.spry.last_layer import frozen_states, principal_components
    from lib.spry.minilm import minilm
    from lib.spry.text_data import CLASSES, text_examples

    net = minilm(classes=CLASSES[name], method="classifier", dropout=0.0, skip_frozen=False).net
    x, y = text_examples(name, length=length, examples=examples, seed=seed, tokens="wordpiece")
    states = frozen_states(net, x)
    hidden = net.config.hidden_size
    codes, scales = pack(states[..., :hidden])
    centre, directions = principal_components(net, states[examples // 2 :], components)
    content = {
        "name": name,
        "config": net.config.to_dict(),
        "codes": codes,
        "scales": scales,
        "mask": states[..., -1].to(torch.int8),
        "labels": y,
        "layer": _state(net.bert.encoder.layer[-1]),
        "pooler": _state(net.bert.pooler),
        "centre": centre,
        "components": directions,
        "classes": CLASSES[name],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, file)


def _state(module: torch.nn.Module) -> Tensors:
    return {name: value.detach().half() for name, value in module.state_dict().items()}


def load_states(file: Path) -> tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what `save_states` wrote: a BERT of one layer, states as of `frozen_states`, labels, centre, components.

    The embeddings of the network are random and of no use; its layer and pooler are the encoder's.
    """
    import transformers

    content = torch.load(file, map_location="cpu", weights_only=True)
    sizes = ("hidden_size", "num_attention_heads", "intermediate_size", "hidden_act", "layer_norm_eps")
    plan = {name: content["config"][name] for name in sizes}
    config = transformers.BertConfig(
        **plan, num_hidden_layers=1, vocab_size=8, num_labels=content["classes"], hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0, attn_implementation="eager",
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        net = transformers.BertForSequenceClassification(config)
    net.bert.encoder.layer[0].load_state_dict(content["layer"])
    net.bert.pooler.load_state_dict(content["pooler"])
    with torch.no_grad():
        hidden, own = content["codes"] * content["scales"], net.bert.encoder.layer[0].attention.self
        mask = content["mask"][..., None].to(hidden)
        states = torch.cat([hidden, own.key(hidden), own.value(hidden), mask], dim=-1)
    return net, states, content["labels"], content["centre"], content["components"]


def main(arguments: list[str] | None = None) -> None:
    """Write the file of states."""
    parser = argparse.ArgumentParser(prog="python -m lib.spry.cached_states", description=main.__doc__)
    parser.add_argument("name", choices=["ag-news", "sst2", "multirc"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--examples", type=int, default=2400)
    parser.add_argument("--length", type=int, default=16)
    options = parser.parse_args(arguments)
    save_states(options.name, options.file, examples=options.examples, length=options.length)


if __name__ == "__main__":
    main()
