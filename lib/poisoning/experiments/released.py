"""What attacks do as released code computes them, and as they are defined."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from lib.poisoning import aggregation, attacks, released
from lib.poisoning.attacks.geometry import geometry
from lib.poisoning.attacks.min_max import min_sum_strength
from lib.poisoning.attacks.tailored import tailored_strength
from lib.poisoning.theory import RULES


def released_code(
    *, clients: int = 50, attackers: Sequence[int] = (3, 5, 8, 10, 12), count: int = 10, d: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Return what each of four defects of released code does to an attack, on `clients` less `count` normal updates.

    Returns:
        One row a comparison: attack, measure, defined, released, ratio (of the second to the first).
    """
    rng = np.random.default_rng(seed)
    benign = torch.from_numpy(0.2 + rng.standard_normal((clients - count, d)) * rng.uniform(0.5, 2, d))
    toward = attacks.direction(benign, "unit")
    known = geometry(benign, toward, count)
    rows = [
        (f"LIE, {m} of {clients}", "standard deviations from the mean", attacks.little_quantile(clients, m),
         released.released_quantile(clients, m))
        for m in attackers
    ]  # fmt: skip
    fang = (
        function(benign, count, rng=np.random.default_rng(seed))
        for function in (attacks.fang_trimmed, released.released_fang)
    )
    rows.append(("Fang", "trimmed mean moved by", *(_moved(benign, sent) for sent in fang)))
    rows.append(("Min-Sum", "strength", min_sum_strength(known), released.released_min_sum(known)))
    rows.append(("search", "DnC moved by", *searched(benign, toward, count)))
    table = pd.DataFrame(rows, columns=["attack", "measure", "defined", "released"])
    return table.assign(ratio=table["released"] / table["defined"])


def searched(benign: torch.Tensor, toward: torch.Tensor, count: int) -> tuple[float, float]:
    """Return how far DnC is moved at the strength that our search finds, and at the one where the released one ends."""

    def moved(strength: float) -> float:
        sent = (benign.mean(dim=0) + strength * toward).expand(count, -1)
        return float((RULES["DnC"](torch.cat([benign, sent]), count) - benign.mean(dim=0)).norm())

    ours = tailored_strength(geometry(benign, toward, count), "dnc", count)
    return moved(ours), moved(released.released_search(moved))


def _moved(benign: torch.Tensor, sent: torch.Tensor) -> float:
    mean = benign.mean(dim=0)
    return float((aggregation.trimmed_mean(torch.cat([benign, sent]), len(sent)) - mean).norm())
