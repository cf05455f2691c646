"""The same comparison on real data, each method with settings of its own that were tuned for the task."""

from collections.abc import Callable, Sequence

import pandas as pd

from lib.flow.baselines.methods import UNTUNED
from lib.flow.experiments.arms import Progress, Run, compared, groups_of, trained
from lib.flow.experiments.datasets import REAL, real_federation
from lib.flow.experiments.tasks import bench_of, fits
from lib.flow.experiments.tuning import Settings, settings_of, tuning
from lib.report.tasks import Task, run_tasks

KNOWN = ("digits", "femnist-digits", "cifar10", "tinyshakespeare")
METHODS = (
    "FedAvg", "FedAvg + FT", UNTUNED, "ensemble", "ensemble, own weight", "kNN-Per", "Ditto", "local only", "Flow",
)  # fmt: skip


def real_tables(
    data_sets: Sequence[str],
    *,
    methods: Sequence[str] = METHODS,
    seeds: int = 5,
    seed: int = 0,
    rounds: int = 40,
    tuning_seeds: int = 2,
    tuning_rounds: int = 10,
    device: str = "cpu",
    workers: int = 1,
    progress: Progress | None = None,
    beside: Sequence[Task] = (),
    on_table: Callable[[str, pd.DataFrame], None] = lambda name, table: None,
) -> dict[str, pd.DataFrame]:
    """Return the tables ``femnist``, ``cifar10`` and ``shakespeare`` of the data sets named, and their ``..._tuning``.

    Settings are tuned on federations of their own first. `workers` processes share the work; the tasks
    `beside` are done along with the last ones, and `on_table` is called with each table once it is complete. Raises
    ValueError for an unknown name, DataError where a data set is absent.

    Returns:
        One row a client of each run: setting, method, seed and the columns of `lib.flow.outcomes.clients_table`;
        ``femnist_tuning`` and so on as `lib.flow.experiments.tuning.tuning` has it; and the tables of `beside`.
    """
    unknown = sorted(set(data_sets) - set(KNOWN))
    if unknown:
        raise ValueError(f"unknown data set {unknown[0]!r}; choose from {', '.join(KNOWN)}")
    tasks = [task for task, where in REAL.items() if where.data in data_sets]
    pieces, found, how = list(beside), {}, {"workers": workers, "progress": progress}
    if tasks:
        options = {"seeds": tuning_seeds, "rounds": tuning_rounds, "device": device}
        tuned = tuning(tasks=tasks, methods=methods, apart=True, **how, **options)
        found = {f"{table}_tuning": rows for table, rows in tuned.groupby(tuned["task"].map(lambda t: REAL[t].table))}
        for name, table in found.items():
            on_table(name, table)
    for task in tasks:
        settings = settings_of(tuned, task)
        for group in groups_of([name for name in methods if fits(name, task)])[::-1]:  # Flow, the longest, first
            options = {"task": task, "methods": group, "settings": settings, "rounds": rounds, "device": device}
            pieces += [Task(REAL[task].table, outcome, options | {"seed": s}) for s in range(seed, seed + seeds)]
    return found | run_tasks(pieces, **how, on_table=on_table)


def outcome(
    *, task: str, methods: Sequence[str], settings: Settings, seed: int, rounds: int, device: str
) -> pd.DataFrame:
    """Return the rows of `real_tables` of one task and seed."""
    where = REAL[task]
    run = Run(real_federation(task, seed).to(device), seed, {"setting": where.setting})
    found = trained(methods, bench_of(task, settings), [run], rounds=rounds, cohort_size=where.cohort)
    parts = [compared(name, found, [run]) for name in methods]
    return pd.concat(parts, ignore_index=True)
