"""The paper's claims about accuracy and time, judged on real texts by the rules that judge them on the digits.

The rules are those of the digits. Before the recorded run single runs at some rates had been seen, and an earlier
recorded run of another model (LoRA in the last layer, eight rounds) was known.
"""

from lib.report import Claim, value_text
from lib.spry import rules

SUMMARY = "secondary (summary)"
DATA = "AG News and SST-2, classifier of MiniLM"
FLOOR = (
    "; not judged where Spry (or FedAvg, if only it is compared) is less than 0.05 above the commonest label's share"
)
CHANGED = "the floor, more rounds and a classifier on mean-pooled states came after an earlier run had been seen"


def _claim(name: str, statement: str, source: str, published: str, rule: str, holds: rules.Rule) -> Claim:
    return Claim(
        f"texts-{name}", statement, source, value_text("spry", published), rule + FLOOR, ("texts",), holds, CHANGED
    )


TEXTS = (
    _claim(
        "convergence-time",
        f"Zero-order methods take longer to converge than Spry ({DATA})",
        "abstract",
        "convergence-time",
        "as *convergence-time*, on both data sets, and not judged where the target is that near",
        rules.on_texts(rules.convergence_time, time=True),
    ),
    _claim(
        "accuracy",
        f"Spry is more accurate than the best zero-order method ({DATA})",
        "abstract",
        "accuracy",
        "as *accuracy*, on both data sets",
        rules.on_texts(rules.accuracy),
    ),
    _claim(
        "accuracy-backprop",
        f"Spry comes within a few percent of backpropagation ({DATA})",
        SUMMARY,
        "accuracy-backprop",
        "as *accuracy-backprop*, on both data sets",
        rules.on_texts(rules.accuracy_backprop),
    ),
    _claim(
        "per-iteration",
        "One communication an iteration is more accurate than one an epoch (AG News, classifier of MiniLM)",
        SUMMARY,
        "per-iteration",
        "as *per-iteration*",
        rules.on_texts(rules.per_iteration, "ag-news"),
    ),
    _claim(
        "split-backprop",
        f"Splitting costs backpropagation accuracy ({DATA})",
        SUMMARY,
        "split-backprop",
        "as *split-backprop*, on both data sets",
        rules.on_texts(rules.split_backprop, whose="FedAvg"),
    ),
    _claim(
        "no-split",
        "Without splitting, forward gradients are far worse (AG News, classifier of MiniLM)",
        SUMMARY,
        "no-split",
        "as *no-split*",
        rules.on_texts(rules.no_split, "ag-news"),
    ),
)
