"""The settings of every method, chosen with the same budget on federations on which nothing is judged."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from lib.federated.tuning import best_settings, tuning_seeds
from lib.flow.baselines.candidates import CANDIDATES, WIDER, setting_of, setting_text
from lib.flow.baselines.methods import METHODS
from lib.flow.experiments.arms import Progress, Run, compared, groups_of, trained
from lib.flow.experiments.datasets import REAL
from lib.flow.experiments.tasks import EMBEDDED, bench_of, cohort_of, fits, tuning_federations
from lib.flow.outcomes import by_run
from lib.report.grids import ends_of
from lib.report.tasks import Task, run_tasks

STORED = Path(__file__).parents[1] / "tuned.csv"
LEAST = {"times": 1, "push": 0, "clusters": 2}  # there is nothing to try below
Settings = dict[str, dict]


def tuning(
    *,
    tasks: Sequence[str] = EMBEDDED,
    methods: Sequence[str] = METHODS,
    seeds: int = 3,
    rounds: int = 12,
    device: str = "cpu",
    workers: int = 1,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the accuracy of every method with each of its candidate settings: the rows of `tuning_tasks`.

    Returns:
        One row a run: task, kind, setting (text), method, seed, and the means of `lib.flow.outcomes.by_run`.
    """
    pieces = tuning_tasks("embedded", tasks, methods, seeds=seeds, rounds=rounds, device=device)
    return pd.concat(run_tasks(pieces, workers=workers, progress=progress).values(), ignore_index=True)


def tuning_tasks(
    table: str,
    tasks: Sequence[str],
    methods: Sequence[str],
    *,
    seeds: int,
    rounds: int,
    apart: bool = False,
    device: str = "cpu",
) -> list[Task]:
    """Return the pieces of the tables ``TABLE_fedavg_tuning`` and ``TABLE_tuning``.

    FedAvg's learning rate comes first; the other methods are tried with the one it chose for what they share. Methods
    without candidates are left out. `apart` makes a piece of each seed and candidate instead of training the seeds
    side by side.
    """
    every, first = list(tuning_seeds(seeds)), f"{table}_fedavg_tuning"
    pieces = []
    for task in tasks:
        some = tried(task)
        others = groups_of([name for name in methods if name in some and name != "FedAvg" and fits(name, task)])
        for names in (("FedAvg",), *others[::-1]):  # Flow, the longest, first
            picks = [[place] for place in range(len(some[names[0]]))] if apart or len(names) == 1 else [None]
            options = {"task": task, "names": names, "rounds": rounds, "device": device}
            where = (first, ()) if names == ("FedAvg",) else (f"{table}_tuning", (first,))
            pieces += [
                Task(where[0], candidate_runs, options | {"seeds": some_seeds, "only": pick}, where[1])
                for pick in picks
                for some_seeds in ([[s] for s in every] if apart else [every])
            ]
    return pieces


def tried(task: str) -> dict[str, list[dict]]:
    """Return the candidate settings of all methods for a task."""
    return WIDER if task in REAL else CANDIDATES


def candidate_runs(
    *,
    task: str,
    names: Sequence[str],
    seeds: Sequence[int],
    only: Sequence[int] | None,
    rounds: int,
    device: str,
    tables: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Return the rows of `tuning` of the candidates of `names`, all of them or those at the places `only`.

    `tables` holds what has been tried before: the settings chosen from it are used.
    """
    settings = settings_of(pd.concat(tables.values()), task) if tables else {}
    runs = [
        Run(federation.to(device), s, {"kind": kind})
        for s in seeds
        for kind, federation in tuning_federations(task, s).items()
    ]
    parts, shared, cohort = [], {}, cohort_of(task)
    for name in names:
        for place, candidate in enumerate(tried(task)[name]):
            if only is None or place in only:
                bench = bench_of(task, settings | {name: candidate})
                found = trained([name], bench, runs, rounds=rounds, cohort_size=cohort, as_fedavg=shared)
                rows = compared(name, found, runs).assign(task=task, setting=setting_text(candidate))
                parts.append(by_run(rows, ["task", "kind", "setting", "method", "seed"]))
    return pd.concat(parts, ignore_index=True)


def chosen(table: pd.DataFrame) -> pd.DataFrame:
    """Return each task's and method's most accurate setting: task, method, setting.

    The accuracy of a setting is the median over seeds of the mean over the kinds of federation of a task.
    """
    runs = table.groupby(["task", "method", "setting", "seed"], as_index=False, sort=False)["personal"].mean()
    return best_settings(runs, ["task", "method"], setting="setting", value="personal")


def settings_table(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what was chosen in the ``..._tuning`` tables among `tables`: a row a method, a column a task, text.

    A star marks a value at an end of those tried: one beyond might have been better. The last row, partitions, has the
    number of seeds of federations on which the settings of a task were chosen.
    """
    found = [table for name, table in tables.items() if name.endswith("_tuning")]
    if not found:
        return pd.DataFrame()
    table = pd.concat(found, ignore_index=True)
    best = chosen(table)
    best["setting"] = [_starred(table, row.task, row.method, row.setting) for row in best.itertuples()]
    wide = best.pivot_table(index="method", columns="task", values="setting", aggfunc="first").fillna("")
    wide.loc["partitions"] = table.groupby("task")["seed"].nunique().astype(str)
    return wide


def _starred(table: pd.DataFrame, task: str, method: str, setting: str) -> str:
    ends = at_ends(table, task, method, setting)
    return ", ".join(f"{part} *" if part in ends else part for part in setting.split(", "))


def at_ends(table: pd.DataFrame, task: str, method: str, setting: str) -> list[str]:
    """Return the parts of a setting, as text, that are the least or the most of what `table` tried for the method.

    The values of `LEAST` do not count.
    """
    tried_here = table.loc[(table["task"] == task) & (table["method"] == method), "setting"]
    grid = [setting_of(text) for text in tried_here.unique()]
    found = []
    for name, value in setting_of(setting).items():
        values = {one[name] for one in grid if name in one}
        if value in ends_of(values) and value != LEAST.get(name):
            found.append(setting_text({name: value}))
    return found


def settings_of(table: pd.DataFrame, task: str) -> Settings:
    """Return the settings that were chosen for `task` by method."""
    best = chosen(table[table["task"] == task])
    return {row.method: setting_of(row.setting) for row in best.itertuples()}


def tuned_table() -> pd.DataFrame:
    """Return the stored outcome of `tuning` with its defaults, from which the settings in use are chosen.

    It is kept beside the code in ``lib/flow/tuned.csv``; ``python -m lib.flow.experiments.tuning`` makes it anew.
    """
    return pd.read_csv(STORED)


@functools.cache
def stored_settings(task: str) -> Settings:
    """Return the settings in use for a task of `EMBEDDED`, by method."""
    return settings_of(tuned_table(), task)


if __name__ == "__main__":
    tuning().to_csv(STORED, index=False, float_format="%.8g")
