"""The policy: for each routed unit of a network, how much an instance uses the local branch. Source: arXiv 2211.15281.

The shape of the networks is that of the authors' code: a perceptron on the raw input with an early exit for each unit.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import nn

from lib.federated.stacked import stacked_call
from lib.federated.types import Tensors


class ExitPolicy(nn.Module):
    """A perceptron whose hidden layer l also decides for unit l; the output layer decides for the last unit.

    Inputs of shape ``(n, ...)`` are flattened; outputs are logits ``(n, units, 2)`` of the global and the local route.
    There is one hidden layer a routed unit but the last, or one if only one unit is routed. No dropout, unlike the
    authors' code: the networks of `lib.federated` draw no random numbers when called.
    """

    def __init__(self, inputs: int, widths: Sequence[int], units: int) -> None:
        super().__init__()
        if len(widths) != max(units - 1, 1):
            raise ValueError(f"{len(widths)} hidden layers for {units} routed units; give {max(units - 1, 1)}")
        sizes = [inputs, *widths]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.exits = nn.ModuleList(nn.Linear(width, 2) for width in [*widths[: units - 1], widths[-1]])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits of one client's instances."""
        h, logits = x.flatten(1), []
        for layer in self.hidden:
            h = torch.relu(layer(h))
            logits.append(h)
        steps = [*logits[: len(self.exits) - 1], logits[-1]]
        return torch.stack([leave(step) for leave, step in zip(self.exits, steps, strict=True)], dim=1)

    def stacked(self, values: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(C, n, units, 2)`` of C policies with stacked `values` on inputs ``(C, n, ...)``."""
        h, steps = x.flatten(2), []
        for place, layer in enumerate(self.hidden):
            h = torch.relu(stacked_call(layer, part(values, f"hidden.{place}."), h))
            steps.append(h)
        steps = [*steps[: len(self.exits) - 1], steps[-1]]
        found = [
            stacked_call(leave, part(values, f"exits.{place}."), step)
            for place, (leave, step) in enumerate(zip(self.exits, steps, strict=True))
        ]
        return torch.stack(found, dim=2)


class ClientPolicy(nn.Module):
    """One pair of logits a unit, the same for every instance of a client: routing by client instead of by instance.

    The authors' code feeds its policy a learned embedding of the client's number; free logits can express as much.
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(units, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits, once for each instance."""
        return self.logits.expand(len(x), -1, -1)

    def stacked(self, values: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(C, n, units, 2)`` of C clients."""
        return values["logits"].unsqueeze(1).expand(-1, x.shape[1], -1, -1)


def part(values: Tensors, prefix: str) -> Tensors:
    """Return the tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
