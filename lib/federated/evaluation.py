"""Accuracy and loss on the clients' test examples, for one model or a stack of personal ones."""

from collections.abc import Sequence

import torch

from lib.federated.model import Model
from lib.federated.types import ClientData, Tensors

BLOCK = 256  # test examples a client in one pass: bounds the memory of activations


def stacked_metrics(
    model: Model, values: Tensors, datas: Sequence[ClientData], *, prefix: str
) -> list[dict[str, float]]:
    """Return ``<prefix>_loss`` and ``<prefix>_accuracy`` of each of C clients on its test examples.

    Args:
        model: network and loss.
        values: stacked values, shape ``(C, ...)``; client ``c`` uses row ``c``.
        datas: the clients' data, C of them.
        prefix: start of the metrics' names.

    Accuracy is there for integer targets only; a client without test examples has no metrics.
    """
    longest = max(len(data.test_x) for data in datas)
    sums = [torch.zeros(len(datas), dtype=torch.float64) for _ in range(2)]
    with torch.no_grad():
        for start in range(0, longest, BLOCK):
            parts = [(data.test_x[start : start + BLOCK], data.test_y[start : start + BLOCK]) for data in datas]
            size = max(len(x) for x, _ in parts)
            xs, ys = (torch.stack([_padded(part[i], size) for part in parts]) for i in range(2))
            outputs = model.stacked(values, xs)
            real = torch.stack([torch.arange(size, device=xs.device) < len(x) for x, _ in parts])
            for total, found in zip(sums, _per_example(model, outputs, ys), strict=True):
                # where, not a product: an overflow on a padded row must not spoil the sum
                total += torch.where(real, found, torch.zeros_like(found)).sum(dim=1, dtype=torch.float64).cpu()
    return rows_of(sums, datas, prefix)


def shared_metrics(
    model: Model, values: Tensors, datas: Sequence[ClientData], *, prefix: str
) -> list[dict[str, float]]:
    """Return the metrics of one model with `values` on every client's test examples; see `stacked_metrics`."""
    x, y = torch.cat([data.test_x for data in datas]), torch.cat([data.test_y for data in datas])
    sizes = [len(data.test_x) for data in datas]
    with torch.no_grad():
        parts = [
            _per_example(model, model(values, x[i : i + 4 * BLOCK]).unsqueeze(0), y[i : i + 4 * BLOCK].unsqueeze(0))
            for i in range(0, len(x), 4 * BLOCK)
        ]
    if not parts:
        return rows_of([torch.zeros(len(datas), dtype=torch.float64)] * 2, datas, prefix)
    columns = [torch.cat(column, dim=1)[0].double().cpu().split(sizes) for column in zip(*parts, strict=True)]
    return rows_of([torch.stack([rows.sum() for rows in column]) for column in columns], datas, prefix)


def _per_example(model: Model, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    losses = model.loss(outputs.flatten(0, 1), targets.flatten(0, 1)).unflatten(0, targets.shape[:2])
    if targets.is_floating_point():
        return losses, torch.full_like(losses, float("nan"))
    right = (outputs.argmax(dim=-1) == targets).to(losses)
    return losses, right.flatten(2).mean(dim=2) if right.dim() > 2 else right  # several targets an example: their share


def rows_of(sums: Sequence[torch.Tensor], datas: Sequence[ClientData], prefix: str) -> list[dict[str, float]]:
    """Return the metrics of each of C clients, given the sums ``(C,)`` of its losses and of its right answers."""
    rows = []
    for data, loss, right in zip(datas, *(total.tolist() for total in sums), strict=True):
        count, row = len(data.test_x), {}
        if count:
            row[f"{prefix}_loss"] = loss / count
        if count and not data.test_y.is_floating_point():
            row[f"{prefix}_accuracy"] = right / count
        rows.append(row)
    return rows


def _padded(values: torch.Tensor, size: int) -> torch.Tensor:
    filled = values.new_zeros(size, *values.shape[1:])
    filled[: len(values)] = values
    return filled
