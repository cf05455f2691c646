"""Every choice of the reconstruction in one place; none of them is the paper's, which is not public to us."""

import inspect
import re
from dataclasses import dataclass, fields
from functools import cache

import pandas as pd

from lib.segmentation.encoder import Widths

ACTORS = ("reinforce", "exact")
STARTS = ("latent", "outcome")
VALUES = ("exposures", "conversions")
STATICS = ("observed", "predicted")
HELD_OUT = 0.15  # share of the training users for early stopping


@dataclass(frozen=True)
class Settings:
    """How segments are learned.

    Attributes:
        segments: number of segments K.
        embedding: width of a page's embedding.
        recurrent: width of a recurrent state, at both levels.
        hidden: width of the hidden layer of selector, predictor and map.
        bidirectional: whether recurrences run both ways.
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
        static_weight: weight w of the map's loss in the encoder's step, where it counts ``w lam / (1 + lam)``:
            discovery alone (lam = 0) never learns from static cells.
        look_every: steps of the loop between two looks at the AUPRC of `HELD_OUT` of the training users, from whom
            nothing is learned then; the best networks stay. 0: no look, the last networks stay.
    """

    segments: int = 8
    embedding: int = 12
    recurrent: int = 12
    hidden: int = 24
    bidirectional: bool = False
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
    look_every: int = 0

    def __post_init__(self):
        choices = {"actor": ACTORS, "start": STARTS, "value": VALUES, "static": STATICS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name}={getattr(self, name)!r}: choose from {', '.join(known)}")
        if self.segments < 3 and self.beta:
            raise ValueError("the distance term divides by (K-1)(K-2): use at least 3 segments, or beta=0")
        if (
            min(self.batch, self.lp_every) < 1
            or min(self.steps_init, self.steps_selector, self.steps_joint, self.look_every) < 0
        ):
            raise ValueError("batch and lp_every must be at least 1, and no number of steps may be negative")

    @property
    def widths(self) -> Widths:
        """Sizes of the networks."""
        return Widths(self.embedding, self.recurrent, self.hidden, self.bidirectional)


DEFAULT = Settings()
# What the published code of actor-critic predictive clustering uses; the delivery term is not in it.
AC_TPC = Settings(
    segments=6,
    embedding=50,
    recurrent=50,
    hidden=50,
    encoder="flat",
    steps_init=10_000,
    steps_selector=5_000,
    batch=128,
    lr_init=1e-3,
    lr=1e-3,
    alpha=1.0,
    beta=0.001,
    gam=0.0,
    baseline=False,
    start="outcome",
)
OURS = ("embedding", "steps_joint", "lp_every", "value", "static", "static_weight", "bidirectional", "look_every")


def choices_table(settings: Settings) -> pd.DataFrame:
    """Return every choice of the reconstruction: choice (its parameter), what it is, here, AC-TPC.

    The last is AC-TPC's published code, empty where it has no such choice.

    The paper's own choices are not known to us, except that its encoder is a hierarchical attention network.
    """
    rows = []
    for field in fields(Settings):
        theirs = "" if field.name in OURS else str(getattr(AC_TPC, field.name))
        rows.append((field.name, meanings()[field.name], str(getattr(settings, field.name)), theirs))
    return pd.DataFrame(rows, columns=["choice", "what it is", "here", "AC-TPC"])


@cache
def meanings() -> dict[str, str]:
    """Return what each attribute of `Settings` is, as its docstring says, up to the first point, colon or semicolon."""
    entries = re.findall(r"^    (\w+): (.+?)(?=^    \w+: |\Z)", inspect.getdoc(Settings), re.MULTILINE | re.DOTALL)
    return {name: re.split(r"[.:;] ", " ".join(text.split()))[0].removesuffix(".") for name, text in entries}
