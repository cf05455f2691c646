"""Updates and rules that the tests of poisoning share."""

import functools

import numpy as np
import torch

from lib.poisoning import aggregation as rules

ROOT = 7  # seed of the server's own update in the suite of rules


def updates(n=12, d=9, seed=0, dtype=torch.float64, shift=0.0):
    rng = np.random.default_rng([n, d, seed])
    return torch.tensor(rng.standard_normal((n, d)) + shift, dtype=dtype)


def trust(rows, f=0):
    root = updates(1, rows.shape[-1], ROOT)[0].to(rows) + 0.3
    return rules.fltrust(rows, f, root=root)


def clipped(rows, f=0):
    return rules.centred_clipping(rows, f, radius=2.0, iterations=3)


def robust_dnc(rows, f):
    return rules.divide_and_conquer(rows, f, iterations=2)


MULTI_KRUM = {
    name: functools.partial(rules.multi_krum, variant=name) for name in ("one shot", "one", "byzfl", "iterative")
}
# name: (rule, whether it moves with a translation, a positive factor, a rotation)
RULES = {
    "mean": (rules.mean, True, True, True),
    "median": (rules.median, True, True, False),
    "trimmed mean": (rules.trimmed_mean, True, True, False),
    "norm bound": (rules.norm_bound, False, True, True),
    "krum": (rules.krum, True, True, True),
    **{f"multi-krum, {name}": (rule, True, True, True) for name, rule in MULTI_KRUM.items()},
    "bulyan": (rules.bulyan, True, True, False),
    "bulyan, one pass": (functools.partial(rules.bulyan, selection="one pass"), True, True, False),
    "geometric median": (rules.geometric_median, True, True, True),
    "clipping": (rules.centred_clipping, False, True, True),
    "clipping, fixed": (clipped, False, False, True),
    "dnc": (robust_dnc, True, True, True),
    "afa": (rules.adaptive_averaging, False, True, True),
    "foolsgold": (rules.foolsgold, False, True, True),
    "fltrust": (trust, False, False, False),
    "sign majority": (rules.sign_majority, False, False, False),
    "mixed mean": (rules.after_mixing(rules.mean), True, True, True),
    "mixed trimmed mean": (rules.after_mixing(rules.trimmed_mean), True, True, False),
    "mixed krum": (rules.after_mixing(rules.krum), True, True, True),
}
MOVES = [name for name, (_, moves, _, _) in RULES.items() if moves]
SCALES = [name for name, (_, _, scales, _) in RULES.items() if scales]
TURNS = [name for name, (_, _, _, turns) in RULES.items() if turns]
# Rules that need no assumption on f, by name: what they do with a bad f is their own business.
NO_TOLERANCE = ("mean", "clipping", "clipping, fixed", "afa", "foolsgold", "fltrust", "mixed mean")
