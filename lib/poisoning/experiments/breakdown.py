"""Where rules break, and how far a robust one can still be moved: experiments without training."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from lib.poisoning import attacks
from lib.poisoning.aggregation.distances import squared_distances
from lib.poisoning.attacks.reference import deviation
from lib.poisoning.cohorts import malicious_probability
from lib.poisoning.experiments.track import Progress, track
from lib.poisoning.theory import RULES, UNPROMISED, most_tolerated, robustness_bound, two_point_ratio

TOO_FEW = "trimmed mean, one too few"
BROKEN = 3.0  # times the distance of the farthest benign update: more is not a matter of spread


def breakdown(
    *, clients: int = 21, d: int = 10, distance: float = 1e6, rules: Sequence[str] = tuple(RULES), seeds: int = 5
) -> pd.DataFrame:
    """Return which rules survive f equal updates at a great distance.

    Returns:
        One row a rule, f and seed: rule, f, seed, moved (distance of the aggregate to the mean of the benign updates,
        over that of the farthest of them; NaN where the rule refuses so many attackers), survives, and tolerated (the
        largest f that the rule promises to stand).
    """
    rows = []
    for seed in range(seeds):
        values = torch.from_numpy(np.random.default_rng([seed, clients]).standard_normal((clients, d)))
        for f in range((clients + 1) // 2 + 1):
            updates = values.clone()
            updates[clients - f :] = distance / d**0.5
            for name in rules:
                moved = _moved(name, updates, f)
                row = {"rule": name, "f": f, "seed": seed, "moved": moved, "survives": moved <= BROKEN}
                rows.append(row | {"tolerated": most_tolerated(name, clients)})
    return pd.DataFrame(rows)


def _moved(name: str, updates: torch.Tensor, f: int) -> float:
    benign = updates[: len(updates) - f]
    centre = benign.mean(dim=0)
    try:
        found = RULES[name](updates, f)
    except ValueError:  # more than it accepts
        return float("nan")
    return float((found - centre).norm() / (benign - centre).norm(dim=1).max())


def two_points(*, clients: int = 20, d: int = 30, seed: int = 0, rules: Sequence[str] = tuple(RULES)) -> pd.DataFrame:
    """Return the error of every rule where all but f updates are zero and f are equal, and the value it must have.

    Returns:
        One row a rule and f that the rule accepts: rule, f, ratio (squared error against the set of the f copies and
        n - 2f zeros over that set's variance), exact (`lib.poisoning.theory.two_point_ratio`).
    """
    far = torch.from_numpy(np.random.default_rng(seed).standard_normal(d))
    rows = []
    for f in range(1, (clients - 1) // 2 + 1):
        updates = torch.cat([torch.zeros(clients - f, d, dtype=torch.float64), far.expand(f, d)])
        subset = updates[f:]
        for name in rules:
            if f <= most_tolerated(name, clients) or name == "mean":
                ratio = _ratio(RULES[name](updates, f), subset)
                rows.append({"rule": name, "f": f, "ratio": ratio, "exact": two_point_ratio(clients, f)})
    return pd.DataFrame(rows)


def _ratio(found: torch.Tensor, benign: torch.Tensor) -> float:
    centre = benign.mean(dim=0)
    return float((found - centre).square().sum() / (benign - centre).square().sum(dim=1).mean())


def robustness(
    *,
    clients: int = 20,
    d: int = 50,
    fs: Sequence[int] = (1, 2, 4, 6, 8, 9),
    rules: Sequence[str] = tuple(RULES),
    seeds: int = 6,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the largest error over variance, a lower bound of kappa, that a search over attacks finds.

    Four kinds of benign updates a seed: isotropic, stretched in a few coordinates, in two groups, and the two points of
    `two_points`, where the attackers copy the larger group.

    Returns:
        One row a rule, f, kind and seed: rule, f, kind, seed, kappa, bound (the known upper bound, NaN if none), exact
        (the lower bound of the two points).
    """
    rows = []
    for s in track(range(seed, seed + seeds), "robustness", progress):
        for f in fs:
            for kind, benign in _benign_sets(clients - f, d, s, f).items():
                copies = [benign[:1].expand(f, -1)]
                sets = copies if kind == "two points" else _attacks(benign, f)
                cohorts = [torch.cat([benign, sent]) for sent in sets]
                for name in rules:
                    if f > most_tolerated(name, clients) and name not in UNPROMISED:
                        continue
                    kappa = max(_ratio(RULES[name](cohort, f), benign) for cohort in cohorts)
                    row = {"rule": name, "f": f, "kind": kind, "seed": s, "kappa": kappa}
                    bounds = {"bound": robustness_bound(name, clients, f), "exact": two_point_ratio(clients, f)}
                    rows.append(row | bounds)
    return pd.DataFrame(rows)


def _benign_sets(count: int, d: int, seed: int, far: int) -> dict[str, torch.Tensor]:
    """Return `count` benign updates of each kind; of the two points, `far` are away from the others."""
    rng = np.random.default_rng([seed, count, d])
    values = rng.standard_normal((count, d))
    stretched = values * np.where(np.arange(d) < 3, 10.0, 1.0)
    groups = values + 5.0 * (np.arange(count) % 2)[:, None] / d**0.5
    points = values[:1] * (np.arange(count) >= count - far)[:, None]
    sets = {"isotropic": values, "stretched": stretched, "two groups": groups, "two points": points}
    return {kind: torch.from_numpy(found) for kind, found in sets.items()}


def _attacks(benign: torch.Tensor, f: int) -> list[torch.Tensor]:
    """Return the malicious updates of the search, each ``(f, d)``."""
    spread = deviation(benign)
    principal = torch.linalg.svd(benign - benign.mean(dim=0), full_matrices=False).Vh[0]
    radius = squared_distances(benign).max().sqrt()
    found = [benign.mean(dim=0) - z * spread for z in (0.5, 1.0, 1.5, 3.0)]
    found += [benign.mean(dim=0) + g * radius * principal for g in (-1.0, -0.5, -0.25, 0.25, 0.5, 1.0, 1e3)]
    sent = [attacks.mimic(benign, f), attacks.beyond_extremes(benign, f, -spread)]
    sent += [attack(benign, f, kind=kind) for attack in (attacks.min_max, attacks.min_sum) for kind in ("unit", "std")]
    return sent + [one.expand(f, -1) for one in found]


def strength_curves(
    *,
    benign: int = 20,
    count: int = 5,
    d: int = 500,
    kind: str = "std",
    strengths: Sequence[float] = tuple(np.geomspace(0.05, 100, 45)),
    rules: Sequence[str] = tuple(RULES),
    seeds: int = 3,
) -> pd.DataFrame:
    """Return how far attackers at growing strength along one direction move every rule.

    Returns:
        One row a rule, strength and seed: rule, strength, seed, moved (component of the aggregate minus the benign mean
        along the direction of the attack), plateau (what the trimmed mean reaches at most, from its closed form), and
        slope (by how much it grows with the strength, without end, if it is told of one attacker too few). That one is
        the rule "trimmed mean, one too few", where the trimmed mean is among `rules`.
    """
    rows = []
    for seed in range(seeds):
        values = torch.from_numpy(np.random.default_rng([seed, benign, d]).standard_normal((benign, d)))
        mean, toward = values.mean(dim=0), attacks.direction(values, kind)
        unit = toward / toward.norm()
        plateau = float((attacks.trimmed_plateau(values, count, toward) - mean) @ unit)
        slope = float(toward.norm()) / (benign + count - 2 * (count - 1))  # one attacker among those that are left
        tried = {name: (RULES[name], count) for name in rules}
        tried |= {TOO_FEW: (RULES["trimmed mean"], count - 1)} if "trimmed mean" in rules else {}
        for strength in strengths:
            cohort = torch.cat([values, (mean + strength * toward).expand(count, d)])
            for name, (rule, told) in tried.items():
                moved = float((rule(cohort, told) - mean) @ unit)
                row = {"rule": name, "strength": strength, "seed": seed, "moved": moved}
                rows.append(row | {"plateau": plateau, "slope": slope})
    return pd.DataFrame(rows)


def cohort_risk(
    *,
    clients: int = 1000,
    cohorts: Sequence[int] = (10, 25, 60),
    shares: Sequence[float] = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3),
    assumed: float = 0.2,
) -> pd.DataFrame:
    """Return the chances that a cohort has any attacker, more than the server assumes, or a majority.

    Returns:
        One row a cohort size and malicious share: cohort, share, any, more (than ``assumed * cohort``), majority.
    """
    rows = []
    for cohort in cohorts:
        for share in shares:
            law = malicious_probability(clients, round(share * clients), cohort)
            over, half = int(assumed * cohort) + 1, cohort // 2 + 1
            row = {"any": 1 - law[0], "more": sum(law[over:]), "majority": sum(law[half:])}
            rows.append({"cohort": cohort, "share": share} | row)
    return pd.DataFrame(rows)
