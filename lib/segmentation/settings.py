"""Every choice of the reconstruction in one place; none of them is the paper's, which is not public to us."""

from dataclasses import dataclass

from lib.segmentation.encoder import Widths

ACTORS = ("reinforce", "exact")
STARTS = ("latent", "outcome")
VALUES = ("exposures", "conversions")
STATICS = ("observed", "predicted")


@dataclass(frozen=True)
class Settings:
    """How segments are learned.

    Attributes:
        segments: number of segments K.
        widths: sizes of the networks.
        encoder: "attention" (pages, then sessions) or "flat" (one recurrence).
        steps_init: steps on encoder and predictor before there are segments.
        steps_selector: steps on the selector to reproduce the first segments.
        steps_joint: steps of the actor-critic loop.
        batch: users a step.
        lr_init: Adam's rate before the loop.
        lr: Adam's rate in the loop.
        alpha: weight of the entropy of a user's assignment (L2).
        beta: weight of the distance between the segments' predictions (L3).
        gam: weight of the balance term against collapse (ours).
        actor: "reinforce" (sampled segment) or "exact" (expectation over segments).
        baseline: whether the sampled actor subtracts the batch mean of the cost (AC-TPC does not).
        start: k-means on "latent" representations, or on predicted "outcome"s as AC-TPC does.
        lp_every: steps between two solutions of the allocation.
        value: what an exposure is worth in training: 1 ("exposures") or the segment's conversion ("conversions").
        static: whether a user's cell is "observed" or "predicted" from behaviour in the delivery term.
        static_weight: weight w of the map's loss in the encoder's step, where it counts ``w lam / (1 + lam)``: discovery
            alone (lam = 0) never learns from static cells.
    """

    segments: int = 8
    widths: Widths = Widths()
    encoder: str = "attention"
    steps_init: int = 250
    steps_selector: int = 150
    steps_joint: int = 350
    batch: int = 256
    lr_init: float = 5e-3
    lr: float = 2.5e-3
    alpha: float = 0.05
    beta: float = 0.01
    gam: float = 0.3
    actor: str = "reinforce"
    baseline: bool = True
    start: str = "latent"
    lp_every: int = 20
    value: str = "exposures"
    static: str = "observed"
    static_weight: float = 1.0

    def __post_init__(self):
        choices = {"actor": ACTORS, "start": STARTS, "value": VALUES, "static": STATICS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name}={getattr(self, name)!r}: choose from {', '.join(known)}")
        if self.segments < 3 and self.beta:
            raise ValueError("the distance term divides by (K-1)(K-2): use at least 3 segments, or beta=0")
        if min(self.batch, self.lp_every) < 1 or min(self.steps_init, self.steps_selector, self.steps_joint) < 0:
            raise ValueError("batch and lp_every must be at least 1, and no number of steps may be negative")
