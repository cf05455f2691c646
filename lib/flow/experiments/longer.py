"""The experiments on embedded data that take longer than a build may: all methods, ablations, digits."""

from collections.abc import Sequence

import pandas as pd

from lib.flow.baselines.methods import METHODS
from lib.flow.experiments.ablation import ablation
from lib.flow.experiments.arms import Progress
from lib.flow.experiments.preference import preference
from lib.flow.experiments.shifts import digit_shifts
from lib.flow.outcomes import by_run

KNOWN = ("methods", "deltas", "ablation", "digits")


def longer_tables(
    names: Sequence[str],
    *,
    seeds: int = 5,
    seed: int = 0,
    rounds: int = 25,
    progress: Progress | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables named: `KNOWN` says which there are.

    ``methods`` (all methods on instance preferences, one row a run), ``deltas`` and
    ``delta_routes`` (FedAvg, fine-tuning and Flow against the distance of the clients' rules, rho = 0.5), ``ablation``
    (three seeds), ``digits`` (`digit_shifts`). Raises ValueError for an unknown name.
    """
    unknown = sorted(set(names) - set(KNOWN))
    if unknown:
        raise ValueError(f"no table {unknown[0]!r}; choose from {', '.join(KNOWN)}")
    options = {"seeds": seeds, "seed": seed, "progress": progress}
    tables = {}
    if "methods" in names:
        clients = preference(rhos=(0.25, 0.5), methods=METHODS, rounds=rounds, **options)["clients"]
        tables["methods"] = by_run(clients, ["rho", "delta", "method", "seed"])
    if "deltas" in names:
        methods = ("FedAvg", "FedAvg + FT", "Flow")
        found = preference(rhos=(0.5,), deltas=(0.25, 0.5, 1.0), methods=methods, rounds=rounds, **options)
        tables["deltas"] = by_run(found["clients"], ["rho", "delta", "method", "seed"])
        tables["delta_routes"] = by_run(found["routes"], ["rho", "delta", "method", "seed"])
    if "ablation" in names:
        tables["ablation"] = ablation(seeds=min(seeds, 3), seed=seed, rounds=rounds, progress=progress)
    if "digits" in names:
        tables["digits"] = digit_shifts(**options)
    return tables
