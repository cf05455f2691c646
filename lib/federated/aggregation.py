"""From the updates of a round to one average."""

from collections.abc import Callable
from typing import Literal

import torch

from lib.federated.types import Tensors, Update

Rule = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def client_weights(updates: dict[int, Update], weight_by: Literal["examples", "uniform"]) -> torch.Tensor:
    """Return each update's share of the average, ``(C,)`` float64 in ascending order of the client, summing to one."""
    if weight_by not in ("examples", "uniform"):
        raise ValueError(f"no weights by {weight_by!r}: choose 'examples' or 'uniform'")
    counts = [updates[c].scalars["examples"] if weight_by == "examples" else 1 for c in sorted(updates)]
    shares = torch.tensor(counts, dtype=torch.float64)
    return shares / shares.sum()


def weighted_mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean ``(d,)`` of `values` ``(C, d)``."""
    return weights @ values


def combine(updates: dict[int, Update], weights: torch.Tensor, rule: Rule = weighted_mean) -> Tensors:
    """Return the tensors that `rule` makes of the updates' tensors.

    Args:
        updates: updates with tensors of equal names and shapes; they are combined in ascending order of the client.
        weights: shares of the clients in that order, shape ``(C,)``.
        rule: maps ``(C, d)`` values and weights to ``(d,)``. The weighted mean acts on each tensor apart, which saves
            memory; any other rule sees a client's tensors as one vector, as rules based on distances must.
    """
    tensors = [updates[client].tensors for client in sorted(updates)]
    shapes = {name: value.shape for name, value in tensors[0].items()}
    if rule is weighted_mean:
        columns = {name: torch.stack([client[name].flatten() for client in tensors]) for name in shapes}
        flat = {name: rule(values, weights.to(values)) for name, values in columns.items()}
    else:
        sizes = [shape.numel() for shape in shapes.values()]
        rows = torch.stack([torch.cat([client[name].flatten() for name in shapes]) for client in tensors])
        flat = dict(zip(shapes, rule(rows, weights.to(rows)).split(sizes), strict=True))
    return {name: value.reshape(shapes[name]) for name, value in flat.items()}
