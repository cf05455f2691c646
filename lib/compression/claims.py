"""What the paper claims, what the companion adds, and the rule for each.

The rules were stated before the results were seen.
"""

from lib.compression import rules
from lib.report import COMPANION, Claim, value_text

DIRECTION = "direction only"


def _published(key: str) -> str:
    return value_text("compression", key)


_PAPER = (
    Claim(
        "loss",
        "The student loses at most 6 points of accuracy (digits, miniature ResNet)",
        "tables 2 and 3",
        _published("loss"),
        "median loss of test accuracy at most 0.06; close up to 0.10",
        ("final",),
        rules.loss("final", 0.06),
    ),
    Claim(
        "beyond-random",
        "The search is worth more than random search with as many trainings (digits)",
        "whole paper (no such baseline)",
        DIRECTION,
        "reward more than 5 % higher in every seed; close if its median is higher",
        ("final",),
        rules.beyond("final", "random search"),
    ),
    Claim(
        "beyond-minimal",
        "The search is worth more than removing everything that may be removed (digits)",
        "whole paper (no such baseline)",
        DIRECTION,
        "reward more than 5 % higher in every seed; close if its median is higher",
        ("final",),
        rules.beyond("final", "remove all"),
    ),
)

_COMPANION = (
    Claim(
        "grows",
        "The reward of drawn students grows several times over",
        COMPANION,
        "",
        "mean of the last fifth of the iterations at least 3 times that of the first in every seed; close from 1.5",
        ("history",),
        rules.grows,
    ),
    Claim(
        "floor",
        "The policy ends at the floor: it removes (nearly) all that it may",
        COMPANION,
        "",
        "at least half of the last fifth's students within 10 % of the fewest parameters; close from a fifth",
        ("history",),
        rules.floor,
    ),
    Claim(
        "cache",
        "Remembering trained students saves trainings in a search of the paper's form",
        COMPANION,
        "",
        "at least 1.3 students drawn for one trained in every seed; close from 1.1",
        ("savings",),
        rules.cache,
    ),
)
CLAIMS = _PAPER + _COMPANION
