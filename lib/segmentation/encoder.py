"""Encoders of page sequences: attention over pages, then over sessions (HAN), or one recurrence over all pages.

Sources: the reviews of arXiv 2402.03388 name a hierarchical attention network; Yang et al. (NAACL 2016) define it; the
flat encoder is that of actor-critic predictive clustering (Lee and van der Schaar, ICML 2020).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lib.segmentation.layers import Attention, Recurrent, uniform


@dataclass(frozen=True)
class Widths:
    """Sizes of the networks: page embedding, recurrent state, hidden layer, and whether recurrences run both ways."""

    embedding: int = 12
    recurrent: int = 12
    hidden: int = 24
    bidirectional: bool = False


class HierarchicalAttention(nn.Module):
    """``(models, n, sessions, pages)`` of page numbers to representations in (-1, 1), ``(models, n, outputs)``."""

    def __init__(self, n_pages: int, widths: Widths, generators: list[torch.Generator]):
        super().__init__()
        self.embedding = uniform(len(generators), n_pages + 1, widths.embedding, bound=1.0, generators=generators)
        self.pages = Recurrent(widths.embedding, widths.recurrent, generators, both=widths.bidirectional)
        self.page_attention = Attention(self.pages.outputs, generators)
        self.sessions = Recurrent(self.pages.outputs, widths.recurrent, generators, both=widths.bidirectional)
        self.session_attention = Attention(self.sessions.outputs, generators)

    @property
    def outputs(self) -> int:
        """Width of the representation."""
        return self.sessions.outputs

    def forward(self, pages: Tensor) -> Tensor:
        """Return the representations; a user without a page gets zero."""
        models, n, sessions, length = pages.shape
        mask = pages > 0
        gates = look_up(self.pages.gates(self.embedding), pages.reshape(models, n * sessions, length))
        states = self.pages.run(gates, mask.view(models, n * sessions, length))
        vectors = self.page_attention(states, mask.view(models, n * sessions, length))
        seen = mask.any(dim=-1)
        gates = [part.view(models, n, sessions, -1) for part in self.sessions.gates(vectors)]
        return torch.tanh(self.session_attention(self.sessions.run(gates, seen), seen))


class FlatRecurrent(nn.Module):
    """One recurrence over all pages of all sessions in order; the last state represents the user."""

    def __init__(self, n_pages: int, widths: Widths, generators: list[torch.Generator]):
        super().__init__()
        self.embedding = uniform(len(generators), n_pages + 1, widths.embedding, bound=1.0, generators=generators)
        self.pages = Recurrent(widths.embedding, widths.recurrent, generators)

    @property
    def outputs(self) -> int:
        """Width of the representation."""
        return self.pages.outputs

    def forward(self, pages: Tensor) -> Tensor:
        """Return the representations, as `HierarchicalAttention` does."""
        flat = pages.flatten(start_dim=2)
        states = self.pages.run(look_up(self.pages.gates(self.embedding), flat), flat > 0)
        return torch.tanh(states[:, :, -1])


def look_up(tables: list[Tensor], pages: Tensor) -> list[Tensor]:
    """Return each model's rows of its table ``(models, pages, width)``: computed once a page, not a visit."""
    models, rows, width = tables[0].shape
    first = torch.arange(models, device=pages.device) * rows
    index = pages + first.view(-1, *[1] * (pages.dim() - 1))
    return [nn.functional.embedding(index, table.reshape(models * rows, width)) for table in tables]
