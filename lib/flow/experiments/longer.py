"""The experiments on embedded data that take longer than a build may: all methods, ablations, digits."""

from collections.abc import Sequence

import pandas as pd

from lib.flow.baselines.methods import METHODS, UNTUNED
from lib.flow.experiments.ablation import ablation, variants
from lib.flow.experiments.arms import Progress, groups_of
from lib.flow.experiments.curves import AT_EACH_ROUND, over_rounds
from lib.flow.experiments.preference import preference
from lib.flow.experiments.shifts import digit_shifts
from lib.flow.outcomes import by_run
from lib.report.tasks import Task, run_tasks

KNOWN = ("methods", "deltas", "rounds", "ablation", "digits")
CELL = ["rho", "delta", "method", "seed"]
SHIFTS = ({"alphas": (0.1,)}, {"alphas": (0.6,)}, {"alphas": (10.0,)}, {"styles": (1.0,)})


def longer_tables(
    names: Sequence[str],
    *,
    seeds: int = 5,
    seed: int = 0,
    rounds: int = 25,
    device: str = "cpu",
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables named: `KNOWN` says which there are. `workers` processes share the work.

    ``methods`` (all methods on instance preferences, one row a run), ``deltas`` and
    ``delta_routes`` (FedAvg, fine-tuning and Flow against the distance of the clients' rules, rho = 0.5), ``ablation``
    (at most three seeds), ``digits`` (`digit_shifts`), ``rounds`` (`over_rounds`). Raises ValueError for an unknown
    name.
    """
    tasks = longer_tasks(names, seeds=seeds, seed=seed, rounds=rounds, device=device)
    return run_tasks(tasks, workers=workers, progress=progress)


def longer_tasks(names: Sequence[str], *, seeds: int, seed: int = 0, rounds: int, device: str = "cpu") -> list[Task]:
    """Return the tasks of `longer_tables`."""
    unknown = sorted(set(names) - set(KNOWN))
    if unknown:
        raise ValueError(f"no table {unknown[0]!r}; choose from {', '.join(KNOWN)}")
    more = {"seeds": seeds, "seed": seed, "device": device}
    long = more | {"rounds": rounds}
    tasks = {
        "methods": [
            Task("methods", clients_means, long | {"rhos": (rho,), "methods": group})
            for rho in (0.25, 0.5)
            for group in groups_of((*METHODS, UNTUNED))
        ],
        "deltas": [
            Task(table, function, long | {"rhos": (0.5,), "deltas": (delta,), "methods": group})
            for delta in (0.25, 0.5, 1.0)
            for table, function, group in (
                ("deltas", clients_means, ("FedAvg", "FedAvg + FT", "Flow")),
                ("delta_routes", routes_means, ("Flow",)),
            )
        ],
        "rounds": [Task("rounds", over_rounds, long | {"methods": group}) for group in groups_of(AT_EACH_ROUND)],
        "ablation": [
            Task("ablation", ablation, long | {"seeds": min(seeds, 3), "groups": (group,), "names": (name,)})
            for group, some in variants().items()
            for name in some
        ],
        "digits": [
            Task("digits", digit_shifts, more | {"alphas": (), "styles": (), "methods": group} | shift)
            for shift in SHIFTS
            for group in groups_of((*METHODS, UNTUNED))
        ],
    }
    return [task for name in KNOWN if name in names for task in tasks[name]]


def clients_means(**options: object) -> pd.DataFrame:
    """Return the means over clients of one call of `preference`, one row a run."""
    return by_run(preference(**options)["clients"], CELL)


def routes_means(**options: object) -> pd.DataFrame:
    """Return the means over clients of the routes of one call of `preference`, one row a run."""
    return by_run(preference(**options)["routes"], CELL)
