"""Small layers of several models at once: every weight has a leading axis of models.

The models are tiny and many (seeds times settings); one batched product for all of them costs a fraction of as many
separate ones. Model r of a stack computes exactly what it would alone, which the tests check.
"""

import math

import torch
from torch import Tensor, nn


def uniform(models: int, *shape: int, bound: float, generators: list[torch.Generator]) -> nn.Parameter:
    """Return a parameter of shape ``(models, *shape)``, model r uniform in +-`bound` from its own generator."""
    drawn = [torch.rand(shape, generator=generator) for generator in generators]
    return nn.Parameter((torch.stack(drawn) * 2 - 1) * bound)


class Linear(nn.Module):
    """Affine maps, ``(models, n, inputs) -> (models, n, outputs)``, initialised like `torch.nn.Linear`."""

    def __init__(self, inputs: int, outputs: int, generators: list[torch.Generator]):
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = uniform(len(generators), inputs, outputs, bound=bound, generators=generators)
        self.bias = uniform(len(generators), 1, outputs, bound=bound, generators=generators)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x W + b``."""
        return torch.baddbmm(self.bias, x, self.weight)


class Perceptron(nn.Module):
    """One hidden layer with rectifiers, ``(models, n, inputs) -> (models, n, outputs)``."""

    def __init__(self, inputs: int, hidden: int, outputs: int, generators: list[torch.Generator]):
        super().__init__()
        self.first = Linear(inputs, hidden, generators)
        self.last = Linear(hidden, outputs, generators)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs before any squashing."""
        return self.last(torch.relu(self.first(x)))


class Recurrent(nn.Module):
    """Gated recurrent units over padded sequences (the equations of `torch.nn.GRU`), in one or both directions."""

    def __init__(self, inputs: int, hidden: int, generators: list[torch.Generator], *, both: bool = False):
        super().__init__()
        self.hidden, bound = hidden, 1 / math.sqrt(hidden)
        self.names = ("ahead", "back") if both else ("ahead",)
        for name in self.names:
            for part, rows in (("input", inputs), ("state", hidden)):
                weight = uniform(len(generators), rows, 3 * hidden, bound=bound, generators=generators)
                bias = uniform(len(generators), 1, 3 * hidden, bound=bound, generators=generators)
                self.register_parameter(f"{name}_{part}_weight", weight)
                self.register_parameter(f"{name}_{part}_bias", bias)

    @property
    def outputs(self) -> int:
        """Width of the output."""
        return self.hidden * len(self.names)

    def gates(self, x: Tensor) -> list[Tensor]:
        """Return the inputs' part of the gates, ``(models, n, 3 hidden)``, for each direction."""
        return [
            torch.baddbmm(getattr(self, f"{name}_input_bias"), x, getattr(self, f"{name}_input_weight"))
            for name in self.names
        ]

    def run(self, gates: list[Tensor], mask: Tensor) -> Tensor:
        """Return the states, ``(models, n, steps, outputs)``, from `gates` of shape ``(models, n, steps, 3 hidden)``.

        `mask` of shape ``(models, n, steps)`` is 1 where there is an input; the state passes padding unchanged.
        """
        return torch.cat([self._one(name, part, mask) for name, part in zip(self.names, gates, strict=True)], dim=-1)

    def _one(self, name: str, gates: Tensor, mask: Tensor) -> Tensor:
        weight, bias = getattr(self, f"{name}_state_weight"), getattr(self, f"{name}_state_bias")
        steps = range(gates.shape[2]) if name == "ahead" else range(gates.shape[2] - 1, -1, -1)
        state, h = gates.new_zeros(*gates.shape[:2], self.hidden), self.hidden
        states = {}
        for step in steps:
            ours, theirs = gates[:, :, step], torch.baddbmm(bias, state, weight)
            reset, keep = torch.sigmoid(ours[..., : 2 * h] + theirs[..., : 2 * h]).split(h, dim=-1)
            new = torch.tanh(ours[..., 2 * h :] + reset * theirs[..., 2 * h :])
            moved = new + keep * (state - new)
            state = torch.where(mask[:, :, step, None], moved, state)
            states[step] = state
        return torch.stack([states[step] for step in range(gates.shape[2])], dim=2)


class Attention(nn.Module):
    """Weighted mean of states: ``softmax(tanh(W h + b) . q)`` over the steps that the mask allows."""

    def __init__(self, inputs: int, generators: list[torch.Generator]):
        super().__init__()
        self.project = Linear(inputs, inputs, generators)
        self.query = uniform(len(generators), inputs, 1, bound=1 / math.sqrt(inputs), generators=generators)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return ``(models, n, inputs)`` from states ``(models, n, steps, inputs)``; zero where no step is allowed."""
        models, n, steps, inputs = states.shape
        flat = torch.tanh(self.project(states.reshape(models, n * steps, inputs)))
        scores = torch.bmm(flat, self.query).view(models, n, steps).masked_fill(~mask, -1e9)
        weights = torch.softmax(scores, dim=-1) * mask  # the product matters only where no step is allowed
        return (weights[..., None] * states).sum(dim=2)
