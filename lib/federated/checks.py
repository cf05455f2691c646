"""What a server accepts from a client."""

import math

import torch

from lib.federated.types import Tensors, Update


class ClientError(RuntimeError):
    """A client failed and the run was told to stop then (``on_failure="raise"``)."""


def update_problem(update: Update | None, reference: Tensors | None = None) -> tuple[str, str] | None:
    """Return status and message of what is wrong with `update`, or None when the server can use it.

    Args:
        update: what came back; None when nothing did.
        reference: the server's tensors; a tensor of the same name must have the same shape.

    The status is ``"missing"`` (no answer), ``"malformed"`` (no usable ``examples``, wrong shape) or ``"not finite"``.
    """
    if update is None:
        return "missing", "the client did not answer"
    examples = update.scalars.get("examples")
    if not isinstance(examples, int | float) or not math.isfinite(examples) or examples <= 0:
        return "malformed", f"scalars['examples'] is {examples!r}; a positive number of examples was expected"
    for name, value in update.tensors.items():
        expected = (reference or {}).get(name, value).shape
        if value.shape != expected:
            return "malformed", f"tensor {name!r} has shape {tuple(value.shape)}; {tuple(expected)} was expected"
        if not _finite(value):
            return "not finite", f"tensor {name!r} holds NaN or infinity; lower the learning rate"
    for name, value in update.scalars.items():
        if isinstance(value, float) and not math.isfinite(value):
            return "not finite", f"scalar {name!r} is {value}; lower the learning rate"
    return None


def _finite(value: torch.Tensor) -> bool:
    # A finite sum has finite terms, which settles the usual case fast. Large finite terms may overflow, hence the rest.
    return math.isfinite(value.sum().item()) or bool(torch.isfinite(value).all())
