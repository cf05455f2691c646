"""What the paper claims, what the companion adds, and the rule for each.

The rules were stated before the results were seen. No number of the paper could be read, so its claims are directions.
"""

from lib.flow import rules, rules_theory
from lib.report import COMPANION, Claim, value_text

UNSTATED = "not stated"


def _published(key: str) -> str:
    return value_text("flow", key)


_PAPER = (
    Claim(
        "accuracy",
        "Routing by instance is more accurate than fine-tuning FedAvg (instance preferences, rho = 0.25)",
        "abstract",
        _published("accuracy"),
        "paired gain of at least 0.03 in every seed; close if its median is above 0",
        ("clients",),
        rules.accuracy,
    ),
    Claim(
        "harmed",
        "It harms fewer clients than fine-tuning (instance preferences, rho = 0.25)",
        "abstract",
        _published("harmed"),
        "at most half as many clients strictly below the global model in every seed; close if fewer in the median",
        ("clients",),
        rules.harmed,
    ),
    Claim(
        "global-accuracy",
        "It makes the global model itself better (instance preferences)",
        "abstract",
        _published("global-accuracy"),
        "median paired change of global accuracy above 0.005 at every rho; close if above -0.01",
        ("clients",),
        rules.global_accuracy,
    ),
)

_COMPANION = (
    Claim(
        "every-rho",
        "The gain over fine-tuning holds whatever the share of local instances",
        COMPANION,
        UNSTATED,
        "median gain above 0 and not more clients harmed at rho 0.25, 0.5 and 0.75; close if the mean gain is positive",
        ("clients",),
        rules.every_rho,
    ),
    Claim(
        "auc",
        "The policy finds which instances are local, though nothing tells it",
        COMPANION,
        UNSTATED,
        "AUC of the mean local probability within a client at least 0.95 in every seed at rho 0.25 and 0.5; close if "
        "its median is at least 0.9",
        ("routes",),
        rules.auc,
    ),
    Claim(
        "ensemble",
        "A plain mean of global and fine-tuned predictions is nearly as good",
        COMPANION,
        UNSTATED,
        "the better of the two ensembles at most 0.02 below Flow in the median at rho 0.25 and 0.5; close up to 0.04",
        ("clients",),
        rules.ensemble,
    ),
    Claim(
        "by-client",
        "Routing by instance is worth it: one route for all instances of a client loses (rho = 0.25)",
        COMPANION,
        UNSTATED,
        "paired gain above 0.02 in every seed; close if its median is above 0",
        ("granularity",),
        rules.by_client,
    ),
    Claim(
        "mixing",
        "The best weight of the local estimate is a ratio of variances, whatever the number of clients",
        COMPANION,
        UNSTATED,
        "weight within 0.03 and risk within 3 % of the closed forms in every setting; close within twice that",
        ("mixing",),
        rules_theory.mixing,
    ),
    Claim(
        "instance-value",
        "Routing by instance gains a hump over the share of a type, and nothing at its ends",
        COMPANION,
        UNSTATED,
        "within 3 % of the closed form, and below 1e-9 at the ends; close within 6 %",
        ("instances",),
        rules_theory.instance_value,
    ),
)

CLAIMS = _PAPER + _COMPANION
