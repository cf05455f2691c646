"""What a server accepts from a client."""

import math
from collections.abc import Mapping
from typing import Any

import torch

from lib.federated.history import COLUMNS
from lib.federated.types import Algorithm, Instruction, Tensors, Update

SCALARS = (int, float, bool, str)
RESERVED = set(COLUMNS) - {"examples"}  # what the server notes of a client is not the client's to say


class ClientError(RuntimeError):
    """A client failed and the run was told to stop then (``on_failure="raise"``)."""


class MalformedUpdate(ValueError):
    """What a client would send is not an update that the server can use; an engine may find out before it is sent."""


def update_problem(
    update: Update | None, reference: Tensors | None = None, *, exact: bool = False
) -> tuple[str, str] | None:
    """Return status and message of what is wrong with `update`, or None when the server can use it.

    Args:
        update: what came back; None when nothing did.
        reference: tensors of which one of the same name must have the same shape and type.
        exact: whether the names must be those of `reference` too, none missing and none more.

    The status is ``"missing"`` (no answer), ``"malformed"`` (not tensors and scalars, no usable ``examples``, other
    names, shapes or types) or ``"not finite"``.
    """
    if update is None:
        return "missing", "the client did not answer"
    message = _form_problem(update) or _tensors_problem(update.tensors, reference or {}, exact)
    if message:
        return "malformed", message
    for name, value in update.tensors.items():
        if not _finite(value):
            return "not finite", f"tensor {name!r} holds NaN or infinity; lower the learning rate"
    for name, value in update.scalars.items():
        if isinstance(value, float) and not math.isfinite(value):
            return "not finite", f"scalar {name!r} is {value}; lower the learning rate"
    return None


def expectation(algorithm: Algorithm, instruction: Instruction, known: Tensors | None = None) -> dict[str, Any]:
    """Return the arguments with which `update_problem` checks the answer to `instruction`.

    An algorithm that has ``expected_update`` says what must come back; of any other, only tensors that are named like
    a tensor of `known`, the server's, can be checked.
    """
    if hasattr(algorithm, "expected_update"):
        return {"reference": algorithm.expected_update(instruction), "exact": True}
    return {"reference": known}


def _form_problem(update: Any) -> str | None:
    if not isinstance(update, Update):
        return f"the client sent a {type(update).__name__}; an Update was expected"
    for part in ("tensors", "scalars"):
        content = getattr(update, part)
        if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
            return f"{part} is no dict by name"
    for name, value in update.tensors.items():
        if not isinstance(value, torch.Tensor):
            return f"tensor {name!r} is a {type(value).__name__}; a tensor was expected"
    for name, value in update.scalars.items():
        if name in RESERVED:
            return f"scalar {name!r} has the name of a column of the server's table; choose another"
        if type(value) not in SCALARS:
            return f"scalar {name!r} is a {type(value).__name__}; send int, float, bool or str"
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            return f"scalar {name!r} does not fit in 64 bits"
    examples = update.scalars.get("examples")
    if type(examples) not in (int, float) or not math.isfinite(examples) or examples <= 0:
        return f"scalars['examples'] is {examples!r}; a positive number of examples was expected"
    return None


def _tensors_problem(tensors: Tensors, reference: Tensors, exact: bool) -> str | None:
    for name, value in tensors.items():
        expected = reference.get(name, None if exact else value)
        if expected is None:
            return f"tensor {name!r} was not expected"
        if value.shape != expected.shape:
            return f"tensor {name!r} has shape {tuple(value.shape)}; {tuple(expected.shape)} was expected"
        if value.dtype != expected.dtype:
            return f"tensor {name!r} has type {value.dtype}; {expected.dtype} was expected"
    missing = [name for name in reference if exact and name not in tensors]
    return f"tensor {missing[0]!r} is missing" if missing else None


def _finite(value: torch.Tensor) -> bool:
    # A finite sum has finite terms, which settles the usual case fast. Large finite terms may overflow, hence the rest.
    return math.isfinite(abs(value.sum().item())) or bool(torch.isfinite(value).all())
