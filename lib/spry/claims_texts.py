"""The paper's claims about accuracy and time, judged on real texts by the rules that judge them on the digits.

All rules here were written before the recorded run; single runs on the partitions for choosing rates, which are never
judged, had been seen.
"""

from lib.report import Claim, value_text
from lib.spry import rules

SUMMARY = "secondary (summary)"
DATA = "AG News and SST-2, last layer of MiniLM"


def _claim(name: str, statement: str, source: str, published: str, rule: str, holds: rules.Rule) -> Claim:
    return Claim(f"texts-{name}", statement, source, value_text("spry", published), rule, ("texts",), holds)


TEXTS = (
    _claim(
        "convergence-time",
        f"Zero-order methods take longer to converge than Spry ({DATA})",
        "abstract",
        "convergence-time",
        "as *convergence-time*, on both data sets",
        rules.on_texts(rules.convergence_time),
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
        "One communication an iteration is more accurate than one an epoch (AG News, last layer of MiniLM)",
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
        rules.on_texts(rules.split_backprop),
    ),
    _claim(
        "no-split",
        "Without splitting, forward gradients are far worse (AG News, last layer of MiniLM)",
        SUMMARY,
        "no-split",
        "as *no-split*",
        rules.on_texts(rules.no_split, "ag-news"),
    ),
)
