"""What rules and searches cost: seconds of aggregation, and of a probe of an attack's strength."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from lib.poisoning import attacks
from lib.poisoning.aggregation.distances import squared_distances
from lib.poisoning.aggregation.multi_krum import multi_krum_rows
from lib.poisoning.attacks.geometry import geometry
from lib.poisoning.attacks.tailored import largest_accepted, tailored_strength
from lib.poisoning.experiments.track import Progress, track
from lib.poisoning.theory import RULES
from lib.profiling import peak_memory, processor_seconds


def rule_costs(
    *,
    clients: Sequence[int] = (25, 50),
    d: int = 100_000,
    share: float = 0.2,
    rules: Sequence[str] = tuple(RULES),
    repeats: int = 2,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return what one aggregation costs the server by every rule.

    Columns: rule, clients, d, milliseconds (processor time, best of repeats), received_mib (the updates, float32), and
    extra_mib (peak of tensors beyond them).
    """
    rows = []
    for n in track(clients, "rules", progress):
        updates = torch.randn(n, d, generator=torch.Generator().manual_seed(n))
        for name in rules:
            f = min(round(share * n), (n - 3) // 4)
            seconds, _ = processor_seconds(lambda run=RULES[name], rows=updates, f=f: run(rows, f), repeats=repeats)
            with peak_memory(inputs=updates) as memory:
                RULES[name](updates, f)
            sizes = {"received_mib": updates.nbytes / 2**20, "extra_mib": memory.extra_bytes / 2**20}
            rows.append({"rule": name, "clients": n, "d": d, "milliseconds": 1e3 * seconds} | sizes)
    return pd.DataFrame(rows)


def search_cost(*, benign: int = 80, count: int = 20, d: int = 50_000, repeats: int = 2) -> pd.DataFrame:
    """Return the processor time of the search against Multi-Krum, on inner products and by re-running the rule.

    Both searches are made: the second forms the cohort and all its distances anew for every strength that it tries.

    Returns:
        One row a way: way, probes, milliseconds, strength (that was found).
    """
    values = torch.from_numpy(np.random.default_rng(0).standard_normal((benign, d), dtype=np.float32))
    toward = attacks.direction(values, "std")
    probes: list[float] = []

    def accepted(strength: float) -> bool:
        probes.append(strength)
        return _rerun(values, toward, count, strength)

    scale = geometry(values, toward, count).scale
    ours, found = processor_seconds(
        lambda: tailored_strength(geometry(values, toward, count), "multi-krum", count), repeats=repeats
    )
    again, same = processor_seconds(
        lambda: largest_accepted(scale, lambda some: [accepted(float(one)) for one in some])
    )
    rows = [{"way": "inner products", "probes": len(probes), "milliseconds": 1e3 * ours, "strength": found}]
    rows += [{"way": "the rule at each probe", "probes": len(probes), "milliseconds": 1e3 * again, "strength": same}]
    return pd.DataFrame(rows)


def _rerun(values: torch.Tensor, toward: torch.Tensor, count: int, strength: float) -> bool:
    """Return whether all attackers are selected, from the updates themselves."""
    cohort = torch.cat([values, (values.mean(dim=0) + strength * toward).expand(count, -1)])
    return int((multi_krum_rows(squared_distances(cohort), count) >= len(values)).sum()) == count
