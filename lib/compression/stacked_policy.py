"""The removal policy of many seeds at once: a bidirectional LSTM over the layers, parameters stacked over seeds."""

from __future__ import annotations

import torch

Parameters = dict[str, torch.Tensor]


def stacked_policy(
    seeds: int, *, inputs: int = 7, hidden: int = 30, layers: int = 2, generator: torch.Generator
) -> Parameters:
    """Return fresh parameters of `seeds` policies, uniform in ``±1/sqrt(fan)`` as torch initializes an LSTM.

    ``ih<l>`` has shape ``(seeds, 2, 4 hidden, inputs of layer l)``, ``hh<l>`` ``(seeds, 2, 4 hidden, hidden)``,
    ``bias<l>`` ``(seeds, 2, 4 hidden)`` (the sum of torch's two), the 2 being the directions; gates in torch's order
    (input, forget, cell, output). ``weight`` ``(seeds, 2, 2 hidden)`` and ``shift`` ``(seeds, 2)`` make the two logits.
    """

    def drawn(*shape: int, bound: float) -> torch.Tensor:
        return (2 * torch.rand(seeds, *shape, generator=generator) - 1) * bound

    found, bound = {}, hidden**-0.5
    for layer in range(layers):
        width = inputs if layer == 0 else 2 * hidden
        found[f"ih{layer}"] = drawn(2, 4 * hidden, width, bound=bound)
        found[f"hh{layer}"] = drawn(2, 4 * hidden, hidden, bound=bound)
        found[f"bias{layer}"] = drawn(2, 4 * hidden, bound=bound) + drawn(2, 4 * hidden, bound=bound)
    found["weight"] = drawn(2, 2 * hidden, bound=(2 * hidden) ** -0.5)
    found["shift"] = drawn(2, bound=(2 * hidden) ** -0.5)
    return found


def keep_logits(parameters: Parameters, features: torch.Tensor) -> torch.Tensor:
    """Return the log odds of keeping each layer, shape ``(seeds, places)``, for `features` ``(places, inputs)``.

    The odds are between the two outcomes of the softmax, so the probability of keeping is the sigmoid of the result.
    Features are scaled as `lib.compression.policy.Policy` scales them, and equal weights give its numbers.
    """
    seeds = parameters["shift"].shape[0]
    below = (features / features.abs().amax(0).clamp(min=1)).expand(seeds, -1, -1)
    layer = 0
    while f"ih{layer}" in parameters:
        below = _both_directions(below, *(parameters[f"{name}{layer}"] for name in ("ih", "hh", "bias")))
        layer += 1
    logits = torch.baddbmm(parameters["shift"][:, None], below, parameters["weight"].transpose(1, 2))
    return logits[..., 1] - logits[..., 0]


def _both_directions(below: torch.Tensor, ih: torch.Tensor, hh: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Return the outputs ``(seeds, places, 2 hidden)`` of one layer on `below` ``(seeds, places, width)``."""
    seeds, places, hidden = *below.shape[:2], hh.shape[-1]
    entering = torch.einsum("slw,sdgw->dlsg", below, ih) + bias.transpose(0, 1)[:, None]
    entering = torch.stack([entering[0], entering[1].flip(0)], dim=1).reshape(places, 2 * seeds, 1, 4 * hidden)
    recurrent = hh.transpose(0, 1).reshape(2 * seeds, 4 * hidden, hidden).transpose(1, 2)
    found = _Recurrence.apply(entering, recurrent).reshape(places, 2, seeds, hidden)
    return torch.cat([found[:, 0], found[:, 1].flip(0)], dim=-1).transpose(0, 1)


class _Recurrence(torch.autograd.Function):
    """The recurrent part of many LSTMs, with the backward pass written out: a third of autograd's time.

    `entering` ``(places, n, 1, 4 hidden)`` are the gates' inputs, `recurrent` ``(n, hidden, 4 hidden)`` the weights;
    the result is the states ``(places, n, 1, hidden)``.
    """

    @staticmethod
    def forward(ctx, entering: torch.Tensor, recurrent: torch.Tensor) -> torch.Tensor:
        hidden = recurrent.shape[1]
        state = cell = entering.new_zeros(*entering.shape[1:3], hidden)
        states, cells, gates = [state], [cell], []
        for step in entering:
            raw = torch.baddbmm(step, state, recurrent)
            gate = torch.sigmoid(raw)
            gate[..., 2 * hidden : 3 * hidden] = torch.tanh(raw[..., 2 * hidden : 3 * hidden])
            enter, forget, new, leave = gate.chunk(4, dim=-1)
            cell = torch.addcmul(enter * new, forget, cell)
            state = leave * torch.tanh(cell)
            gates.append(gate)
            states.append(state)
            cells.append(cell)
        states = torch.stack(states)
        ctx.save_for_backward(states, torch.stack(cells), torch.stack(gates), recurrent)
        return states[1:]

    @staticmethod
    def backward(ctx, outer: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        states, cells, gates, recurrent = ctx.saved_tensors
        enter, forget, new, leave = gates.chunk(4, dim=-1)
        squashed = torch.tanh(cells[1:])
        to_cell = leave * (1 - squashed**2)  # of the state, through the cell
        # What one unit of each gate's input adds to the cell, and (last) to the state.
        slopes = [new * enter * (1 - enter), cells[:-1] * forget * (1 - forget), enter * (1 - new**2)]
        into_cell, into_state = torch.cat(slopes, dim=2), squashed * leave * (1 - leave)
        back, state, cell = recurrent.transpose(1, 2), torch.zeros_like(states[0]), torch.zeros_like(cells[0])
        found = gates.new_empty(*gates.shape[:2], 4, states.shape[-1])
        for t in range(len(gates) - 1, -1, -1):
            state = outer[t] + state
            cell = torch.addcmul(cell, state, to_cell[t])
            torch.mul(into_cell[t], cell, out=found[t, :, :3])
            torch.mul(into_state[t], state, out=found[t, :, 3:])
            state, cell = torch.bmm(found[t].flatten(1)[:, None], back), cell * forget[t]
        found = found.reshape(gates.shape)
        return found, torch.einsum("tnh,tng->nhg", states[:-1, :, 0], found[:, :, 0])
