"""Latency of an exported model in ONNX Runtime, the way it would run on a small device."""

import tempfile
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib.profiling.latency import latency

_MISSING = "edge latency needs onnx, onnxscript and onnxruntime, which are optional: pip install 'scarce[edge]'"


@dataclass(frozen=True)
class EdgeLatency:
    """Wall seconds of one inference in ONNX Runtime, size of the exported file, distance of its output from torch's."""

    median_s: float
    p90_s: float
    min_s: float
    repeats: int
    threads: int
    file_bytes: int
    max_abs_difference: float

    def row(self) -> dict[str, Any]:
        """Return the fields as one table row."""
        return asdict(self)


def edge_latency(model: Any, example: Any, *, warmup: int = 5, repeats: int = 50, threads: int = 1) -> EdgeLatency:
    """Export `model` to ONNX and time one inference on `example` in ONNX Runtime on the CPU.

    `model` is a ``torch.nn.Module`` with one tensor as output, exported in evaluation mode (its mode is restored);
    `example` a tensor or tuple of tensors, the positional arguments with the batch size to time. `threads` is ONNX
    Runtime's number of threads inside an operator. The outputs of both runtimes are compared; weights count in
    `file_bytes`.

    Raises ``ImportError`` with the extra to install when onnx, onnxscript or onnxruntime is missing.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(_MISSING) from error
    import torch

    example = example if isinstance(example, tuple) else (example,)
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            expected = model(*example)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.onnx")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the exporter warns about its own future
                torch.onnx.export(model, example, str(path), dynamo=True, external_data=False, verbose=False)
            file_bytes, content = path.stat().st_size, path.read_bytes()
    finally:
        model.train(training)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    feed = {slot.name: tensor.numpy() for slot, tensor in zip(session.get_inputs(), example, strict=True)}
    difference = np.abs(session.run(None, feed)[0] - expected.numpy()).max()
    timing = latency(lambda: session.run(None, feed), warmup=warmup, repeats=repeats, threads=threads)
    return EdgeLatency(**asdict(timing), file_bytes=file_bytes, max_abs_difference=float(difference))
