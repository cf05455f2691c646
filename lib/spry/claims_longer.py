"""Claims on the longer tables: the digits by label skew, LoRA for more rounds, ways to finetune.

The rules were written before these tables were computed; shorter runs at Dirichlet 1 were known. One was made stricter
afterwards, as its claim says.
"""

from collections.abc import Mapping
from dataclasses import replace

from lib.report import COMPANION, Claim, value_text
from lib.spry import rules, rules_longer
from lib.spry.claims_companion import UNSTATED

SHORTER = "the rule is that of *{}*; shorter runs at Dirichlet 1 were known"
BEFORE = "written before this table was computed; shorter runs at other settings were known"
STRICTER = "; made stricter after the result: any negative correlation under Spry was close before, so that the first "
STRICTER += "verdict was close, and FedAvg's had to be 0.5 higher, whatever its sign"


def longer_claims(paper: Mapping[str, Claim]) -> tuple[Claim, ...]:
    """Return the claims on the tables skew and peft, given those on the digits by their names."""
    return (
        _on_skew(paper["accuracy"], "Spry is more accurate than the best zero-order method", rules.accuracy),
        _on_skew(
            paper["accuracy-backprop"], "Spry comes within a few percent of backpropagation", rules.accuracy_backprop
        ),
        Claim(
            "skew-gap",
            "Label skew costs Spry more accuracy than backpropagation (digits, Dirichlet 100 to 0.1)",
            COMPANION,
            UNSTATED,
            "the gap to the best of FedAvg and FedYogi grows by at least 0.02 in the median from the largest to the "
            "smallest alpha, and in every seed; close if in the median",
            ("skew",),
            rules_longer.skew_gap,
            BEFORE,
        ),
        Claim(
            "lora-best",
            "Under Spry LoRA is more accurate than IA3, BitFit and the classifier alone (AG News, MiniLM's last layer)",
            "secondary (summary)",
            value_text("spry", "peft"),
            "paired gain of rank 1 over the best of the three above 0.01 in the median and positive in every seed, at "
            "every alpha; close if positive in the median; not judged where Spry's best way is less than 0.05 above "
            "the commonest label's share",
            ("peft",),
            rules_longer.lora_best,
            BEFORE,
        ),
        Claim(
            "finetuning-size",
            "The more weights are trained, the less accurate is Spry, unlike backpropagation (AG News, six ways to "
            "finetune)",
            COMPANION,
            UNSTATED,
            "rank correlation of accuracy with the number of weights over the ways at most -0.5 under Spry and not "
            "negative under FedAvg, at every alpha; close if at most -0.25 under Spry and higher under FedAvg; not "
            "judged as lora-best",
            ("peft",),
            rules_longer.finetuning_size,
            BEFORE + STRICTER,
        ),
    )


def _on_skew(claim: Claim, statement: str, rule: rules.Rule) -> Claim:
    return replace(
        claim,
        id=f"skew-{claim.id}",
        statement=f"{statement} (digits, at every label skew: Dirichlet 100, 1 and 0.1)",
        needs=("skew",),
        holds=rules_longer.at_every_skew(rule),
        changed=SHORTER.format(claim.id),
    )
