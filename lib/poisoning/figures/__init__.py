"""Figures of poisoning: tidy table in, captioned figure out."""

from lib.poisoning.figures.images import distances, samples
from lib.poisoning.figures.spectrum import adversaries, heterogeneity, prices, rounds, shares, spectrum
from lib.poisoning.figures.theory import breakdown, cohorts, robustness, strength

__all__ = [
    "adversaries",
    "breakdown",
    "cohorts",
    "distances",
    "heterogeneity",
    "prices",
    "robustness",
    "rounds",
    "samples",
    "shares",
    "spectrum",
    "strength",
]
