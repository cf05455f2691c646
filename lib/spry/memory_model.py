"""What a finetuning step needs, predicted from shapes alone: weights, trained numbers, and the largest moment.

The unit of what flows through a network is one hidden vector a token, ``batch * length * hidden`` numbers. In this unit
the feed-forward layer is ``f = inner / hidden`` wide and the attention scores of a layer are ``s = heads * length /
hidden`` large, a causal mask is ``m = length / hidden`` and the rotary tables of Llama ``c = 2 / (heads * batch)``. A
step's peak is the largest of a few moments (inside the feed-forward layer, inside attention, at the residual), each a
whole number of such tensors, counted from the operations of transformers' eager layers without dropout. Parameters,
directions and optimizer states are counts.
"""

from dataclasses import dataclass

METHODS = ("backprop", "checkpointed backprop", "forward mode", "zero-order")
STOCK = "forward mode, PyTorch's layers"  # without `lib.spry.frozen_linear.skip_frozen_tangents`
TRANSIENT = "activations_and_transients"  # a category of `lib.profiling`


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The shape of a transformer with a classification head; `inner` is the width of the feed-forward layers."""

    family: str
    layers: int
    hidden: int
    heads: int
    inner: int
    vocabulary: int = 256
    positions: int = 512
    classes: int = 2

    def __post_init__(self) -> None:
        if self.family not in ("bert", "roberta", "opt", "llama"):
            raise ValueError(f"no memory model for {self.family!r}: choose 'bert', 'roberta', 'opt' or 'llama'")
        if self.hidden % self.heads:
            raise ValueError(f"{self.heads} heads do not divide the width {self.hidden}: change one of them")


# The shapes of the paper's memory figure, from the models' public configurations.
PAPER_SHAPES = {
    "RoBERTa-large": Shape(
        family="roberta", layers=24, hidden=1024, heads=16, inner=4096, vocabulary=50265, positions=512
    ),
    "Llama2-7B": Shape(family="llama", layers=32, hidden=4096, heads=32, inner=11008, vocabulary=32000, positions=4096),
    "OPT-6.7B": Shape(family="opt", layers=32, hidden=4096, heads=32, inner=16384, vocabulary=50272, positions=2048),
    "OPT-13B": Shape(family="opt", layers=40, hidden=5120, heads=40, inner=20480, vocabulary=50272, positions=2048),
}


@dataclass(frozen=True)
class Counts:
    """Numbers of parameters: all frozen ones, those of frozen linear layers among them, and the trained ones."""

    frozen: int
    linear: int
    trained: int


def parameter_counts(shape: Shape, *, rank: int = 1) -> Counts:
    """Return the exact parameter counts of `shape` with LoRA of `rank` on query and value, and a trained head."""
    h, f, c = shape.hidden, shape.inner, shape.classes
    adapters = shape.layers * 2 * 2 * rank * h
    if shape.family == "llama":  # no biases; gate, up and down; RMS norms
        linear = shape.layers * (4 * h * h + 3 * h * f)
        frozen = linear + (2 * shape.layers + 1) * h + shape.vocabulary * h
        return Counts(frozen, linear, adapters + h * c)
    linear = shape.layers * (4 * h * h + 2 * h * f)
    frozen = linear + shape.layers * (4 * h + h + f + 4 * h) + shape.vocabulary * h  # with biases and two layer norms
    if shape.family == "opt":  # two positions are reserved; a norm at the end
        return Counts(frozen + (shape.positions + 2) * h + 2 * h, linear, adapters + h * c)
    # Positions, token types, norm of the embeddings; RoBERTa reserves two positions and has one token type.
    roberta = shape.family == "roberta"
    frozen += (shape.positions + (2 if roberta else 0)) * h + (1 if roberta else 2) * h + 2 * h
    dense = h * h + h
    return Counts(
        frozen + (0 if roberta else dense),
        linear + (0 if roberta else h * h),
        adapters + h * c + c + (dense if roberta else 0),
    )


def saved_by_layer(shape: Shape, length: int, *, rank: int = 1, half: bool = False) -> float:
    """Return what backpropagation keeps of one layer, in hidden vectors a token.

    Frozen weights need no gradient, so inputs of frozen linear layers are not kept. BERT and OPT keep query, key,
    value, two normalized inputs, LoRA's input (6), the activation's input (f) and the softmax (s); Llama keeps gate,
    its activation and the up projection (3 f). Twice `rank` numbers a token are LoRA's, up to 4 the norms'. In half
    precision OPT and Llama keep a float32 softmax beside its copy (2 s), and Llama float32 inputs of two norms (2).
    """
    f, s = shape.inner / shape.hidden, shape.heads * length / shape.hidden
    small = (2 * rank + (2 if shape.family == "llama" else 4)) / shape.hidden
    wide = {"opt": 2 * s, "llama": 2 * s + 2}.get(shape.family, 0) if half else 0
    return 6 + (3 * f if shape.family == "llama" else f) + s + small + wide


def transient_vectors(
    shape: Shape, method: str, *, batch: int, length: int, rank: int = 1, half: bool = False
) -> float:
    """Return the largest sum of tensors that flow through the network at one time, in hidden vectors a token.

    Each tuple lists the moments that can be the largest: residual, feed-forward layer, attention. `method` is one of
    `METHODS`; forward mode is with `skip_frozen_tangents`. Holds for f of 2 and more.

    Raises ValueError for an unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}: choose one of {', '.join(METHODS)}")
    f, s = shape.inner / shape.hidden, shape.heads * length / shape.hidden
    family = "bert" if shape.family == "roberta" else shape.family
    layer = saved_by_layer(shape, length, rank=rank, half=half)
    wide = layer - saved_by_layer(shape, length, rank=rank)
    # What is alive in all of the network: the causal mask and the rotary tables.
    rotary = 2 / (shape.heads * batch) if family == "llama" else 0
    alive = rotary + (0 if family == "bert" else length / shape.hidden)
    if method == "backprop":
        moments = {
            "bert": (f + 2, 2 * f - 1, 2 * s - 2 - f),
            "opt": (2 * f - 1, 2 * s - 2 - f),
            "llama": (3 * f - 1, 2 * s - 2 - 3 * f),
        }
        # The mask is gone when the backward pass begins.
        return shape.layers * layer + max(moments[family]) + rotary
    if method == "checkpointed backprop":  # all layers' inputs, one layer recomputed
        moments = {
            "bert": (11 + 2 * f + s, 7 + 3 * f + s, 6 + 3 * s),
            "opt": (7 + 3 * f + s, 6 + 3 * s),
            "llama": (6 + 6 * f + s, 5 + 3 * s),
        }
        return shape.layers + max(moments[family]) + wide + alive
    if method == "forward mode":  # values and tangents
        moments = {
            "bert": (16 + 2 * s, 12 + 2 * f + 2 * s, 5 + 4 * f + 2 * s, 13 + 3 * s),
            "opt": (17 + 2 * s, 6 + 4 * f + 2 * s, 16 + 3 * s),
            "llama": (7 + 8 * f + 2 * s, 15 + 3 * s),
        }
        return max(moments[family]) + alive
    moments = {
        "bert": (6 + f + s, 3 + 2 * f + s, 5 + 2 * s),
        "opt": (9 + s, 4 + 2 * f + s, 7 + 2 * s),
        "llama": (4 + 3 * f + s, 6 + 2 * s),
    }
    return max(moments[family]) + alive


def predicted(
    shape: Shape,
    method: str,
    *,
    batch: int,
    length: int,
    rank: int = 1,
    bytes_per_number: int = 4,
    bits_per_weight: float | None = None,
    kept: bool = False,
) -> dict[str, float]:
    """Return the bytes at the peak of one finetuning step by category, the categories of `lib.profiling`.

    Adam's two moments belong to all methods but the zero-order one, whose directions are drawn again from a seed. At
    the peak of backpropagation only the head's gradients exist; forward mode holds one direction.

    Args:
        shape: of the network.
        method: one of `METHODS`.
        batch: sequences in the minibatch.
        length: tokens in a sequence.
        rank: LoRA's r.
        bytes_per_number: 4 for float32, 2 for bfloat16 (where the float32 softmax inside a moment is neglected).
        bits_per_weight: of the frozen linear layers if they are quantized, scales included. The largest weight is
            then dequantized beside the activations, which is rough: it may not coincide with their largest moment.
        kept: whether backpropagation keeps dequantized weights until its backward pass (a layer's if checkpointed).

    Returns:
        Bytes by category: parameters, gradients, optimizer_state, inputs, activations_and_transients.
    """
    counts, b = parameter_counts(shape, rank=rank), bytes_per_number
    vectors = transient_vectors(shape, method, batch=batch, length=length, rank=rank, half=b == 2)
    transients = vectors * batch * length * shape.hidden * b
    weights = (counts.frozen + counts.trained) * b
    if bits_per_weight is not None:
        weights += counts.linear * (bits_per_weight / 8 - b)
        largest = max(shape.inner, shape.hidden) * shape.hidden * b
        held = {"backprop": counts.linear, "checkpointed backprop": counts.linear / shape.layers} if kept else {}
        transients += held[method] * b if method in held else largest
    if method == "forward mode":
        transients += counts.trained * b
    backward = method in METHODS[:2]
    head = counts.trained - shape.layers * 4 * rank * shape.hidden
    return {
        "parameters": weights,
        "gradients": head * b if backward else 0,
        "optimizer_state": 2 * counts.trained * b if method != "zero-order" else 0,
        "inputs": 8 * batch * (2 * length + 1),
        "activations_and_transients": transients,
    }
