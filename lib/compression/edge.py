"""What a student costs on a small device: parameters, bytes, operations, memory, and latency in ONNX Runtime.

The paper times a whole test set in batches of 200 on one GPU of unnamed model; a deployment sees one image at a time.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from lib.files import write_bytes
from lib.profiling import count_flops, peak_memory
from lib.profiling.interleaved import block_ratios, interleaved
from lib.profiling.onnx_file import export_onnx, onnx_session, onnx_weight_bytes, quantize_onnx
from lib.report.intervals import median_interval

PRECISIONS = ("float32", "int8")


def static_costs(model: nn.Module, example: torch.Tensor) -> dict[str, int]:
    """Return parameters, their bytes, operations and peak activation bytes of one evaluation of `example`.

    ``parameters`` leaves out buffers, as the paper does; ``bytes`` counts them. ``flops`` are those of
    `lib.profiling.count_flops`: normalization, ReLU and pooling count nothing. ``activation_bytes`` is the peak beyond
    weights and input, tensor by tensor.
    """
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            flops = count_flops(model, example).total
            with peak_memory(modules=model, inputs=example) as memory:
                model(example)
    finally:
        model.train(training)
    tensors = [*model.parameters(), *model.buffers()]
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "bytes": sum(t.numel() * t.element_size() for t in tensors),
        "flops": flops,
        "activation_bytes": memory.extra_bytes,
    }


def exported_files(models: Mapping[str, nn.Module], example: torch.Tensor) -> dict[tuple[str, str], bytes]:
    """Return the ONNX file of every model in both precisions, by ``(name, precision)``, for inputs like `example`."""
    files = {}
    for name, model in models.items():
        files[name, "float32"] = export_onnx(model, example)
        files[name, "int8"] = quantize_onnx(files[name, "float32"])
    return files


def edge_profile(
    models: Mapping[str, nn.Module],
    example: torch.Tensor,
    *,
    reference: str,
    blocks: int = 101,
    repeats: int = 20,
    threads: int = 1,
    seed: int = 0,
    images: torch.Tensor | None = None,
    labels: torch.Tensor | None = None,
    folder: Path | None = None,
) -> pd.DataFrame:
    """Profile every model as it would be deployed; one row a model and precision.

    Args:
        models: Trained networks by name, all for inputs like `example`.
        example: One image, shape ``(1, channels, height, width)``; its batch size is what is timed.
        reference: Name of the model whose float32 latency is the unit of ``time_ratio`` (the teacher).
        blocks: Turns in which all files are timed one after the other, as in `lib.profiling.interleaved.interleaved`.
        repeats: Timed calls of each file a block.
        seed: Of the order within the blocks.
        threads: ONNX Runtime's threads inside an operator.
        images: Images to classify with the exported file, shape ``(n, channels, height, width)``.
        labels: Their classes, shape ``(n,)``; without both, ``accuracy`` is NaN.
        folder: Where to keep each file as ``<name>-<precision>.onnx``; nothing is kept without it.

    Returns:
        Columns model, precision, the costs of `static_costs` (in int8 the bytes of the file's own weights, and NaN for
        the activations, which are not measured there), file_bytes, median_ms, p90_ms (wall milliseconds of one
        call, over all blocks), time_ratio with time_low and time_high (median over blocks of the ratio to the
        reference, and its interval), max_abs_difference (to torch's output) and accuracy.

    Raises:
        ValueError: for an unknown reference or images without labels.
        ImportError: when the extra ``edge`` is not installed.
    """
    if reference not in models:
        raise ValueError(f"{reference!r} is not among the models: choose from {', '.join(models)}")
    if (images is None) != (labels is None):
        raise ValueError("images and labels belong together: give both or neither")
    files = exported_files(models, example)
    sessions = {key: onnx_session(content, threads=threads) for key, content in files.items()}
    timed = {"|".join(key): _call(session, example) for key, session in sessions.items()}
    seconds = interleaved(timed, blocks=blocks, repeats=repeats, threads=threads, seed=seed)
    ratios = block_ratios(seconds, f"{reference}|float32")
    rows = []
    for (name, precision), content in files.items():
        key, session = f"{name}|{precision}", sessions[name, precision]
        if folder is not None:
            write_bytes(folder / f"{name}-{precision}.onnx", content)
        costs = static_costs(models[name], example) | {"file_bytes": len(content)}
        if precision != "float32":  # the model that was measured is the one before quantization
            costs |= {"bytes": onnx_weight_bytes(content), "activation_bytes": float("nan")}
        timing = _timing(seconds[key], ratios[key])
        checks = {"max_abs_difference": _difference(session, models[name], example)}
        checks["accuracy"] = float("nan") if images is None else exported_accuracy(session, images, labels)
        rows.append({"model": name, "precision": precision} | costs | timing | checks)
    return pd.DataFrame(rows)


def exported_accuracy(session: object, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of `images` that the session classifies as `labels`, one image a call."""
    slot = session.get_inputs()[0].name
    found = [session.run(None, {slot: image[None]})[0].argmax(axis=1)[0] for image in images.numpy()]
    return float(np.mean(np.asarray(found) == labels.numpy()))


def repeatability(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Compare the ``time_ratio`` of two profiles of the same models; columns model, precision, first, second, change.

    ``change`` is the larger of the two over the smaller, less one.
    """
    both = first.merge(second, on=["model", "precision"], suffixes=("_first", "_second"), validate="one_to_one")
    found = both[["model", "precision"]].assign(first=both["time_ratio_first"], second=both["time_ratio_second"])
    pair = found[["first", "second"]]
    return found.assign(change=pair.max(axis=1) / pair.min(axis=1) - 1)


def _call(session: object, example: torch.Tensor) -> object:
    feed = {session.get_inputs()[0].name: example.numpy()}
    return lambda: session.run(None, feed)


def _timing(seconds: np.ndarray, ratios: np.ndarray) -> dict[str, float]:
    median, p90 = np.quantile(seconds, [0.5, 0.9])
    ratio, low, high = median_interval(ratios)
    timing = {"median_ms": 1e3 * float(median), "p90_ms": 1e3 * float(p90)}
    return timing | {"time_ratio": ratio, "time_low": low, "time_high": high}


def _difference(session: object, model: nn.Module, example: torch.Tensor) -> float:
    training = model.training
    model.eval()
    with torch.no_grad():
        expected = model(example).numpy()
    model.train(training)
    return float(np.abs(_call(session, example)()[0] - expected).max())
