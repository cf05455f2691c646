"""Methods on images dealt out by class, each at its own learning rate, and fine-tuned with its own settings."""

import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from torch import nn

from lib.federated.history import History
from lib.federated.tuning import best_settings, tuning_seeds
from lib.federated.types import Algorithm, Federation
from lib.fedper.baselines import method
from lib.fedper.experiments.arms import Plan, Progress, arm_or_zero, often, track
from lib.fedper.experiments.finetuning import evaluate, row_after
from lib.fedper.federations import class_federation
from lib.fedper.fedper import FedPer

RATES = (0.001, 0.003, 0.01, 0.03, 0.1)
FINETUNED = {"FedAvg": "FedAvg + FT", "FedPer 1": "FedPer 1 + FT", "FedBABU": "FedBABU"}  # and its name afterwards
FINETUNE_EPOCHS, FINETUNE_RATES = (1, 5), (0.001, 0.003, 0.01, 0.03)

Run = tuple[pd.DataFrame, History | None]


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One method on one kind of federation.

    Attributes:
        name: of the method (`baselines.method`).
        build: returns a fresh network.
        federation: returns the clients of a seed, which it is given by name.
        plan: how long and where clients train; its learning rate is replaced.
        make: returns the algorithm, as `baselines.method` does and with its arguments.
    """

    name: str
    build: Callable[[], nn.Module]
    federation: Callable[..., Federation]
    plan: Plan
    make: Callable[..., Algorithm] = method

    def run(self, lr: float, seed: int, **columns: object) -> Run:
        """Train at `lr`, as `arms.arm_or_zero` does, which takes the `columns`."""
        plan = replace(self.plan, lr=lr)
        algorithm = self.make(self.name, self.build, plan.local, seed=seed)
        return arm_or_zero(self.name, algorithm, self.federation(seed=seed), plan, seed=seed, **columns, lr=lr)

    def finetuned(self, run: Run, lr: float, epochs: int) -> pd.DataFrame:
        """Return the last row of `run` after `epochs` of fine-tuning at `lr` (the head of FedPer, else all layers)."""
        rows, history = run
        seed = int(rows["seed"].iloc[0])
        found = np.zeros(1)
        if history is not None:
            trained = self.make(self.name, self.build, self.plan.local, seed=seed)
            algorithm = _tuner(trained, self.name, self.build, lr, epochs)
            clients = self.federation(seed=seed).to(self.plan.device)
            found = evaluate(algorithm, history, clients, round=self.plan.rounds, seed=seed)
        return row_after(rows, FINETUNED[self.name], found, finetune_lr=lr, finetune_epochs=epochs)


def _tuner(algorithm: Algorithm, name: str, build: Callable[[], nn.Module], lr: float, epochs: int) -> Algorithm:
    local = replace(algorithm.local, lr=lr, epochs=epochs, steps=None)
    if isinstance(algorithm, FedPer):
        return replace(algorithm, local=local, ft_epochs_eval=epochs)
    tuner = method("FedAvg + FT", build, local, seed=0) if name == "FedAvg" else algorithm
    return replace(tuner, finetune=local)


def at_own_rate(
    one: Arm, *, rates: Sequence[float] = RATES, tuning: int = 1, seeds: Sequence[int], progress: Progress | None = None
) -> pd.DataFrame:
    """Return accuracy over rounds of one method at the best of `rates`, and fine-tuned with the best settings.

    The rate, then the epochs and the rate of the fine-tuning, are chosen on `tuning` other partitions of the same
    images by their accuracy after the last round. "FedBABU" is nothing before it is fine-tuned, so that all three are
    chosen together; its curve has ten steps at the rate of its training, its last row the chosen settings.

    Returns:
        Rows of use "tuning" and "judging": use, lr, method, seed, the columns of `arms.by_round`, and where `one` is in
        `FINETUNED` finetune_lr and finetune_epochs (NaN in rows without fine-tuning).
    """
    tried = []
    for s, lr in track(list(itertools.product(tuning_seeds(tuning, seeds[0]), rates)), f"{one.name}: rates", progress):
        tried.append(one.run(lr, s, use="tuning"))
    parts = [rows for rows, _ in tried]
    best = float(best_settings(pd.concat(parts, ignore_index=True), ["use"])["lr"].item())
    replaced = FINETUNED.get(one.name) == one.name
    if one.name in FINETUNED:
        tuned = _tuned_further(one, tried if replaced else [run for run in tried if run[0]["lr"].iloc[0] == best])
        parts.append(tuned)
        best, *setting = _chosen(tuned)
    judged = [one.run(best, s, evaluate_every=often(one.plan.rounds), use="judging") for s in seeds]
    parts += [rows[rows["round"] < one.plan.rounds] if replaced else rows for rows, _ in judged]
    if one.name in FINETUNED:
        parts += [one.finetuned(run, *setting) for run in judged]
    return pd.concat(parts, ignore_index=True)


def _tuned_further(one: Arm, runs: Sequence[Run]) -> pd.DataFrame:
    settings = list(itertools.product(FINETUNE_RATES, FINETUNE_EPOCHS))
    return pd.concat([one.finetuned(run, *setting) for run in runs for setting in settings], ignore_index=True)


def _chosen(tuned: pd.DataFrame) -> tuple[float, float, int]:
    """Return the learning rate, that of the fine-tuning and its epochs that are best in the median over partitions."""
    columns = ["lr", "finetune_lr", "finetune_epochs"]
    numbered = tuned.assign(option=tuned.groupby(columns).ngroup())
    option = best_settings(numbered, ["use"], setting="option")["option"].item()
    lr, finetune_lr, epochs = numbered.loc[numbered["option"] == option, columns].iloc[0]
    return float(lr), float(finetune_lr), int(epochs)


def each_at_own_rate(
    arms: Iterable[tuple[Arm, Mapping[str, object]]],
    *,
    rates: Sequence[float] = RATES,
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the rows of `at_own_rate` of each of `arms`, with its columns, judged on `seeds` seeds from `seed`."""
    judged = range(seed, seed + seeds)
    parts = [at_own_rate(one, rates=rates, seeds=judged, progress=progress).assign(**columns) for one, columns in arms]
    return pd.concat(parts, ignore_index=True)


def accuracy_at_own_rates(
    name: str,
    x: np.ndarray,
    y: np.ndarray,
    build: Callable[[], nn.Module],
    plan: Plan,
    *,
    classes_per_client: Sequence[int],
    methods: Sequence[str],
    rates: Sequence[float] = RATES,
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy over rounds of ten clients with k classes each, every method at its own rate for each k.

    Returns:
        The rows of `at_own_rate`, with the column classes_per_client.
    """
    arms = []
    for k, method_name in itertools.product(classes_per_client, methods):
        federation = functools.partial(class_federation, x, y, classes_per_client=k, name=name)
        arms.append((Arm(name=method_name, build=build, federation=federation, plan=plan), {"classes_per_client": k}))
    return each_at_own_rate(arms, rates=rates, seeds=seeds, seed=seed, progress=progress)
