"""Named tensors as one vector and back."""

import torch

from lib.federated.types import Tensors


def flat(tensors: Tensors, like: Tensors | None = None) -> torch.Tensor:
    """Return the named tensors as one vector ``(d,)``, in the order of `like` (None: their own)."""
    return torch.cat([tensors[name].flatten() for name in like or tensors])


def unflat(vector: torch.Tensor, like: Tensors) -> Tensors:
    """Return the parts of `vector` ``(d,)`` under the names and shapes of `like`."""
    parts = vector.split([value.numel() for value in like.values()])
    return {name: part.reshape(value.shape) for (name, value), part in zip(like.items(), parts, strict=True)}
