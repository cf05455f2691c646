"""ONNX files as bytes: export of a torch module, dynamic int8 quantization, a session, atomic writing."""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_MISSING = "exporting needs onnx, onnxscript and onnxruntime, which are optional: pip install 'scarce[edge]'"


def export_onnx(model: Any, example: Any) -> bytes:
    """Return `model`, a ``torch.nn.Module`` with one output, as the content of one ONNX file, weights included.

    It is exported in evaluation mode (its mode is restored) for inputs of the shape of `example`, a tensor or a tuple
    of the positional ones. The exporter notes in each node which source line it came from; that is left out, so the
    size is that of graph and weights.

    Raises ``ImportError`` with the extra to install when onnx, onnxscript or onnxruntime is missing.
    """
    onnx = _onnx()
    import torch

    example = example if isinstance(example, tuple) else (example,)
    training = model.training
    model.eval()
    try:
        with tempfile.TemporaryDirectory() as folder, _quiet():
            path = Path(folder, "model.onnx")
            torch.onnx.export(model, example, str(path), dynamo=True, external_data=False, verbose=False)
            return _without_origin(onnx.load(str(path))).SerializeToString()
    finally:
        model.train(training)


def quantize_onnx(content: bytes) -> bytes:
    """Return the ONNX file `content` with int8 weights and activations quantized at run time (dynamic quantization).

    Convolutions and matrix products get weights of one byte and one scale a tensor; ranges of activations are found
    at each inference, so no calibration data is needed.
    """
    onnx = _onnx()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder, _quiet():
        source, path = Path(folder, "model.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(content)
        quantize_dynamic(str(source), str(path), weight_type=QuantType.QUInt8)  # convolutions need unsigned weights
        return _without_origin(onnx.load(str(path))).SerializeToString()


def onnx_session(content: bytes, *, threads: int = 1) -> Any:
    """Return an ONNX Runtime session of `content` on the CPU with `threads` threads inside an operator."""
    _onnx()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def onnx_weight_bytes(content: bytes) -> int:
    """Return the bytes of all constant tensors of the ONNX file `content`, in the precision that they have there."""
    onnx = _onnx()
    return sum(onnx.numpy_helper.to_array(tensor).nbytes for tensor in onnx.load_from_string(content).graph.initializer)


def _onnx() -> Any:
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(_MISSING) from error
    return onnx


def _without_origin(model: Any) -> Any:
    """Drop from an ONNX model what names the source lines it was exported from."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence exporter and quantizer, which warn about packages that are not used and about their own future."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
