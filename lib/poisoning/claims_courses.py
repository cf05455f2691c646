"""What the companion claims of the course of a run and of the malicious share, and the rule for each."""

from lib.poisoning import rules_courses
from lib.poisoning.claims_theory import UNSTATED
from lib.report import COMPANION, Claim

_AFTER = "written after the figures were seen, from an expectation that is older"
_STAND_IN = "the bootstrap of five clients stands in for the hybrid"


def _shares(data: str, name: str, sweep: str, more: tuple[str, ...], before: str) -> tuple[Claim, ...]:
    """Return the claims on shares that are judged alike on two data sets, `before` their identifiers.

    `sweep` is the table of shares, `more` are those that hold further shares up to 20 %.
    """
    return (
        Claim(
            f"{before}data-lead-at-few",
            f"Up to a malicious share of 20 % an adversary with some data does more harm than fakes without ({name}; "
            f"{_STAND_IN})",
            COMPANION,
            UNSTATED,
            "best accuracy at least 0.02 below that under MPAF and under noise, in the median, at every share up to 20 "
            "% and under every rule that was swept; close if it is lower at all",
            (sweep, *more),
            rules_courses.leads_at_few(data),
            _AFTER,
        ),
        Claim(
            f"{before}curves-meet-at-many",
            f"At a malicious share of 40 % data make no difference: all adversaries meet ({name}; {_STAND_IN})",
            COMPANION,
            UNSTATED,
            "best accuracies under MPAF, noise and bootstrap less than 0.10 apart, in the median, under every rule "
            "that was swept; close if less than 0.20",
            (sweep,),
            rules_courses.meets_at_many(data),
            _AFTER,
        ),
    )


COURSES = (
    Claim(
        "fakes-are-recovered-from",
        "Under the trimmed mean accuracy recovers from fakes without data and not from tailored attacks (digits)",
        COMPANION,
        UNSTATED,
        "median of best less last accuracy at most 0.02 under MPAF and at least 0.02 more under the hybrid and under "
        "the omniscient attack; close if it is least under MPAF",
        ("spectrum",),
        rules_courses.recovers,
        _AFTER,
    ),
    *_shares("digits", "digits", "by_share", (), ""),
    *_shares("mnist", "MNIST", "real_shares", ("real",), "mnist-"),
)
