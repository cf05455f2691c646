"""Figures of poisoning: tidy table in, captioned figure out."""

from lib.poisoning.figures.attacks import attacks, directions, other_rules, taken_over, variants
from lib.poisoning.figures.closed_forms import krum_guarantee, mpaf_paths, quality, votes_and_trust
from lib.poisoning.figures.images import distances, samples
from lib.poisoning.figures.real import of_real, show_real
from lib.poisoning.figures.spectrum import adversaries, heterogeneity, prices, rounds, shares, spectrum
from lib.poisoning.figures.theory import breakdown, cohorts, robustness, strength

__all__ = [
    "adversaries",
    "attacks",
    "breakdown",
    "cohorts",
    "directions",
    "distances",
    "heterogeneity",
    "krum_guarantee",
    "mpaf_paths",
    "of_real",
    "other_rules",
    "prices",
    "quality",
    "robustness",
    "rounds",
    "samples",
    "shares",
    "show_real",
    "spectrum",
    "strength",
    "taken_over",
    "variants",
    "votes_and_trust",
]
