"""The paper's claims about accuracy and time, judged on real texts by the rules that judge them on the digits.

The rules are those of the digits. Before the recorded run single runs at some rates had been seen, and an earlier
recorded run of another model (LoRA in the last layer, eight rounds) was known.
"""

from collections.abc import Mapping
from dataclasses import replace

from lib.report import Claim
from lib.spry.rules import on_texts

BOTH, NEWS = ("ag-news", "sst2"), ("ag-news",)
WHERE = {BOTH: "AG News and SST-2, classifier of MiniLM", NEWS: "AG News, classifier of MiniLM"}
EACH = {BOTH: "; on each data set, and the worse verdict counts", NEWS: ""}
FLOOR = "; a data set is not judged where {} is less than 0.05 above the commonest label's share"
CHANGED = (
    "the floor, more rounds and a classifier on mean-pooled states came after an earlier run had been seen; stricter: "
    "one data set that cannot be judged left both unjudged"
)
# By claim on the digits: the statement, the data sets, and whose accuracy must be above the floor.
TEXTS = {
    "convergence-time": ("Zero-order methods take longer to converge than Spry", BOTH, "Spry"),
    "accuracy": ("Spry is more accurate than the best zero-order method", BOTH, "Spry"),
    "accuracy-backprop": ("Spry comes within a few percent of backpropagation", BOTH, "Spry"),
    "per-iteration": ("One communication an iteration is more accurate than one an epoch", NEWS, "Spry"),
    "split-backprop": ("Splitting costs backpropagation accuracy", BOTH, "FedAvg"),
    "no-split": ("Without splitting, forward gradients are far worse", NEWS, "Spry"),
}


def text_claims(paper: Mapping[str, Claim]) -> tuple[Claim, ...]:
    """Return the claims on real texts, given those on the digits by their names."""
    return tuple(_on_texts(paper[name], *entry) for name, entry in TEXTS.items())


def _on_texts(claim: Claim, statement: str, data: tuple[str, ...], whose: str) -> Claim:
    time = claim.id == "convergence-time"  # its target is nine tenths of the accuracy
    floor = FLOOR.format(f"nine tenths of the accuracy of {whose}" if time else whose)
    return replace(
        claim,
        id=f"texts-{claim.id}",
        statement=f"{statement} ({WHERE[data]})",
        rule=claim.rule + EACH[data] + floor,
        needs=("texts",),
        holds=on_texts(claim.holds, *data, whose=whose, time=time),
        changed=CHANGED,
    )
