"""Peak memory of one finetuning step: backprop, checkpointed backprop, forward mode, zero-order.

``python -m lib.spry.memory`` writes a table; with ``--device cuda`` at the paper's shapes, with random weights, since
memory does not depend on their values. Needs torch, transformers and peft.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
from torch import nn
from torch.func import functional_call

from lib.profiling import peak_memory
from lib.spry.forward_gradient import forward_gradient
from lib.spry.four_bit import quantize
from lib.spry.frozen_linear import skip_frozen_tangents
from lib.spry.memory_model import METHODS, PAPER_SHAPES, Shape, predicted
from lib.spry.text_model import TextModel, finetuned, trainable

Weights = Literal["full", "4bit", "4bit kept"]
SMALL = Shape(family="bert", layers=4, hidden=128, heads=4, inner=512)


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


def step_function(
    net: TextModel, method: str, x: torch.Tensor, y: torch.Tensor, *, seed: int = 0
) -> tuple[Callable[[], None], torch.optim.Optimizer | None]:
    """Return one finetuning step of `net` by `method`, and its optimizer (AdamW; none for the zero-order method)."""
    values = trainable(net)
    params = [p for p in net.parameters() if p.requires_grad]
    if method == "zero-order":
        return lambda: _zero_order_step(net, params, x, y, seed), None
    optimizer = torch.optim.AdamW(params, lr=1e-4)

    def backward() -> None:
        nn.functional.cross_entropy(net(x).float(), y).backward()
        optimizer.step()
        optimizer.zero_grad()

    def forward() -> None:
        generator = torch.Generator(x.device).manual_seed(seed)
        options = {"generator": generator, "device": x.device}
        v = {name: torch.randn(1, *value.shape, dtype=value.dtype, **options) for name, value in values.items()}
        found = forward_gradient(
            lambda p: nn.functional.cross_entropy(functional_call(net, p, (x,)).float(), y), values, v, backend="dual"
        )
        for parameter, gradient in zip(params, found.gradient.values(), strict=True):
            parameter.grad = gradient
        optimizer.step()
        optimizer.zero_grad()

    if method == "checkpointed backprop":
        # The name changed in transformers 5.
        enable = getattr(net.net, "activation_checkpointing_enable", None) or net.net.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    return (forward if method == "forward mode" else backward), optimizer


@torch.no_grad()
def _zero_order_step(
    net: nn.Module, params: list[nn.Parameter], x: torch.Tensor, y: torch.Tensor, seed: int, step: float = 1e-3
) -> None:
    """Take MeZO's step (arXiv 2305.17333): two passes, the direction drawn again from its seed at every use."""

    def move(scale: float) -> None:
        generator = torch.Generator(x.device).manual_seed(seed)
        for p in params:
            p.add_(torch.randn(p.shape, generator=generator, device=p.device, dtype=p.dtype), alpha=scale)

    move(step)
    above = nn.functional.cross_entropy(net(x).float(), y)
    move(-2 * step)
    below = nn.functional.cross_entropy(net(x).float(), y)
    move(step)
    move(-1e-6 * float(above - below) / (2 * step))


def measure(
    shape: Shape,
    method: str,
    *,
    batch: int = 4,
    length: int = 32,
    rank: int = 1,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    weights: Weights = "full",
    seed: int = 0,
) -> pd.DataFrame:
    """Measure one step, after one that does not count, and predict it.

    Returns:
        One row a category: method, layers, category, measured and predicted (bytes at the peak of the whole).
    """
    net = build(
        shape, rank=rank, device=device, dtype=dtype, weights=weights, skip_frozen=method == "forward mode", seed=seed
    )
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, shape.vocabulary, (batch, length), generator=generator)
    x = torch.stack([ids, torch.ones_like(ids)], dim=1).to(device)
    y = torch.randint(shape.classes, (batch,), generator=generator).to(device)
    step, optimizer = step_function(net, method, x, y, seed=seed)
    step()
    with peak_memory(device, modules=net, optimizer=optimizer, inputs=(x, y)) as found:
        step()
    numbers = predicted(
        shape,
        method,
        batch=batch,
        length=length,
        rank=rank,
        bytes_per_number=dtype.itemsize,
        bits_per_weight=None if weights == "full" else 4 + 8 * dtype.itemsize / 64,
        kept=weights == "4bit kept",
    )
    rows = [
        [method, shape.layers, name, count, numbers.get(name, 0.0)] for name, count in found.result.by_category.items()
    ]
    return pd.DataFrame(rows, columns=["method", "layers", "category", "measured", "predicted"])


def main(arguments: list[str] | None = None) -> None:
    """Measure the methods at some shapes and write (or print) the table."""
    parser = argparse.ArgumentParser(prog="python -m lib.spry.memory", description=main.__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--shapes", nargs="+", default=None, help=f"small, or {', '.join(PAPER_SHAPES)}")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--weights", nargs="+", default=["full"], choices=["full", "4bit", "4bit kept"])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--rank", type=int, default=1)
    parser.add_argument("--out", type=Path, default=None, help="a csv file; without it the table is printed")
    options = parser.parse_args(arguments)
    known = {"small": SMALL} | PAPER_SHAPES
    names = options.shapes or (list(PAPER_SHAPES) if options.device.startswith("cuda") else ["small"])
    if unknown := [name for name in names if name not in known]:
        parser.error(f"unknown shape {unknown[0]!r}: choose from {', '.join(known)}")
    dtype = torch.bfloat16 if options.device.startswith("cuda") else torch.float32
    tables = []
    for name in names:
        for weights in options.weights:
            for method in options.methods:
                plan = {"batch": options.batch, "length": options.length, "rank": options.rank, "dtype": dtype}
                try:
                    table = measure(known[name], method, device=options.device, weights=weights, **plan)
                except torch.OutOfMemoryError:  # the bar is then missing, the others are not
                    table = pd.DataFrame([[method, known[name].layers, "out of memory"]]).set_axis(
                        ["method", "layers", "category"], axis=1
                    )
                tables.append(table.assign(shape=name, weights=weights, dtype=str(dtype).removeprefix("torch.")))
                if options.device.startswith("cuda"):
                    torch.cuda.empty_cache()
    table = pd.concat(tables, ignore_index=True)
    if options.out is None:
        print(table.to_string())
    else:
        table.to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
