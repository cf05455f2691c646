"""Language models of the authors' code whose LSTM is routed at every time step. Source: arXiv 2211.15281, code.

At each step and in each layer the policy sees the embedding and the layer's states in the global and the local chain.
The mix of the two new states becomes the state of the global chain; the local chain goes on unmixed.
"""

import functools
import itertools
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from lib.federated.model import Model
from lib.federated.types import Tensors
from lib.flow.policy import part
from lib.flow.routing import Mode, weights_of

Layer = tuple[torch.Tensor, torch.Tensor]  # hidden and cell state of a layer


class TokenLSTM(nn.Module):
    """Embedding, LSTM layers and output layers over tokens ``(n, T)``; logits ``(n, T, tokens)``.

    The cells are written out, with the parameters of ``nn.LSTM``, so that a stack of clients can run in one pass.
    """

    def __init__(
        self, tokens: int, embedding: int, hidden: int, layers: int = 1, projection: int | None = None
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, embedding)
        sizes = [embedding, *[hidden] * layers]
        self.cells = nn.ModuleList(nn.LSTMCell(a, b) for a, b in itertools.pairwise(sizes))
        heads = [hidden, *([] if projection is None else [projection]), tokens]
        self.heads = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(heads))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the logits of the next token after each one."""
        values = {name: value.unsqueeze(0) for name, value in self.named_parameters()}
        return self.stacked(values, tokens.unsqueeze(0))[0]

    def stacked(self, values: Tensors, tokens: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(C, n, T, tokens)`` of C clients' networks with stacked `values` on ``(C, n, T)``."""
        embedded, state = _embedded(values, tokens), _zeros(values, tokens, len(self.cells))
        steps = []
        for step in range(tokens.shape[2]):
            x, new = embedded[:, :, step], []
            for layer, before in enumerate(state):
                new.append(_advanced(part(values, f"cells.{layer}."), x, before))
                x = new[-1][0]
            state = new
            steps.append(x)
        h = torch.stack(steps, dim=2)
        for head in range(len(self.heads)):
            h = _linear(part(values, f"heads.{head}."), h)
        return h


def token_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy over the tokens of each sequence, shape ``(n,)``."""
    return (
        functional.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none")
        .unflatten(0, targets.shape)
        .mean(dim=1)
    )


class StepPolicy(nn.Module):
    """A perceptron from what is known at a time step to the logits of the two routes of the state.

    With `output_widths`, a second one decides for each of two output layers: it has an exit after its hidden layers and
    goes on to a last pair of logits, as the Stack Overflow model of the code.
    """

    def __init__(self, inputs: int, widths: tuple[int, ...], output_inputs: int = 0) -> None:
        super().__init__()
        self.state = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise([inputs, *widths, 2]))
        self.output = nn.ModuleList()
        if output_inputs:
            sizes = [(output_inputs, 75), (75, 30), (30, 2), (30, 10), (10, 2)]
            self.output = nn.ModuleList(nn.Linear(a, b) for a, b in sizes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(n, 2)`` of the state's routes."""
        return _perceptron({name: value.unsqueeze(0) for name, value in self.named_parameters()}, x.unsqueeze(0))[0]


@dataclass(frozen=True)
class LSTMRouting:
    """Routing of a `TokenLSTM`; offers what Flow asks of a `lib.flow.routing.UnitRouting`.

    Attributes:
        tokens: size of the vocabulary.
        embedding: numbers a token.
        hidden: size of the state.
        layers: LSTM layers; one policy serves all of them.
        sees_cells: whether the policy sees the cell states beside the hidden ones.
        projection: size of the layer between state and output, None for none.
        widths: hidden layers of the policy.
        route_outputs: whether the two output layers are routed too (Stack Overflow in the code); needs `projection`.
            Otherwise they are global.
        by: "instance" only: the policy sees every time step.
    """

    tokens: int
    embedding: int
    hidden: int
    layers: int = 1
    sees_cells: bool = False
    projection: int | None = None
    widths: tuple[int, ...] = (500, 250, 100, 50)
    route_outputs: bool = False
    by: Literal["instance"] = "instance"

    def __post_init__(self) -> None:
        if self.route_outputs and self.projection is None:
            raise ValueError("two output layers are routed or none; give projection, or route_outputs=False")
        if self.by != "instance":
            raise ValueError(f"by = {self.by!r}: the LSTM is routed at every time step; choose 'instance'")

    @functools.cached_property
    def model(self) -> Model:
        """The plain network."""
        sizes = (self.tokens, self.embedding, self.hidden, self.layers, self.projection)
        return Model(functools.partial(TokenLSTM, *sizes), loss=token_loss)

    @functools.cached_property
    def policy(self) -> Model:
        """The policy network."""
        states = 2 * self.hidden * (2 if self.sees_cells else 1)
        outputs = 2 * (self.projection or 0) if self.route_outputs else 0
        return Model(functools.partial(StepPolicy, self.embedding + states, self.widths, outputs))

    def forward(
        self,
        shared: Tensors,
        local: Tensors,
        policy: Tensors,
        x: torch.Tensor,
        mode: Mode,
        *,
        shares: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the outputs ``(C, n, T, tokens)`` and the shares of the local route ``(C, n, routes, T)``.

        The routes are those of the layers' states, then those of the two output layers if they are routed. Arguments
        as in `lib.flow.routing.UnitRouting.forward`.
        """
        ours, theirs = _embedded(shared, x), _embedded(local, x)
        state, own = (_zeros(values, x, self.layers) for values in (shared, local))
        cells = [[part(values, f"cells.{layer}.") for layer in range(self.layers)] for values in (shared, local)]
        decide, found, tops = part(policy, "state."), [], []
        for step in range(x.shape[2]):
            a, b, now = ours[:, :, step], theirs[:, :, step], ours[:, :, step]
            for layer in range(self.layers):
                q = self._share(decide, now, state[layer], own[layer])
                q = q if shares is None else shares[:, :, layer, step]
                new, own[layer] = _advanced(cells[0][layer], a, state[layer]), _advanced(cells[1][layer], b, own[layer])
                state[layer] = tuple(_mixed(*both, q, mode) for both in zip(new, own[layer], strict=True))
                a, b = state[layer][0], own[layer][0]
                found.append(q)
            tops.append((a, b))
        h, e = (torch.stack(side, dim=2) for side in zip(*tops, strict=True))
        routes = torch.stack(found, dim=2).unflatten(2, (x.shape[2], self.layers)).transpose(2, 3)
        outputs, more = self._outputs(shared, local, policy, h, e, mode, shares)
        return outputs, torch.cat([routes, *(q.unsqueeze(2) for q in more)], dim=2)

    def _share(self, decide: Tensors, embedded: torch.Tensor, state: Layer, own: Layer) -> torch.Tensor:
        seen = (*state, *own) if self.sees_cells else (state[0], own[0])
        logits = _perceptron(decide, torch.cat([embedded, *seen], dim=-1))
        return torch.sigmoid(logits[..., 1] - logits[..., 0])

    def _outputs(self, shared, local, policy, h, e, mode, shares) -> tuple[torch.Tensor, list[torch.Tensor]]:
        heads = 1 if self.projection is None else 2
        if not self.route_outputs:
            for head in range(heads):
                h = _linear(part(shared, f"heads.{head}."), h)
            return h, []
        a, b = _linear(part(shared, "heads.0."), h), _linear(part(local, "heads.0."), e)
        first, second = _output_shares(part(policy, "output."), torch.cat([a, b], dim=-1))
        if shares is not None:
            first, second = shares[:, :, -2], shares[:, :, -1]
        h = _mixed(a, b, first, mode)
        sides = [_linear(part(values, "heads.1."), h) for values in (shared, local)]
        return _mixed(*sides, second, mode), [first, second]


def _output_shares(values: Tensors, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    h = torch.relu(_linear(part(values, "0."), x))
    h = torch.relu(_linear(part(values, "1."), h))
    last = _linear(part(values, "4."), torch.relu(_linear(part(values, "3."), h)))
    logits = (_linear(part(values, "2."), h), last)
    return tuple(torch.sigmoid(one[..., 1] - one[..., 0]) for one in logits)


def _perceptron(values: Tensors, x: torch.Tensor) -> torch.Tensor:
    layers = len([name for name in values if name.endswith("weight")])
    for layer in range(layers):
        x = _linear(part(values, f"{layer}."), x)
        x = torch.relu(x) if layer < layers - 1 else x
    return x


def _embedded(values: Tensors, tokens: torch.Tensor) -> torch.Tensor:
    table = values["embedding.weight"]
    rows = tokens.flatten(1)
    return torch.gather(table, 1, rows.unsqueeze(2).expand(-1, -1, table.shape[2])).unflatten(1, tokens.shape[1:])


def _zeros(values: Tensors, tokens: torch.Tensor, layers: int) -> list[Layer]:
    hidden = values["cells.0.weight_hh"].shape[2]
    zero = values["cells.0.weight_hh"].new_zeros(*tokens.shape[:2], hidden)
    return [(zero, zero) for _ in range(layers)]


def _advanced(cell: Tensors, x: torch.Tensor, state: Layer) -> Layer:
    """Return a layer's state after one step, for inputs ``(C, n, size)``."""
    gates = torch.baddbmm(cell["bias_ih"].unsqueeze(1), x, cell["weight_ih"].transpose(1, 2))
    gates = torch.baddbmm(gates + cell["bias_hh"].unsqueeze(1), state[0], cell["weight_hh"].transpose(1, 2))
    i, f, g, o = gates.chunk(4, dim=-1)
    c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def _linear(values: Tensors, x: torch.Tensor) -> torch.Tensor:
    rows = x.flatten(1, -2)
    found = torch.baddbmm(values["bias"].unsqueeze(1), rows, values["weight"].transpose(1, 2))
    return found.unflatten(1, x.shape[1:-1])


def _mixed(ours: torch.Tensor, own: torch.Tensor, share: torch.Tensor, mode: Mode) -> torch.Tensor:
    q, rest = weights_of(share.unsqueeze(-1), mode)
    return torch.lerp(ours, own, q) if rest is None else rest * ours + q * own


def stackoverflow_routing(*, tokens: int = 10_004) -> LSTMRouting:
    """Return the routed Stack Overflow model of the code: one layer of 670, and two output layers."""
    return LSTMRouting(tokens, 96, 670, projection=96, route_outputs=True)


def shakespeare_routing(*, tokens: int = 90) -> LSTMRouting:
    """Return the routed Shakespeare model of the code: two layers of 256 and a global output layer."""
    return LSTMRouting(tokens, 8, 256, layers=2, sees_cells=True)
