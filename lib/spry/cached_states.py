"""Files with all that the text experiments need of the pretrained encoder, for a machine that does not have it.

``python -m lib.spry.cached_states ag-news sst2`` writes them to the data folder. For the classifier alone: the whitened
vectors it reads. For LoRA in the last layer: what enters this layer, rounded to eight bits a number with a scale a
token, and the layer and the pooler in float16; keys and values are computed again from them. Labels are in both.
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from lib.data.store import data_folder
from lib.federated.types import Tensors

SPARE = 1e-12  # scale of a token whose numbers are all zero


def cache_file(kind: str, name: str, half: int, length: int, components: int, seed: int) -> Path:
    """Return where the file of a `kind` ("states" or "vectors") is kept; its name says what is in it."""
    return data_folder() / "spry" / f"{name}-{kind}-{2 * half}x{length}-{components}-{seed}.pt"


def cached_vectors(name: str, half: int, length: int, components: int, seed: int) -> tuple | None:
    """Return vectors and labels as of `lib.spry.experiments.real.vectors` from their file; None where there is none."""
    file = cache_file("vectors", name, half, length, components, seed)
    return tuple(torch.load(file, map_location="cpu", weights_only=True)) if file.is_file() else None


def cached_states(name: str, half: int, length: int, components: int, seed: int) -> tuple | None:
    """Return what `load_states` reads of the file for these options; None where there is none."""
    file = cache_file("states", name, half, length, components, seed)
    return load_states(file) if file.is_file() else None


def pack(states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `states` ``(N, T, d)`` as int8 and scales ``(N, T, 1)``, at most 1/254 of a token's largest number off."""
    scales = (states.abs().amax(dim=-1, keepdim=True) / 127).clamp(min=SPARE)
    return (states / scales).round().to(torch.int8), scales


def states(name: str, half: int, length: int, components: int, seed: int) -> tuple:
    """Compute what `load_states` returns, exactly, for ``2 half`` texts.

    The principal components that the classifier reads come from the second half, on which nothing is judged.
    """
    from lib.spry.last_layer import frozen_states, principal_components
    from lib.spry.minilm import minilm
    from lib.spry.text_data import CLASSES, text_examples

    net = minilm(classes=CLASSES[name], method="classifier", dropout=0.0, skip_frozen=False).net
    x, y = text_examples(name, length=length, examples=2 * half, seed=seed, tokens="wordpiece")
    found = frozen_states(net, x)
    return net, found, y, *principal_components(net, found[half:], components)


def save_states(name: str, file: Path, *, examples: int, length: int = 16, components: int = 16, seed: int = 0) -> None:
    """Write the file of `states` for `examples` texts of data set `name`, cut to `length` word pieces."""
    net, found, labels, centre, directions = states(name, examples // 2, length, components, seed)
    codes, scales = pack(found[..., : net.config.hidden_size])
    content = {
        "config": net.config.to_dict(),
        "codes": codes,
        "scales": scales,
        "mask": found[..., -1].to(torch.int8),
        "labels": labels,
        "layer": _state(net.bert.encoder.layer[-1]),
        "pooler": _state(net.bert.pooler),
        "centre": centre,
        "components": directions,
        "classes": net.config.num_labels,
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
    """Write the files for the settings of the text experiments."""
    from lib.spry.experiments.real import LENGTHS, vectors

    parser = argparse.ArgumentParser(prog="python -m lib.spry.cached_states", description=main.__doc__)
    parser.add_argument("names", nargs="+", choices=["ag-news", "sst2", "multirc"])
    for name in parser.parse_args(arguments).names:
        options = (name, 30 * 80, LENGTHS[name], 64, 0)  # the defaults of text_problem
        file = cache_file("vectors", *options)
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(vectors(*options), file)
        print(file, flush=True)
        file = cache_file("states", name, 30 * 40, 16, 16, 0)  # those of lora_problem and of `lib.spry.long_run`
        save_states(name, file, examples=2 * 30 * 40)
        print(file, flush=True)


if __name__ == "__main__":
    main()
