"""The plainest personal prediction: the mean of what the shared and the fine-tuned model say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from lib.federated.algorithms.base import Rngs
from lib.federated.algorithms.finetuned import FineTuned
from lib.federated.algorithms.outputs import OutputMetrics, padded_tests, split_rows
from lib.federated.stack import stack
from lib.federated.types import ClientData, Memory, ServerState, Tensors


@dataclass(frozen=True, kw_only=True)
class Ensemble(OutputMetrics, FineTuned):
    """Training is FedAvg; a client predicts with ``alpha p_finetuned + (1 - alpha) p_shared``.

    Attributes:
        alpha: weight of the fine-tuned model, the same for all inputs and clients; None lets each client choose
            from `choices` by the loss on the last fifth of its training examples, which it fine-tunes without for the
            choice, and with for the use.
        choices: what a client chooses from.
    """

    alpha: float | None = 0.5
    choices: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(0 <= alpha <= 1 for alpha in (*self.choices, *([] if self.alpha is None else [self.alpha]))):
            raise ValueError("alpha and choices weigh two probabilities; choose them in [0, 1]")

    def personal_outputs(
        self, state: ServerState, datas: Sequence[ClientData], memories: Sequence[Memory], rngs: Rngs
    ) -> list[torch.Tensor]:
        """Return the logarithms of each client's mixed probabilities on its test examples."""
        alphas = [self.alpha] * len(datas) if self.alpha is not None else self._chosen(state, datas, memories, rngs)
        shared, own = self._both(state.tensors, datas, self.personal_models(state, datas, memories, rngs))
        return [_mixed(g, p, alpha) for g, p, alpha in zip(shared, own, alphas, strict=True)]

    def _chosen(self, state, datas, memories, rngs) -> list[float]:
        parts = [_held_out(data) for data in datas]
        shared, own = self._both(state.tensors, parts, self.personal_models(state, parts, memories, rngs))
        chosen = []
        for g, p, data in zip(shared, own, parts, strict=True):
            losses = [self.model.loss(_mixed(g, p, alpha), data.test_y).mean() for alpha in self.choices]
            chosen.append(self.choices[int(torch.stack(losses).argmin())])
        return chosen

    def _both(
        self, values: Tensors, datas: Sequence[ClientData], own: Tensors
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        with torch.no_grad():
            x = padded_tests(datas)
            shared = self.model.stacked(stack([values] * len(datas)), x)
            return split_rows(shared, datas), split_rows(self.model.stacked(own, x), datas)


def _held_out(data: ClientData) -> ClientData:
    """Return the client with the last fifth of its training examples (one at least, where it has two) for its test."""
    held = max(data.examples // 5, 1) if data.examples > 1 else 0
    kept = data.examples - held
    return replace(
        data,
        train_x=data.train_x[:kept],
        train_y=data.train_y[:kept],
        test_x=data.train_x[kept:] if held else data.train_x,
        test_y=data.train_y[kept:] if held else data.train_y,
    )


def _mixed(shared: torch.Tensor, own: torch.Tensor, alpha: float) -> torch.Tensor:
    mixed = alpha * torch.softmax(own, dim=-1) + (1 - alpha) * torch.softmax(shared, dim=-1)
    return mixed.clamp_min(torch.finfo(mixed.dtype).tiny).log()
