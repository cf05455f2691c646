"""What the paper claims, what the companion adds, and the rule for each.

The rules were stated before the results were seen. Of the paper only the abstract was within our reach; "secondary"
marks what reader notes say of its results. "companion" marks our own propositions.
"""

from lib.poisoning import rules_spectrum
from lib.poisoning.claims_courses import COURSES
from lib.poisoning.claims_theory import THEORY, UNSTATED
from lib.report import COMPANION, Claim, value_text

NOTES = "secondary (reader notes)"
SPECTRUM = ("spectrum",)


def _published(key: str) -> str:
    return value_text("poisoning", key)


REAL = {"mnist": "MNIST", "femnist-digits": "FEMNIST digits", "cifar10": "CIFAR-10"}
_STRICTER = "made stricter after a first run"


def _three(data: str, name: str, table: str, before: str) -> tuple[Claim, ...]:
    """Return the claims on adversaries that are judged alike on every data set, `before` their identifiers."""
    return (
        Claim(
            f"{before}fakes-are-weak",
            f"Fake clients without data (MPAF) do little harm to robust rules ({name})",
            NOTES,
            _published("fake-weak"),
            "median best accuracy lost below 0.10 and below a fifth of what the rule learns beyond a guess, under "
            "median, trimmed mean, norm bound, Multi-Krum; close for three",
            (table,),
            rules_spectrum.fakes_are_weak(data),
            f"{_STRICTER}: a share of what was learnt was added, because 0.10 asks little where little was learnt",
        ),
        Claim(
            f"{before}hybrid-beats-fakes",
            f"The hybrid with five clients taken over does more harm than as many fakes (MPAF; {name})",
            "abstract",
            _published("hybrid-stronger"),
            "at least 0.07 more accuracy lost in every seed under all four rules; close if the medians are above 0",
            (table,),
            rules_spectrum.ahead("hybrid 5", "MPAF", 0.07, data),
        ),
        Claim(
            f"{before}hybrid-approaches-compromised",
            f"Taking over a quarter as many clients the hybrid approaches one that takes over a fifth of all ({name})",
            NOTES,
            _published("hybrid-cheaper"),
            "at least 75 % of its impact under all four rules; close if at least half under three; where the other "
            "costs less than 0.02 there is no share and the rule does not count",
            (table,),
            rules_spectrum.approaches_compromised(data),
        ),
    )


_PAPER = (
    *_three("digits", "digits", "spectrum", ""),
    Claim(
        "hybrid-beats-its-clients",
        "The hybrid does more harm than the five clients that it took over would do alone (digits)",
        NOTES,
        _published("hybrid-stronger"),
        "at least 0.07 more accuracy lost in every seed under all four rules; close if the medians are above 0",
        SPECTRUM,
        rules_spectrum.ahead("hybrid 5", "compromised 5", 0.07),
    ),
    Claim(
        "depends-on-rule",
        "What an adversary achieves depends on the aggregation rule (digits, hybrid)",
        NOTES,
        _published("depends-on-rule"),
        "largest median impact over the four rules at least twice the smallest and 0.1 above it; close from 1.5 times "
        "and 0.05",
        SPECTRUM,
        rules_spectrum.depends_on_rule,
        f"{_STRICTER}: a difference was added, because a ratio to an impact of nearly zero is always large",
    ),
    *(claim for data, name in REAL.items() for claim in _three(data, name, "real", f"{data.split('-')[0]}-")),
)

_LITTLE = (
    "90 % interval of the median paired difference in impact, over rules and seeds, within 0.03 of zero; close within "
    "0.06"
)
_INTERVAL = f"{_STRICTER}: the interval is judged, where the median alone was"
_OWN = (
    Claim(
        "generator-adds-little",
        "The diffusion model adds little to drawing the same few images again (digits, five clients)",
        COMPANION,
        UNSTATED,
        _LITTLE,
        SPECTRUM,
        rules_spectrum.little_between("hybrid 5", "bootstrap 5"),
        _INTERVAL,
    ),
    *(
        Claim(
            f"{data.split('-')[0]}-generator-adds-little",
            f"The diffusion model adds little to drawing the same few images again ({name}, five clients)",
            COMPANION,
            UNSTATED,
            _LITTLE,
            ("real",),
            rules_spectrum.little_between("hybrid 5", "bootstrap 5", data),
        )
        for data, name in REAL.items()
    ),
    Claim(
        "hybrid-beats-all-fakes",
        "The hybrid with five clients does more harm than the strongest of all fakes without data, whichever that is "
        "for a rule (digits)",
        COMPANION,
        UNSTATED,
        "at least 0.02 more accuracy lost in every seed under all four rules; close if the medians are above 0",
        SPECTRUM,
        rules_spectrum.beats_strongest_fakes,
    ),
    Claim(
        "generators-alike",
        "Diffusion and adversarial network serve the attacker alike (digits, five clients)",
        COMPANION,
        UNSTATED,
        _LITTLE,
        SPECTRUM,
        rules_spectrum.little_between("hybrid 5", "DCGAN 5"),
        _INTERVAL,
    ),
    Claim(
        "data-beats-noise",
        "Synthetic digits serve the attacker better than noise (digits)",
        COMPANION,
        UNSTATED,
        "at least 0.02 more accuracy lost in every seed under all four rules; close if the medians are above 0",
        SPECTRUM,
        rules_spectrum.ahead("hybrid 5", "noise", 0.02),
    ),
    Claim(
        "nearer-is-worse",
        "The nearer an attacker's own updates point to honest ones, the more harm it does (digits)",
        COMPANION,
        UNSTATED,
        "median over the four rules of the rank correlation between cosine and accuracy lost, over adversaries and "
        "seeds, at least 0.8; close from 0.5",
        ("quality",),
        rules_spectrum.nearer_is_worse,
    ),
    Claim(
        "memorization",
        "From the images of one client the diffusion model learns them by heart (digits)",
        COMPANION,
        UNSTATED,
        "its samples lie nearer to them than held-out images, by a fifth in every seed; close if in the median",
        ("nearness",),
        rules_spectrum.memorizes,
    ),
    Claim(
        "fixed-beats-omniscient",
        "Knowing the round's honest updates is not the strongest knowledge: a fixed fifth of the clients, whose bias "
        "stays the same, does more harm (digits)",
        COMPANION,
        UNSTATED,
        "median impact more than 0.02 larger under all four rules; close under three",
        SPECTRUM,
        rules_spectrum.fixed_beats_omniscient,
        f"{_STRICTER}, twice: two rules were enough, and any difference; then three",
    ),
    Claim(
        "mean-breaks",
        "Under the plain mean fakes without data bring the model to chance (digits)",
        COMPANION,
        UNSTATED,
        "final accuracy at most 0.2 in every seed; close in the median",
        ("mean",),
        rules_spectrum.mean_breaks,
    ),
    Claim(
        "alike-clients-resist",
        "Where clients are alike robust rules lose far less to the same attack (digits, beta = 1)",
        COMPANION,
        UNSTATED,
        "median impact of the omniscient attack less than half under three of the four rules; close under two; a rule "
        "counts where at least 0.05 is lost at beta = 0.1",
        ("spectrum", "alike"),
        rules_spectrum.alike_clients_resist,
    ),
    Claim(
        "best-hides",
        "The best accuracy over rounds hides part of the damage (digits, omniscient)",
        COMPANION,
        UNSTATED,
        "median impact at the end more than 0.02 larger under three of the four rules; close under one",
        SPECTRUM,
        rules_spectrum.best_hides,
    ),
)

CLAIMS = _PAPER + _OWN + COURSES + THEORY
