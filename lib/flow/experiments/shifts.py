"""Digits that differ between clients by class or by style, and clients that join after training."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from lib.federated.types import Federation
from lib.flow.baselines.methods import METHODS
from lib.flow.experiments.arms import Progress, Run, compared, track, trained
from lib.flow.experiments.preference import bench
from lib.flow.experiments.tasks import bench_of
from lib.flow.experiments.tuning import stored_settings
from lib.flow.federations import dirichlet_digits, styled_digits
from lib.flow.mixture import mixture
from lib.flow.outcomes import by_run


def digit_shifts(
    *,
    alphas: Sequence[float] = (0.1, 0.6, 10.0),
    styles: Sequence[float] = (1.0,),
    methods: Sequence[str] = METHODS,
    seeds: int = 5,
    seed: int = 0,
    rounds: int = 15,
    device: str = "cpu",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the outcome of each method on digits by Dirichlet class shares, and on digits in clients' own styles.

    Returns:
        One row a run: setting, method, seed, and the means over clients of `lib.flow.outcomes.clients_table`.
    """
    settings = [("classes", alpha) for alpha in alphas] + [("style", style) for style in styles]
    parts = []
    for kind, value in track(settings, "digits", progress):
        label = f"Dirichlet {value:g}" if kind == "classes" else f"style {value:g}"
        runs = []
        for s in range(seed, seed + seeds):
            made = dirichlet_digits(alpha=value, seed=s) if kind == "classes" else styled_digits(strength=value, seed=s)
            runs.append(Run(made.to(device), s, {"setting": label}))
        found = trained(methods, bench_of("digits", stored_settings("digits")), runs, rounds=rounds)
        parts += [by_run(compared(name, found, runs), ["setting", "method", "seed"]) for name in methods]
    return pd.concat(parts, ignore_index=True)


def newcomers(
    *,
    rho: float = 0.25,
    methods: Sequence[str] = ("FedAvg", "FedAvg + FT", "ensemble", "kNN-Per", "Flow"),
    veterans: int = 20,
    joining: int = 10,
    seeds: int = 5,
    seed: int = 0,
    rounds: int = 25,
    device: str = "cpu",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return how clients fare that join a trained federation, beside those that trained it; no method keeps state.

    Returns:
        One row a client of each run: rho, method, seed, the columns of `clients_table`, group ("seen", "new").
    """
    whole = [mixture(rho=rho, clients=veterans + joining, seed=s) for s in range(seed, seed + seeds)]
    labels = {"rho": rho}
    old = [
        Run(_some(one.federation.to(device), slice(veterans)), s, labels)
        for one, s in zip(whole, range(seed, seed + seeds), strict=True)
    ]
    new = [
        replace(run, federation=_some(one.federation.to(device), slice(veterans, None)))
        for run, one in zip(old, whole, strict=True)
    ]
    found = trained(methods, bench(), old, rounds=rounds)
    parts = []
    for name in track(methods, "newcomers", progress):
        for group, runs in (("seen", old), ("new", new)):
            parts.append(compared(name, found, runs).assign(group=group))
    return pd.concat(parts, ignore_index=True)


def _some(federation: Federation, which: slice) -> Federation:
    return replace(federation, clients=federation.clients[which])
