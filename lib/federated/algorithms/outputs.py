"""Algorithms whose personal predictions come from no single set of weights: outputs instead of models."""

from collections.abc import Sequence

import torch

from lib.federated.evaluation import rows_of, shared_metrics
from lib.federated.model import Model
from lib.federated.stack import select
from lib.federated.types import ClientData


def padded_tests(datas: Sequence[ClientData]) -> torch.Tensor:
    """Return the test inputs of C clients as ``(C, n, ...)``, n the largest number, filled up with zeros."""
    size = max(len(data.test_x) for data in datas)
    first = datas[0].test_x
    filled = first.new_zeros(len(datas), size, *first.shape[1:])
    for row, data in zip(filled, datas, strict=True):
        row[: len(data.test_x)] = data.test_x
    return filled


def split_rows(outputs: torch.Tensor, datas: Sequence[ClientData]) -> list[torch.Tensor]:
    """Return each client's rows ``(n_c, ...)`` of stacked `outputs` ``(C, n, ...)``, without the padding."""
    return [rows[: len(data.test_x)] for rows, data in zip(outputs, datas, strict=True)]


def outputs_metrics(
    model: Model, outputs: Sequence[torch.Tensor], datas: Sequence[ClientData], *, prefix: str
) -> list[dict[str, float]]:
    """Return ``<prefix>_loss`` and ``<prefix>_accuracy`` of each client, given its outputs on its test examples.

    `outputs` are logits, or logarithms of probabilities, as the model's loss takes them.
    """
    losses, right = [], []
    for rows, data in zip(outputs, datas, strict=True):
        losses.append(model.loss(rows, data.test_y).double().sum().cpu())
        hits = (rows.argmax(dim=-1) == data.test_y).double()
        right.append(hits.reshape(len(hits), -1).mean(dim=1).sum().cpu() if len(hits) else losses[-1])
    return rows_of([torch.stack(losses), torch.stack(right)], datas, prefix)


class OutputMetrics:
    """Metrics of an algorithm that gives ``personal_outputs`` (logits of each client's test examples)."""

    def _metrics(self, state, datas, memories, rngs) -> list[dict[str, float]]:
        rows = shared_metrics(self.model, select(state.tensors, self.model.names), datas, prefix="global")
        own = outputs_metrics(self.model, self.personal_outputs(state, datas, memories, rngs), datas, prefix="personal")
        return [row | more for row, more in zip(rows, own, strict=True)]
