"""The networks of predictive clustering, for several models at once: encoder, selector, predictor, segments, map.

Sources: names and roles from the reviews of arXiv 2402.03388 and from Lee and van der Schaar (ICML 2020); the map from
behaviour to static cells is our reading of the abstract.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from lib.segmentation.encoder import FlatRecurrent, HierarchicalAttention, Widths
from lib.segmentation.layers import Perceptron
from lib.segmentation.users import Users

ENCODERS = {"attention": HierarchicalAttention, "flat": FlatRecurrent}
CHUNK = 512  # users a forward pass outside training


class Networks(nn.Module):
    """Everything that is learned, for ``models`` models (one a seed of the weights)."""

    def __init__(
        self,
        users: Users,
        seeds: Sequence[int],
        *,
        segments: int,
        widths: Widths,
        encoder: str = "attention",
    ):
        super().__init__()
        if encoder not in ENCODERS:
            raise ValueError(f"encoder={encoder!r}: choose from {', '.join(ENCODERS)}")
        if segments < 2:
            raise ValueError(f"segments={segments}: expected at least 2")
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.encoder = ENCODERS[encoder](users.n_pages, widths, generators)
        self.selector = Perceptron(self.encoder.outputs, widths.hidden, segments, generators)
        self.predictor = Perceptron(self.encoder.outputs, widths.hidden, 1, generators)
        self.map = Perceptron(self.encoder.outputs, widths.hidden, users.n_cells, generators)
        self.centroids = nn.Parameter(torch.zeros(len(seeds), segments, self.encoder.outputs))

    def log_assignment(self, z: Tensor) -> Tensor:
        """Return log pi, ``(models, n, segments)``, of representations ``(models, n, width)``."""
        return torch.log_softmax(self.selector(z), dim=-1)

    def user_logits(self, z: Tensor) -> Tensor:
        """Return the logit of conversion of each user's own representation, ``(models, n)``."""
        return self.predictor(z)[..., 0]

    def segment_logits(self) -> Tensor:
        """Return the logit of conversion that each segment predicts, ``(models, segments)``."""
        return self.predictor(torch.tanh(self.centroids))[..., 0]


@torch.no_grad()
def represent(networks: Networks, pages: Tensor) -> Tensor:
    """Return the representations of all users, ``(models, n, width)``, without gradients and in pieces."""
    parts = [networks.encoder(pages[:, start : start + CHUNK]) for start in range(0, pages.shape[1], CHUNK)]
    return torch.cat(parts, dim=1)


def repeat(networks: Networks, times: int) -> Networks:
    """Return networks in which each model occurs `times` times in a row, with weights of its own."""
    import copy

    wider = copy.deepcopy(networks)
    for module in wider.modules():
        for name, value in list(module._parameters.items()):
            if value is not None:
                module._parameters[name] = nn.Parameter(value.detach().repeat_interleave(times, dim=0))
    return wider


def stacked(parts: Sequence[Users]) -> tuple[Tensor, Tensor, Tensor]:
    """Return pages, cells and outcomes of several groups of users of one size with a leading axis of groups."""
    if len({len(users) for users in parts}) != 1:
        raise ValueError("the groups of users must have one size: draw as many users for each seed")
    pages = torch.from_numpy(np.stack([users.pages for users in parts]))
    cells = torch.from_numpy(np.stack([users.cell for users in parts]))
    outcomes = torch.from_numpy(np.stack([users.outcome for users in parts])).float()
    return pages, cells, outcomes
