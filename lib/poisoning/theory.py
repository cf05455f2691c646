"""What is known of aggregation rules in closed form: breakdown points, robustness constants, the paths of attacks.

Sources: Blanchard et al., arXiv 1703.02757 (Krum); Allouah et al., arXiv 2302.01772 ((f, kappa)-robustness; the
constants are recalled, not re-read); the rest is the companion's.
"""

import math

import numpy as np
import torch

from lib.poisoning import aggregation
from lib.poisoning.aggregation.mixing import Rule

BUCKETING = "bucketing + trimmed mean"


def _norm_bound(updates: torch.Tensor, f: int) -> torch.Tensor:
    return aggregation.norm_bound(updates, f)


def _multi_krum_iterative(updates: torch.Tensor, f: int) -> torch.Tensor:
    return aggregation.multi_krum(updates, f, variant="iterative")


def _dnc(updates: torch.Tensor, f: int) -> torch.Tensor:
    return aggregation.divide_and_conquer(updates, f, coordinates=updates.shape[1])


def _clipping(updates: torch.Tensor, f: int) -> torch.Tensor:
    """Return centred clipping around this round's median: the last aggregate, its usual centre, is not at hand here."""
    return aggregation.centred_clipping(updates, f, centre=aggregation.median(updates, f))


def _bucketing(updates: torch.Tensor, f: int) -> torch.Tensor:
    """Return the trimmed mean of pairs; who is paired is drawn once, so that a server must shuffle its clients."""
    pairs = aggregation.bucketed(updates, min(2, len(updates)), np.random.default_rng(len(updates)))
    return aggregation.trimmed_mean(pairs, f)


# The rules that figures compare, by the name they go by there.
RULES: dict[str, Rule] = {
    "mean": aggregation.mean,
    "median": aggregation.median,
    "trimmed mean": aggregation.trimmed_mean,
    "norm bound": _norm_bound,
    "Krum": aggregation.krum,
    "Multi-Krum": aggregation.multi_krum,
    "Multi-Krum, iterative": _multi_krum_iterative,
    "Bulyan": aggregation.bulyan,
    "geometric median": aggregation.geometric_median,
    "DnC": _dnc,
    "NNM + trimmed mean": aggregation.after_mixing(aggregation.trimmed_mean),
    "NNM + Krum": aggregation.after_mixing(aggregation.krum),
    "centred clipping": _clipping,
    BUCKETING: _bucketing,
    "AFA": aggregation.adaptive_averaging,
    "FoolsGold": aggregation.foolsgold,
}
# Rules that do not use f and promise nothing of it; FoolsGold without the rounds before, which it was made for.
UNPROMISED = ("mean", "AFA", "FoolsGold")


def most_tolerated(rule: str, clients: int) -> int:
    """Return the largest f that `rule` (a name of `RULES`) is guaranteed, or for DnC believed, to stand."""
    if rule in UNPROMISED:
        return 0
    if rule == BUCKETING:  # an attacker spoils one of the pairs
        return ((clients + 1) // 2 - 1) // 2
    if rule == "Bulyan":
        return max((clients - 3) // 4, 0)
    if "Krum" in rule:
        return max((clients - 3) // 2, 0)
    return (clients - 1) // 2


def two_point_ratio(clients: int, f: int) -> float:
    """Return the squared error over the variance that no rule which ignores f outliers can avoid: ``f / (n - 2f)``.

    With n - f updates at zero and f at u, the outliers may as well be f of the zeros: the rule must return zero, and
    its distance to the mean of the f copies and n - 2f zeros is exactly that share of their variance.
    """
    return f / (clients - 2 * f)


def robustness_bound(rule: str, clients: int, f: int) -> float:
    """Return the known upper bound of kappa of `rule` for ``2f < n``; NaN where we know none.

    With ``r = f / (n - 2f)``: trimmed mean ``6r(1 + r)``, Krum ``6(1 + r)``, median and geometric median
    ``4(1 + r)^2``; after mixing ``8f / (n - f)`` times one more than the rule's own.
    """
    r = two_point_ratio(clients, f)
    if rule.startswith("NNM + "):
        own = robustness_bound({"Krum": "Krum"}.get(rule[6:], rule[6:]), clients, f)
        return 8 * f / (clients - f) * (own + 1)
    known = {"trimmed mean": 6 * r * (1 + r), "Krum": 6 * (1 + r)}
    known |= dict.fromkeys(("median", "geometric median"), 4 * (1 + r) ** 2)
    return known.get(rule, math.nan)


def krum_factor(clients: int, f: int) -> float:
    """Return Krum's eta: it is resilient where ``eta * sqrt(d) * sigma`` is below the length of the gradient."""
    if clients <= 2 * f + 2:
        raise ValueError(f"Krum needs n > 2f + 2; there are n = {clients} and f = {f}")
    inner = f * (clients - f - 2) + f**2 * (clients - f - 1)
    return math.sqrt(2 * (clients - f + inner / (clients - 2 * f - 2)))


def krum_angle_sine(updates: torch.Tensor, f: int) -> float:
    """Return ``eta * sqrt(d) * sigma / |g|`` of benign `updates` ``(n, d)``; Krum's guarantee is void from one on.

    ``sqrt(d) * sigma`` is the root of the mean squared distance to the mean g.
    """
    mean = updates.mean(dim=0)
    spread = (updates - mean).square().sum(dim=1).mean().sqrt()
    return krum_factor(len(updates), f) * float(spread / mean.norm())


def mpaf_path(start: float, base: float, *, share: float, scale: float, rounds: int) -> list[float]:
    """Return a weight under MPAF and the mean, round by round, when benign updates are zero.

    A round leaves ``1 - share * scale`` of the distance to the base model: ``share * scale = 1`` lands on it, more than
    two runs away.
    """
    path = [start]
    for _ in range(rounds):
        path.append(path[-1] + share * scale * (base - path[-1]))
    return path
