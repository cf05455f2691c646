"""Three statements with exact values: the path of MPAF, votes that flip, trust that cannot be bought."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from lib.poisoning import aggregation, attacks
from lib.poisoning.theory import mpaf_path


def mpaf_paths(
    *,
    clients: int = 25,
    count: int = 5,
    products: Sequence[float] = (0.5, 1.0, 1.8, 2.2),
    radius: float = 0.5,
    d: int = 20,
    rounds: int = 12,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how far a model stays from MPAF's base model when benign updates are zero, under two rules.

    Under the mean ``product`` is share times scale; norm bounding has a fixed `radius` and a huge scale.

    Returns:
        One row a rule, product and round from zero: rule, product (NaN for norm bounding), round, distance (to the base
        model, over that at the start), exact (the closed form).
    """
    share, rng = count / clients, np.random.default_rng(seed)
    start, base = (torch.from_numpy(rng.standard_normal(d)) for _ in range(2))
    apart = float((base - start).norm())
    step = share * radius / apart  # what norm bounding gives way at most, as a share of the way
    rows = []
    for product in (*products, float("nan")):
        bounded = product != product
        exact = [1 - t * step for t in range(rounds + 1)] if bounded else _left(share, product, rounds)
        here = start
        for round in range(rounds + 1):
            distance = float((base - here).norm()) / apart
            row = {"rule": "norm bound" if bounded else "mean", "product": product, "round": round}
            rows.append(row | {"distance": distance, "exact": exact[round]})
            sent = attacks.mpaf(here, base, count, scale=1e6 if bounded else product / share)
            cohort = torch.cat([torch.zeros(clients - count, d, dtype=torch.float64), sent])
            moved = aggregation.norm_bound(cohort, radius=radius) if bounded else aggregation.mean(cohort)
            here = here + moved
    return pd.DataFrame(rows)


def _left(share: float, product: float, rounds: int) -> list[float]:
    return [abs(1 - x) for x in mpaf_path(0.0, 1.0, share=share, scale=product / share, rounds=rounds)]


def votes_and_trust(
    *, benign: int = 20, counts: Sequence[int] = tuple(range(20)), d: int = 1000, bias: float = 0.3, seed: int = 0
) -> pd.DataFrame:
    """Return what growing numbers of attackers do to a majority vote of signs and to FLTrust.

    Benign updates are normal around `bias`; attackers vote against each coordinate's majority, and send FLTrust a
    thousand times minus its root update, that update itself, and the two with a vector at right angles to them.

    Returns:
        One row a number: attackers, flipped (share of coordinates whose vote turned), outvoted (share of those whose
        benign margin is below the number), longest (the longest of FLTrust's results over its root update), opposed
        (distance of its result under what points against the root to that without attack, over the root update).
    """
    rng = np.random.default_rng(seed)
    values = torch.from_numpy(rng.standard_normal((benign, d)) + bias)
    root, other = (torch.from_numpy(rng.standard_normal(d)) for _ in range(2))
    root = root + bias
    aside = other - (other @ root) / (root @ root) * root
    votes, honest = values.sign().sum(dim=0), aggregation.fltrust(values, root=root)
    rows = []
    for count in counts:
        against = torch.cat([values, -votes.sign().expand(count, d)])
        found = aggregation.sign_majority(against, count)
        sent = (-1e3 * root, 1e3 * root, 1e3 * (root + aside), 1e3 * (aside - root))
        results = [aggregation.fltrust(torch.cat([values, one.expand(count, d)]), root=root) for one in sent]
        opposed = torch.stack([results[0], results[3]]) - honest
        rows.append(
            {
                "attackers": count,
                "flipped": float((found == -votes.sign())[votes != 0].double().mean()),
                "outvoted": float((votes.abs() < count)[votes != 0].double().mean()),
                "longest": float(torch.stack(results).norm(dim=1).max() / root.norm()),
                "opposed": float(opposed.norm(dim=1).max() / root.norm()),
            }
        )
    return pd.DataFrame(rows)
