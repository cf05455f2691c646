"""What the companion claims of rules and attacks that can be proved, counted or timed, and the rule for each."""

from lib.poisoning import rules_theory
from lib.report import COMPANION, Claim

UNSTATED = "not stated"

THEORY = (
    Claim(
        "breakdown",
        "Every rule stands as many distant attackers as it promises, the mean none",
        COMPANION,
        UNSTATED,
        "no run within the promise moves by over three benign radii, the mean by over 100; close if two runs do",
        ("breakdown",),
        rules_theory.breakdown_steps,
    ),
    Claim(
        "two-points",
        "On two points every robust rule has exactly the error that none can avoid",
        COMPANION,
        UNSTATED,
        "relative difference below 1e-6; close below 1e-3",
        ("two_points",),
        rules_theory.two_points_exact,
    ),
    Claim(
        "below-bounds",
        "No attack found exceeds the known bounds of (f, kappa)-robustness (as recalled)",
        COMPANION,
        UNSTATED,
        "largest measured kappa at most its bound; close within 1 %",
        ("robustness",),
        rules_theory.below_bounds,
    ),
    Claim(
        "krum-does-not-vanish",
        "Krum's error does not vanish with the number of attackers; mixing first mends it",
        COMPANION,
        UNSTATED,
        "with one attacker kappa of Krum at least five times that of mixed Krum and of trimmed mean; close from twice",
        ("robustness",),
        rules_theory.krum_does_not_vanish,
    ),
    Claim(
        "plateau",
        "Against the trimmed mean all strengths beyond the extremes do the same, given in closed form",
        COMPANION,
        UNSTATED,
        "relative difference below 1e-6; close below 1e-3",
        ("strength",),
        rules_theory.plateau_reached,
    ),
    Claim(
        "three-shapes",
        "With growing strength the mean moves without end, coordinate-wise rules saturate, selecting ones reject",
        COMPANION,
        UNSTATED,
        "mean more than five times its value at the middle strength, median and trimmed mean above 99 % of their peak, "
        "Multi-Krum and DnC below 5 % of theirs; close if the last are below 20 %",
        ("strength",),
        rules_theory.three_shapes,
    ),
    Claim(
        "told-too-few",
        "A trimmed mean that is told of one attacker too few moves without end, with a known slope",
        COMPANION,
        UNSTATED,
        "relative difference below 1e-6; close below 1e-3",
        ("strength",),
        rules_theory.told_too_few,
    ),
    Claim(
        "krum-says-nothing",
        "Krum's own guarantee is void for a network: its condition is missed in every round without attack (digits)",
        COMPANION,
        UNSTATED,
        "spread over gradient, which must be below 1, at least 10 in every round and seed; close from 1",
        ("krum_guarantee",),
        rules_theory.krum_says_nothing,
    ),
    Claim(
        "mpaf-path",
        "Under the mean MPAF's product of share and scale decides: one lands on its model, more than two runs away; "
        "norm bounding gives way by its share of the radius a round",
        COMPANION,
        UNSTATED,
        "difference to the closed form, relative where it is above 1, below 1e-6; close below 1e-3",
        ("mpaf",),
        rules_theory.mpaf_exact,
    ),
    Claim(
        "votes-and-trust",
        "Votes of signs turn exactly where attackers outnumber the benign margin; FLTrust is never longer than its own "
        "update and not moved by what points against it",
        COMPANION,
        UNSTATED,
        "all three to 1e-9; close to 1e-3",
        ("votes",),
        rules_theory.votes_and_trust,
    ),
    Claim(
        "cheap-search",
        "The strongest tailored attack on Multi-Krum is found without running the rule at each probe",
        COMPANION,
        UNSTATED,
        "at least 10 times faster; close from 5 times",
        ("search",),
        rules_theory.search_is_cheap,
        timed=True,
    ),
)
