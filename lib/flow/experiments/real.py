"""The same comparison on real data, each method with settings of its own that were tuned for the task."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lib.flow.baselines.methods import METHODS, UNTUNED
from lib.flow.experiments.arms import Progress, Run, compared, groups_of, labelled, trained
from lib.flow.experiments.datasets import REAL, real_federation
from lib.flow.experiments.longer import longer_tasks
from lib.flow.experiments.tasks import bench_of, fits
from lib.flow.experiments.tuning import settings_of, tuning_tasks
from lib.flow.outcomes import routes_apart
from lib.report.tasks import Task, run_tasks

KNOWN = ("digits", "femnist-digits", "cifar10", "tinyshakespeare")
ROUTED = 3  # seeds of which Flow is trained once more, to look at its routes
MAIN = (
    "FedAvg", "FedAvg + FT", UNTUNED, "ensemble", "ensemble, own weight", "kNN-Per", "Ditto", "local only", "Flow",
)  # fmt: skip


def real_tables(
    data_sets: Sequence[str], *, workers: int = 1, progress: Progress | None = None, **options: Any
) -> dict[str, pd.DataFrame]:
    """Return the tables ``femnist``, ``cifar10`` and ``shakespeare`` of the data sets named, their tuning and routes.

    The `options` are those of `real_tasks`; `workers` processes share the work. Raises ValueError for an unknown name,
    DataError where a data set is absent.

    Returns:
        One row a client of each run: setting, method, seed and the columns of `lib.flow.outcomes.clients_table`;
        ``femnist_fedavg_tuning``, ``femnist_tuning`` and so on as `lib.flow.experiments.tuning.tuning` has it.
        ``femnist_routes`` and so on, one row a client of each run of Flow, at most `ROUTED` seeds: setting, method,
        seed and the columns of `lib.flow.outcomes.routes_apart`.
    """
    return run_tasks(real_tasks(data_sets, **options), workers=workers, progress=progress)


def real_tasks(
    data_sets: Sequence[str],
    *,
    more: Sequence[str] = (),
    seeds: int = 5,
    seed: int = 0,
    rounds: int = 40,
    tuning_seeds: int = 2,
    tuning_rounds: int = 10,
    device: str = "cpu",
) -> list[Task]:
    """Return the pieces of `real_tables`, by method and seed; settings are tuned on federations of their own first.

    Compared are the methods `MAIN` and those named in `more`, where they can do a task.
    """
    for name, choices in [(name, KNOWN) for name in data_sets] + [(name, METHODS) for name in more]:
        if name not in choices:
            raise ValueError(f"unknown data set or method {name!r}; choose from {', '.join(choices)}")
    methods, tasks = [*MAIN, *(name for name in more if name not in MAIN)], []
    for table in dict.fromkeys(where.table for where in REAL.values() if where.data in data_sets):
        of_table, how = [task for task, where in REAL.items() if where.table == table], {"device": device}
        tuned = tuning_tasks(table, of_table, methods, seeds=tuning_seeds, rounds=tuning_rounds, apart=True, **how)
        needs = tuple(dict.fromkeys(piece.table for piece in tuned))
        groups = groups_of([name for name in methods if fits(name, of_table[0])])[::-1]  # Flow, the longest, first
        tasks += tuned + [
            Task(table, outcome, how | {"task": task, "methods": group, "seed": s, "rounds": rounds}, needs)
            for s in range(seed, seed + seeds)
            for task in of_table
            for group in groups
        ]
        tasks += [
            Task(f"{table}_routes", routes, how | {"task": task, "seed": s, "rounds": rounds}, needs)
            for s in range(seed, seed + min(seeds, ROUTED))
            for task in of_table
        ]
    return tasks


def tasks_of(parameters: Mapping[str, Any]) -> list[Task]:
    """Return the pieces of all longer tables that the notebook's parameters ask for."""
    names = {name: f"real_{name}" for name in ("seeds", "rounds")} | {"more": "more_methods"}
    names |= {name: name for name in ("tuning_seeds", "tuning_rounds")}
    real = real_tasks(parameters["data_sets"], **{name: parameters[given] for name, given in names.items()})
    return real + longer_tasks(parameters["longer"], seeds=parameters["seeds"], rounds=parameters["rounds"])


def outcome(
    *, task: str, methods: Sequence[str], seed: int, rounds: int, device: str, tables: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Return the rows of `real_tables` of one task and seed, with the settings chosen from the `tables` of tuning."""
    where, bench = REAL[task], bench_of(task, settings_of(pd.concat(tables.values()), task))
    run = Run(real_federation(task, seed).to(device), seed, {"setting": where.setting})
    found = trained(methods, bench, [run], rounds=rounds, cohort_size=where.cohort)
    return pd.concat([compared(name, found, [run]) for name in methods], ignore_index=True)


def routes(*, task: str, seed: int, rounds: int, device: str, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of ``..._routes`` in `real_tables` of one task and seed: Flow trained as in `outcome`."""
    where, bench = REAL[task], bench_of(task, settings_of(pd.concat(tables.values()), task))
    run = Run(real_federation(task, seed).to(device), seed, {"setting": where.setting})
    algorithm, outcomes = trained(["Flow"], bench, [run], rounds=rounds, cohort_size=where.cohort)["Flow"]
    return labelled(routes_apart(algorithm, outcomes[0].state, run.federation, seed=seed), run, "Flow")
