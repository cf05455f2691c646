"""A shared model with a memory of the client's own examples. Source: Marfoq et al., "kNN-Per", arXiv 2111.09360."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.func import functional_call

from lib.federated.algorithms.base import Rngs
from lib.federated.algorithms.fedavg import FedAvg
from lib.federated.algorithms.outputs import OutputMetrics
from lib.federated.types import ClientData, Memory, ServerState, Tensors
from lib.nets.units import UnitNet


@dataclass(frozen=True, kw_only=True)
class KNNPer(OutputMetrics, FedAvg):
    """Training is FedAvg; a client mixes the model with the labels of its own most similar training examples.

    ``p(y | x) = weight p_kNN(y | x) + (1 - weight) p_model(y | x)``, where ``p_kNN`` gives each of the `neighbours`
    nearest training examples ``i`` the weight ``exp(-d(x, i))`` for its label; ``d`` is the Euclidean distance of the
    features that the last unit of the network (`lib.nets`), or layer of a sequence, receives.

    Attributes:
        neighbours: k, or as many as the client has.
        weight: share of the neighbours' vote, in [0, 1].
    """

    neighbours: int = 10
    weight: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.neighbours < 1 or not 0 <= self.weight <= 1:
            raise ValueError("kNN-Per needs at least one neighbour and a weight in [0, 1]; correct them")
        if not isinstance(self._units()[1], nn.Sequential):
            raise ValueError("kNN-Per needs the features before the last layer; build a UnitNet or an nn.Sequential")

    def personal_outputs(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[torch.Tensor]:
        """Return the logarithms of each client's mixed probabilities on its test examples."""
        return [self._outputs(state.tensors, data) for data in datas]

    def _outputs(self, values: Tensors, data: ClientData) -> torch.Tensor:
        with torch.no_grad():
            outputs = self.model(values, data.test_x)
            distances = torch.cdist(self._features(values, data.test_x), self._features(values, data.train_x))
            nearest, rows = distances.topk(min(self.neighbours, data.examples), largest=False)
            # Softmax of the negative distances: their common factor cancels, and nothing underflows.
            votes = torch.zeros_like(outputs).scatter_add(1, data.train_y[rows], torch.softmax(-nearest, dim=1))
            mixed = self.weight * votes + (1 - self.weight) * torch.softmax(outputs, dim=1)
            return mixed.clamp_min(torch.finfo(mixed.dtype).tiny).log()

    def _features(self, values: Tensors, x: torch.Tensor) -> torch.Tensor:
        prefix, units = self._units()
        body, head = units[:-1], units[-1]
        names = [name for name, _ in (*body.named_parameters(), *body.named_buffers()) if prefix + name in values]
        features = functional_call(body, {name: values[prefix + name] for name in names}, (x,)) if len(body) else x
        layers = [layer for layer in head.children() if not isinstance(layer, nn.Linear)]
        return nn.Sequential(*layers)(features).flatten(1)  # the pooling of a convolutional network's last unit

    def _units(self) -> tuple[str, nn.Sequential]:
        net = self.model.network()
        return ("blocks.", net.blocks) if isinstance(net, UnitNet) else ("", net)
