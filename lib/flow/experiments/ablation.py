"""What each part of the method, and each defect of the released code, does to accuracy, harm and routes."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from lib.federated.side_by_side import run_side_by_side
from lib.flow.baselines.methods import method
from lib.flow.experiments.arms import Progress, Run, compared, labelled, track
from lib.flow.experiments.preference import bench, route_table
from lib.flow.flow import Flow, as_released
from lib.flow.mixture import mixture
from lib.flow.outcomes import by_run
from lib.flow.regularizer import Regularizer

PUSH = 0.03  # strength of the terms that replace the push, should the chosen one be zero


def variants() -> dict[str, dict[str, Flow]]:
    """Return the variants of Flow by group and name; "as here" is the method with the chosen settings."""
    made = bench()
    base = method("Flow", made)
    routing, push = base.routing, max(base.regularizer.strength, PUSH)

    def one(**options: object) -> Flow:
        return replace(base, **options)

    def term(strength: float, target: str, **options: object) -> Flow:
        return one(regularizer=Regularizer(strength, target), **options)

    none = Regularizer()
    return {
        "test": {"as here": one(), "soft test": one(test_mode="soft")},
        "training": {"rounded too": one(train_mode="hard")},
        "regularizer": {
            "none": one(regularizer=none),
            "push to local": term(push, "local"),
            "pull to one half": term(push, "both"),
            "second unit only": term(push, "second unit"),
            "global first, local last": term(push, "opposite"),
        },
        "routed units": {
            "first unit": one(routing=replace(routing, routed=(0,))),
            "last unit": one(routing=replace(routing, routed=(1,), widths=(32,))),
        },
        "policy input": {
            "by client": one(routing=replace(routing, by="client")),
            "the cue alone": one(routing=replace(routing, sees=(0,))),
            "all but the cue": one(routing=replace(routing, sees=tuple(range(1, routing.inputs)))),
        },
        "local branch": {"at the common rate": one(branch_lr=None)},
        "split of the data": {
            "half": one(split="half"),
            "half, no regularizer": one(split="half", regularizer=none),
            "half, push to local": term(push, "local", split="half"),
            "three_way": one(split="three_way"),
            "cross": one(split="cross"),
        },
        "order": {"policy first": one(order="policy first")},
        "as released": {
            "averaged local start": one(local_init="average"),
            "momentum leak": one(leak=True),
            "regularizer's index": term(0.01, "second unit"),
            "ties blank a unit": one(test_mode="zero ties"),
            "all of these": as_released(routing, base.local),
        },
    }


def ablation(
    *,
    rho: float = 0.25,
    groups: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 25,
    device: str = "cpu",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return what variants of Flow reach on instance preferences: all, or those of `groups` and called `names`.

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
    runs = [Run(one.federation.to(device), s, {}) for one, s in zip(made, every, strict=True)]
    parts = []
    cells = [(g, n) for g in groups for n in seen[g] if names is None or n in names]
    for group, name in track(cells, "ablation", progress):
        algorithm = seen[group][name]
        outcomes = run_side_by_side(algorithm, [run.federation for run in runs], list(every), rounds=rounds)
        clients = compared(name, {name: (algorithm, outcomes)}, runs)
        routes = pd.concat(
            labelled(route_table(algorithm, outcome, run, one.test_local), run, name)
            for outcome, one, run in zip(outcomes, made, runs, strict=True)
        )
        means = by_run(routes, ["method", "seed"])[["method", "seed", "auc", "local_1", "local_0"]]
        parts.append(by_run(clients, ["method", "seed"]).merge(means, on=["method", "seed"]).assign(group=group))
    table = pd.concat(parts, ignore_index=True).rename(columns={"method": "variant"})
    columns = ["group", "variant", "seed", "global", "personal", "harmed", "only_global", "only_personal"]
    return table[[*columns, "auc", "local_1", "local_0"]]
