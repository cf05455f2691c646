"""The settings of every method, chosen with the same budget on federations on which nothing is judged."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from lib.flow.baselines.methods import Bench
from lib.flow.experiments.arms import Progress, Run, compared, perceptron_bench, track, trained
from lib.flow.federations import dirichlet_digits, styled_digits
from lib.flow.mixture import mixture
from lib.flow.outcomes import by_run

STORED = Path(__file__).parents[1] / "tuned.csv"
TUNING = 1000  # seeds of the federations for tuning begin here
TASKS = ("instance preferences", "digits")


def _grid(**options: Sequence) -> list[dict]:
    return [dict(zip(options, values, strict=True)) for values in product(*options.values())]


# Six candidates a method; `rate` is a multiple of the common learning rate.
CANDIDATES: dict[str, list[dict]] = {
    "FedAvg": _grid(rate=(0.5, 1.0, 2.5, 5.0, 10.0, 20.0)),
    "FedAvg + FT": _grid(rate=(0.25, 1.0, 2.5), epochs=(1, 5)),
    "local only": _grid(rate=(0.5, 1.0, 2.5, 5.0, 10.0, 20.0)),
    "kNN-Per": _grid(neighbours=(5, 20), weight=(0.2, 0.4, 0.6)),
    "PartialFed": _grid(choice_lr=(0.03, 0.1, 0.3), temperature=(0.5, 1.0)),
    "APFL": _grid(rate=(5.0, 20.0), alpha=(0.1, 0.25, 0.5)),
    "Ditto": _grid(lam=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0)),
    "FedRep": _grid(rate=(0.5, 2.5, 10.0), epochs=(1, 5)),
    "LG-FedAvg": _grid(rate=(0.5, 1.0, 2.5, 5.0, 10.0, 20.0)),
    "HypCluster": _grid(rate=(0.5, 1.0, 2.5), clusters=(2, 4)),
    "ensemble": _grid(rate=(1.0, 2.5), alpha=(0.3, 0.5, 0.7)),
    "ensemble, own weight": _grid(rate=(0.25, 1.0, 2.5), epochs=(1, 5)),
    "Flow": _grid(push=(0.0, 0.01, 0.03, 0.1, 0.3, 1.0)),
    "Flow by client": _grid(push=(0.0, 0.01, 0.03, 0.1, 0.3, 1.0)),
}


def bench_of(task: str, *, options: dict[str, dict] | None = None) -> Bench:
    """Return the networks and the local training of a task of `TASKS`."""
    if task == "instance preferences":
        return perceptron_bench((20, 64, 5), options=options)
    if task == "digits":
        return perceptron_bench((64, 64, 10), lr=0.1, epochs=3, task=task, options=options)
    raise ValueError(f"unknown task {task!r}; choose from {', '.join(TASKS)}")


def runs_of(task: str, seeds: Sequence[int]) -> list[Run]:
    """Return the federations of a task on which settings are chosen: two kinds for each seed."""
    made = []
    for s in seeds:
        if task == "instance preferences":
            made += [Run(mixture(rho=rho, seed=s).federation, s, {"kind": f"rho={rho:g}"}) for rho in (0.25, 0.5)]
        else:
            made.append(Run(dirichlet_digits(alpha=0.6, seed=s), s, {"kind": "alpha=0.6"}))
            made.append(Run(styled_digits(strength=1.0, seed=s), s, {"kind": "style=1"}))
    return made


def tuning(
    *,
    tasks: Sequence[str] = TASKS,
    methods: Sequence[str] = tuple(CANDIDATES),
    seeds: int = 1,
    rounds: int = 12,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the accuracy of every method with each of its six candidate settings.

    Returns:
        One row a run: task, kind, setting (text), method, seed, and the means of `lib.flow.outcomes.by_run`.
    """
    parts = []
    shared: dict[str, dict] = {task: {} for task in tasks}
    for task, name in track([(task, name) for task in tasks for name in methods], "tuning", progress):
        runs = runs_of(task, range(TUNING, TUNING + seeds))
        for candidate in CANDIDATES[name]:
            bench = bench_of(task, options={name: candidate})
            names = list(dict.fromkeys(["FedAvg", name]))
            found = trained(names, bench, runs, rounds=rounds, as_fedavg=shared[task])
            table = compared(name, found, runs).assign(task=task, setting=setting_text(candidate))
            parts.append(by_run(table, ["task", "kind", "setting", "method", "seed"]))
    return pd.concat(parts, ignore_index=True)


def tuned_table() -> pd.DataFrame:
    """Return the stored outcome of `tuning` with its defaults, from which the settings in use were chosen.

    It is kept beside the code in ``lib/flow/tuned.csv``; ``python -m lib.flow.experiments.tuning`` makes it anew.
    """
    return pd.read_csv(STORED)


def setting_text(setting: dict) -> str:
    """Return ``"rate=0.4, epochs=1"``."""
    return ", ".join(f"{key}={value:g}" for key, value in setting.items())


def chosen(table: pd.DataFrame) -> pd.DataFrame:
    """Return each task's and method's setting with the highest mean accuracy: task, method, setting, personal."""
    mean = table.groupby(["task", "method", "setting"], sort=False)["personal"].mean().reset_index()
    best = mean.loc[mean.groupby(["task", "method"], sort=False)["personal"].idxmax()]
    return best.reset_index(drop=True)


if __name__ == "__main__":
    tuning().to_csv(STORED, index=False, float_format="%.8g")
