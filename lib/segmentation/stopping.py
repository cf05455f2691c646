"""Early stopping: of all that a model was during the loop, keep what predicts held-out users best."""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from lib.segmentation.networks import Networks, represent, stacked
from lib.segmentation.settings import HELD_OUT
from lib.segmentation.users import Users, split


def hold_out(trains: Sequence[Users], seeds: Sequence[int]) -> tuple[list[Users], list[Users]]:
    """Return the users of each seed to learn from, and `HELD_OUT` of them to stop by."""
    parts = [split(users, test_fraction=HELD_OUT, seed=seed) for users, seed in zip(trains, seeds, strict=True)]
    return [part[0] for part in parts], [part[1] for part in parts]


def auprc(networks: Networks, held: Sequence[Users]) -> np.ndarray:
    """Return the AUPRC of the likeliest segment's prediction by model; `held` has one group a model."""
    pages, _, outcomes = stacked(held)
    with torch.no_grad():
        segment = networks.log_assignment(represent(networks, pages)).argmax(dim=-1)
        score = networks.segment_logits().gather(1, segment)
    return np.array([average_precision_score(*pair) for pair in zip(outcomes.numpy(), score.numpy(), strict=True)])


class Best:
    """The best networks so far, model by model (weights have a leading axis of models)."""

    def __init__(self, networks: Networks, held: Sequence[Users]):
        self.networks, self.held = networks, held
        self.score, self.kept = auprc(networks, held), [one.detach().clone() for one in networks.parameters()]

    def look(self) -> None:
        """Remember the models that predict better than ever before."""
        score = auprc(self.networks, self.held)
        better = torch.from_numpy(np.flatnonzero(score > self.score))
        for kept, now in zip(self.kept, self.networks.parameters(), strict=True):
            kept[better] = now.detach()[better]
        self.score = np.maximum(self.score, score)

    def restore(self) -> None:
        """Set every model back to its best."""
        with torch.no_grad():
            for kept, now in zip(self.kept, self.networks.parameters(), strict=True):
                now.copy_(kept)
