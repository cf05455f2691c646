"""What each part of the method, and each defect of the released code, does to accuracy, harm and routes."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from lib.federated.side_by_side import run_side_by_side
from lib.flow.baselines.methods import SETTINGS
from lib.flow.experiments.arms import Progress, Run, compared, labelled, track
from lib.flow.experiments.preference import bench, route_table
from lib.flow.flow import Flow, flow
from lib.flow.mixture import mixture
from lib.flow.outcomes import by_run
from lib.flow.regularizer import Regularizer
from lib.flow.routing import UnitRouting


def variants() -> dict[str, dict[str, Flow]]:
    """Return the variants of Flow by group and name; "as here" is the method with the chosen settings."""
    made, push = bench(), SETTINGS["instance preferences"]["Flow"]["push"]
    routing, local = made.routing, made.local

    def one(routing: UnitRouting = routing, **options: object) -> Flow:
        return flow(routing, local, **({"push": push} | options))

    def term(strength: float, target: str) -> Flow:
        return one(regularizer=Regularizer(strength, target))

    last = {"routed": (1,), "widths": (32,)}
    released = {"split": "half", "local_init": "average", "leak": True, "test_mode": "zero ties"}
    return {
        "test": {"as here": one(), "soft test": one(test_mode="soft")},
        "regularizer": {
            "none": one(push=0.0),
            "push to local": term(push, "local"),
            "pull to one half": term(push, "both"),
            "second unit only": term(push, "second unit"),
        },
        "routed units": {"first unit": one(replace(routing, routed=(0,))), "last unit": one(replace(routing, **last))},
        "policy input": {
            "by client": one(replace(routing, by="client")),
            "the cue alone": one(replace(routing, sees=(0,))),
            "all but the cue": one(replace(routing, sees=tuple(range(1, routing.inputs)))),
        },
        "split of the data": {name: one(split=name) for name in ("half", "three_way", "cross")},
        "order": {"policy first": one(order="policy first")},
        "as released": {
            "averaged local start": one(local_init="average"),
            "momentum leak": one(leak=True),
            "half split": one(split="half", push=0.0),
            "regularizer's index": term(0.01, "second unit"),
            "ties blank a unit": one(test_mode="zero ties"),
            "all of these": one(**released, regularizer=Regularizer(0.01, "second unit")),
        },
    }


def ablation(
    *,
    rho: float = 0.25,
    groups: Sequence[str] | None = None,
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 25,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return what variants of Flow reach on instance preferences.

    Returns:
        One row a variant and seed: group, variant, seed, global, personal, harmed, only_global, only_personal (means
        over clients), auc, local_1, local_0 (see `preference`).
    """
    seen, every = variants(), range(seed, seed + seeds)
    groups = list(seen) if groups is None else list(groups)
    unknown = set(groups) - set(seen)
    if unknown:
        raise ValueError(f"unknown group {min(unknown)!r}; choose from {', '.join(seen)}")
    made = [mixture(rho=rho, seed=s) for s in every]
    runs = [Run(one.federation, s, {}) for one, s in zip(made, every, strict=True)]
    parts = []
    for group, name in track([(g, n) for g in groups for n in seen[g]], "ablation", progress):
        algorithm = seen[group][name]
        outcomes = run_side_by_side(algorithm, [run.federation for run in runs], list(every), rounds=rounds)
        clients = compared(name, {name: (algorithm, outcomes)}, runs)
        routes = pd.concat(
            labelled(route_table(algorithm, outcome, one, s), run, name)
            for outcome, one, s, run in zip(outcomes, made, every, runs, strict=True)
        )
        means = by_run(routes, ["method", "seed"])[["method", "seed", "auc", "local_1", "local_0"]]
        parts.append(by_run(clients, ["method", "seed"]).merge(means, on=["method", "seed"]).assign(group=group))
    table = pd.concat(parts, ignore_index=True).rename(columns={"method": "variant"})
    columns = ["group", "variant", "seed", "global", "personal", "harmed", "only_global", "only_personal"]
    return table[[*columns, "auc", "local_1", "local_0"]]
