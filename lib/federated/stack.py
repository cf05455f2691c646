"""Named tensors of several clients as one: a leading client axis."""

from collections.abc import Iterable, Sequence

import torch

from lib.federated.types import Tensors


def stack(clients: Sequence[Tensors]) -> Tensors:
    """Return the tensors of C clients as tensors of shape ``(C, ...)``.

    Clients that share one tensor (the server sent the same object to all) get an expanded view of it, which costs no
    memory; write to a clone only.
    """
    first = clients[0]
    return {name: _stacked([client[name] for client in clients]) for name in first}


def unstack(tensors: Tensors, clients: int) -> list[Tensors]:
    """Return the tensors of each of the `clients` clients, as views."""
    rows = {name: value.unbind() for name, value in tensors.items()}
    return [{name: values[c] for name, values in rows.items()} for c in range(clients)]


def select(tensors: Tensors, names: Iterable[str]) -> Tensors:
    """Return the tensors called `names`, in that order."""
    return {name: tensors[name] for name in names}


def owned(tensors: Tensors) -> Tensors:
    """Return copies that own their memory, for what outlives the stack it was computed in."""
    return {name: value.detach().clone() for name, value in tensors.items()}


def per_client(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return one number a client, shape ``(C,)``, shaped to multiply a stacked tensor ``(C, ...)``."""
    return values.reshape(-1, *[1] * (like.dim() - 1))


def _stacked(values: list[torch.Tensor]) -> torch.Tensor:
    if all(value is values[0] for value in values):
        return values[0].expand(len(values), *values[0].shape)
    return torch.stack(values)
