"""Attacks: pure functions from what the attacker knows to the updates ``(attackers, d)`` that are sent."""

from lib.poisoning.attacks.ascent import gradient_ascent
from lib.poisoning.attacks.beyond_extremes import beyond_extremes, fang_trimmed, trimmed_plateau
from lib.poisoning.attacks.data_poisoning import flipped_labels, least_likely_labels, noise_images
from lib.poisoning.attacks.fakes import adapted_factor, history, mpaf, poisoned_fl, random_updates
from lib.poisoning.attacks.fang_krum import fang_krum
from lib.poisoning.attacks.little import little_is_enough, little_quantile
from lib.poisoning.attacks.min_max import min_max, min_sum
from lib.poisoning.attacks.reference import direction, disguised
from lib.poisoning.attacks.simple import gaussian, inner_product, mimic, sign_flip
from lib.poisoning.attacks.tailored import tailored

__all__ = [
    "adapted_factor",
    "beyond_extremes",
    "direction",
    "disguised",
    "fang_krum",
    "fang_trimmed",
    "flipped_labels",
    "gaussian",
    "gradient_ascent",
    "history",
    "inner_product",
    "least_likely_labels",
    "little_is_enough",
    "little_quantile",
    "mimic",
    "min_max",
    "min_sum",
    "mpaf",
    "noise_images",
    "poisoned_fl",
    "random_updates",
    "sign_flip",
    "tailored",
    "trimmed_plateau",
]
